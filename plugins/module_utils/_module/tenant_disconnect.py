# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Taking a tenant's connection away: the row first, so that the product stops; then the token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item, Outcome, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_keys
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_rights as rights
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_documents import Content, read_tenant_keys
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_call import Call
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_connect import TRIES, Done, denied
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_plan import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import refuse_unplanned
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection, tenants
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv


def disconnect(call: Call) -> Done:
    """Set the row's status, and write a version of the document without the token.

    :raises ForbiddenError: the token may not write the document; the row was not written either.
    :raises StaleError: something was not planned, or others write the document all the time.
    """
    status, own = call.params["disconnected_status"], call.place.tenant_keys["refresh_token"]
    vault, mount, path = call.servers.vault, call.place.mount, call.place.tenant_path
    content = read_tenant_keys(vault, call.place) if call.params.get("depth") == "keys" else call.read_document()
    items = plan(call, content)
    facts: dict[str, object] = {"status": "disconnected", "document_version": content.document.version}
    todo = {item.id.rpartition("/")[2] for item in pending(items)}
    needed = rights.to_write(content.document, mount, path, without=(own,)) if "document" in todo else ()
    if call.servers.check_mode or not todo:
        return Done(Outcome(items, changed=bool(todo), facts=facts), needed, denied(call, items))
    refuse_unplanned(items, call.params.get("planned"))
    if len(todo) > 1:
        rights.require(vault, needed, content.document.address)
    with connection.transaction(call.servers.database, "writing the tenant's row in", call.servers.where) as cursor:
        if tenants.write(cursor, call.servers.table, call.tenant, {"status": status}):
            call.written.append("row")
    for remaining in reversed(range(TRIES)):
        if not content.values.get("refresh_token"):
            break
        try:
            facts["document_version"] = kv.write_merged(vault, mount, path, {}, read=content.document, without=(own,))
            call.written.append("document")
            break
        except kv.CasMismatch as error:
            if not remaining:
                raise StaleError(error.doing, error.address, error.answered, error.remedy) from None
        content = call.read_document()
    return Done(Outcome(items, changed=True, facts=facts))


def plan(call: Call, document: Content) -> tuple[Item, ...]:
    """Row and document of a tenant that should not be connected. Amazon is not asked."""
    return (
        _row(call.tenant, call.row or {}, call.row_address, call.params["disconnected_status"]),
        _document(call.tenant, document, call.place.tenant_keys["refresh_token"]),
    )


def _row(tenant: str, row: Mapping[str, Any], address: str, disconnected_status: str) -> Item:
    item_id = f"{CHECK}/{tenant}/row"
    if row.get("status") == disconnected_status:
        return Item(item_id, address, CHECK, "info", "in_sync")
    return Item(
        item_id,
        address,
        CHECK,
        "high",
        "drifted",
        "update",
        before={"status": row.get("status")},
        after={"status": disconnected_status},
        reason="The row says that the tenant is connected, and it should not be.",
        hint="A repair sets the status.",
    )


def _document(tenant: str, content: Content, own_key: str) -> Item:
    document = content.document
    item = Item(f"{CHECK}/{tenant}/document", document.address, CHECK, "info", "in_sync", sensitive=True)
    keys_only = document.depth == "keys"
    if keys_only and document.names is None:
        return document_keys.unknown_keys(item)
    token = None if keys_only else content.values.get("refresh_token")
    if not token and not (keys_only and own_key in (document.names or ())):
        return item
    return replace(
        item,
        severity="high",
        status="forbidden_present",
        action="remove",
        before={"refresh_token": Fingerprints().of(token) if token else "present"},
        after={"refresh_token": "missing"},
        reason="The document still holds the seller's token.",
        hint="A repair writes a version without it. Older versions keep it until they are destroyed.",
        precondition={"version": document.version},
    )
