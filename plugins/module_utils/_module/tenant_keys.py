# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What can be said of a tenant's connection without reading any secret: the keys of its document, and its row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_keys, tenant_plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_rights as rights
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_documents import (
    TENANT_KEYS,
    Content,
    read_tenant_keys,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_call import Call
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_connect import Done, denied
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv

STATUS = "not_asked"
_STATES = {"absent": "missing", "destroyed": "missing", "soft_deleted": "soft_deleted", "empty": "empty"}


def look(call: Call) -> Done:
    """The tenant's document by its keys, and its row. Amazon is not asked, and the application's document not read."""
    content = read_tenant_keys(call.servers.vault, call.place)
    document = _document(call, content)
    own = call.place.tenant_keys["refresh_token"]
    has_token = content.document.names is None or own in content.document.names
    kind: tenant_plan.GrantKind = "kept" if has_token else "consent"
    observed = tenant_plan.Observed(call.tenant, content, call.row, tenant_plan.Grant(kind, ""), "")
    row = tenant_plan.row_item(observed, tenant_plan.Desired({}, _row(call), ""), call.row_address)
    items = (_left_out(call), document, row)
    needed: tuple[rights.Right, ...] = ()
    if document in pending(items):
        needed = rights.to_write(content.document, call.place.mount, call.place.tenant_path)
    told = {"status": STATUS, "document_version": content.document.version}
    outcome = Outcome(items, changed=bool(pending(items)), facts=told, warnings=kv.ending(content.document))
    return Done(outcome, needed, denied(call, items))


def _left_out(call: Call) -> Item:
    """The question that this depth leaves out; somebody has asked for that, so it is no open one."""
    return Item(
        tenant_plan.grant_id(call.tenant),
        f"authorization of tenant {call.tenant} at Login with Amazon",
        tenant_plan.CHECK,
        "info",
        "ignored",
        sensitive=True,
        reason="depth: keys was asked for: the seller's token was not read, and Amazon was not asked whether it works.",
        hint="depth: values, with a token that may read both documents, asks.",
    )


def _document(call: Call, content: Content) -> Item:
    document = content.document
    holds = document_keys.held(document, {logical: call.place.tenant_keys[logical] for logical in TENANT_KEYS})
    item = Item(
        tenant_plan.document_id(call.tenant),
        document.address,
        tenant_plan.CHECK,
        "info",
        "in_sync",
        sensitive=True,
        before=holds,
        after=holds,
        reason=document_keys.KEYS_ONLY,
        precondition={"version": document.version},
    )
    if document.state == "present" and document.names is None:
        return document_keys.unknown_keys(item)
    status: Any = _STATES.get(document.state, "drifted")
    wrong = [logical for logical, found in holds.items() if found != document_keys.PRESENT]
    if status == "drifted" and not wrong:
        return item
    # Without a token in the document a repair needs one from outside, of which nothing is known here.
    possible = status == "soft_deleted" or (status == "drifted" and "refresh_token" not in wrong)
    return replace(
        item,
        severity="critical" if "refresh_token" in wrong else "medium",
        status=status,
        action=tenant_plan.document_action(status) if possible else "none",
        after=dict.fromkeys(holds, document_keys.PRESENT),
        reason=f"{tenant_plan.document_reason(status, wrong)} {document_keys.KEYS_ONLY}",
        hint="A repair writes these keys and keeps all others."
        if possible
        else "A repair stores a token that is given to it; otherwise the seller has to agree.",
    )


def _row(call: Call) -> dict[str, Any]:
    """What the row should say, as far as that is asked for: what the document says is not known."""
    asked = {
        "status": call.params["connected_status"],
        "marketplaceId": call.params.get("marketplace_id"),
        "sellerId": call.params.get("seller_id"),
        "owner": call.params.get("owner"),
    }
    return {name: value for name, value in asked.items() if name in call.servers.table.columns and value}
