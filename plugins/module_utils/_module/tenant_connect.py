# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Connecting one tenant: prove the seller's authorization, store it, say so in the row."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item, Outcome, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, StaleError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_documents as documents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_rights as rights
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import tenant_grant, tenant_plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_call import (
    Call,
    consent,
    desired,
    facts,
    offered,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import refuse_unplanned
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import marketplaces, sellers
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import Credentials, SellingPartner
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import iso
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection, tenants
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv

TRIES = 3
SOURCES = {"kept": "the stored refresh token", "new": "a given refresh token", "unproven": "a given refresh token"}


@dataclass(frozen=True)
class Done:
    """What became of one tenant.

    :param rights: what a repair needs in Vault, when something is pending; ``denied``: what it lacks elsewhere.
    :param failure: why it could not be done.
    """

    outcome: Outcome
    rights: tuple[rights.Right, ...] = ()
    denied: tuple[str, ...] = ()
    failure: KeybuzzError | None = None


def connect(call: Call) -> Done:
    """Connect a tenant; in check mode only say what that would write.

    :raises BlockedError: the application's document is missing or refused, outside check mode.
    :raises ForbiddenError: the token may not do all of it; nothing was written.
    :raises StaleError: something would be written that was not planned.
    """
    servers, app = call.servers, call.app
    content = call.read_document()
    found = content
    app_is_there = not app.lacks("client_id", "client_secret")
    undeleted = content.document.state == "soft_deleted" and app_is_there and not servers.check_mode
    if undeleted:
        _refuse_unplanned(call, app, content)
        _require_rights(call, content)
        kv.undelete(servers.vault, call.place.mount, call.place.tenant_path, content.document.version)
        call.written.append("document")
        content = call.read_document()
    examined = _examined(call, app, content)
    if examined.grant.kind == "consent" and content.document.state == "soft_deleted":
        why = "The tenant's document is deleted, and whether the token in it works can be seen when it is back."
        examined = replace(examined, grant=tenant_plan.Grant("deleted", why))
    fingerprints = Fingerprints()
    wanted = desired(call, content, call.row, examined.grant)
    asked = consent(call, app, wanted) if examined.grant.kind == "consent" else {}
    observed = tenant_plan.Observed(
        call.tenant, content, call.row, examined.grant, app.document.address, asked.get("consent_url")
    )
    items = tenant_plan.plan(
        replace(observed, document=found) if undeleted else observed, wanted, call.row_address, fingerprints
    )
    if not servers.check_mode:
        now = tenant_plan.plan(observed, wanted, call.row_address, fingerprints) if undeleted else items
        refuse_unplanned(now, call.params.get("planned"))
    told: dict[str, Any] = facts(observed, wanted) | asked
    warnings = [*examined.warnings, *kv.ending(content.document)]
    if servers.check_mode:
        outcome = Outcome(items, changed=bool(pending(items)), facts=told, warnings=tuple(warnings))
        return _predicted(call, outcome, found)
    if examined.failure is not None:
        raise examined.failure
    if examined.grant.kind in {"unproven", "app_missing"}:
        documents.require_app(app, "client_id", "client_secret")
    if examined.grant.kind in tenant_plan.USABLE:
        changes = tenant_plan.document_changes(observed, wanted)
        if examined.grant.kind == "new" or "marketplace_id" in changes:
            warnings += _participation(call, app, examined.grant, wanted)
        if changes and tenant_plan.row_changes(observed, wanted) and not examined.grant.exchanged:
            _require_rights(call, content)
        observed, noted = _write_document(call, app, observed, wanted)
        told["custom_metadata"] = noted
        _write_row(call, observed, wanted)
        if call.written:
            row = read_rows(call, (call.tenant,)).get(call.tenant)
            observed = replace(observed, document=call.read_document(), row=row)
    remaining = tenant_plan.plan(observed, wanted, call.row_address, fingerprints)
    told |= {
        "document_version": observed.document.document.version,
        "row_status": (observed.row or {}).get("status"),
    }
    changed = bool(call.written)
    return Done(Outcome(items, changed=changed, remaining=remaining, facts=told, warnings=tuple(warnings)))


def _refuse_unplanned(call: Call, app: documents.Content, content: documents.Content) -> None:
    """Before a deleted document is brought back, which is a write of its own."""
    grant = tenant_plan.Grant("deleted", "")
    observed = tenant_plan.Observed(call.tenant, content, call.row, grant, app.document.address)
    items = tenant_plan.plan(observed, desired(call, content, call.row, grant), call.row_address, Fingerprints())
    refuse_unplanned([item for item in items if item.action == "undelete"], call.params.get("planned"))


def read_rows(call: Call, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """These tenants' rows, as they are now."""
    servers = call.servers
    with connection.transaction(servers.database, "reading the tenant's row in", servers.where) as cursor:
        return tenants.read_all(cursor, servers.table, names)


def _examined(call: Call, app: documents.Content, content: documents.Content) -> tenant_grant.Examined:
    servers = call.servers
    if servers.app_refused is not None:
        return servers.app_refused
    given = offered(call, before_exchange=lambda: _require_rights(call, content))
    examined = tenant_grant.examine(
        servers.lwa, app, content, given, servers.protect, may_exchange=not servers.check_mode
    )
    if examined.grant.kind == "app_refused":
        servers.app_refused = examined
    return examined


def _predicted(call: Call, outcome: Outcome, found: documents.Content) -> Done:
    """The answer of check mode, with what a repair needs to be allowed."""
    todo = {item.id.rpartition("/")[2] for item in pending(outcome.items)}
    needed: tuple[rights.Right, ...] = ()
    if todo & {"document", "grant"}:
        needed = rights.to_write(found.document, call.place.mount, call.place.tenant_path)
    return Done(outcome, needed, denied(call, outcome.items))


def denied(call: Call, items: tuple[Item, ...]) -> tuple[str, ...]:
    """What the database role lacks to write the row as planned."""
    actions = {item.action for item in pending(items) if item.id.endswith("/row")}
    return tuple(text for action, text in call.servers.denied.items() if action in actions)


def _require_rights(call: Call, content: documents.Content) -> None:
    needed = rights.to_write(content.document, call.place.mount, call.place.tenant_path)
    rights.require(call.servers.vault, needed, content.document.address)


def _write_document(
    call: Call, app: documents.Content, observed: tenant_plan.Observed, wanted: tenant_plan.Desired
) -> tuple[tenant_plan.Observed, kv.Noted]:
    """Write what differs, keeping what is not ours. After a lost race everything is looked at anew.

    :returns: what the decision rested on in the end, and whether its origin was noted.
    """
    vault, mount, path = call.servers.vault, call.place.mount, call.place.tenant_path
    for remaining in reversed(range(TRIES)):
        changes = tenant_plan.document_changes(observed, wanted)
        if not changes:
            return observed, "unchanged"
        named = {call.place.tenant_keys[key]: value for key, value in changes.items()}
        try:
            kv.write_merged(vault, mount, path, named, read=observed.document.document)
        except kv.CasMismatch as error:
            if not remaining:
                raise StaleError(error.doing, error.address, error.answered, error.remedy) from None
            observed = _looked_at_anew(call, app, observed)
        else:
            call.written.append("document")
            return observed, _note(call, observed)
    raise AssertionError("a document is written or fails")


def _note(call: Call, observed: tenant_plan.Observed) -> kv.Noted:
    grant = observed.grant
    source = "an authorization code of the seller" if grant.exchanged else SOURCES[grant.kind]
    values = {"managed_by": kv.MANAGED_BY, "source": source, "written_at": iso(datetime.now(UTC))}
    place = (call.servers.vault, call.place.mount, call.place.tenant_path)
    return kv.note(*place, values, read=observed.document.document)


def _looked_at_anew(call: Call, app: documents.Content, observed: tenant_plan.Observed) -> tenant_plan.Observed:
    """Somebody else has written the document. A token of theirs that works is kept, as any stored one is."""
    content, ours = call.read_document(), observed.grant
    if content.values.get("refresh_token") in {None, ours.token}:
        return replace(observed, document=content)
    given = replace(offered(call), token=lambda: ours.token, code=None)
    examined = tenant_grant.examine(call.servers.lwa, app, content, given, call.servers.protect, may_exchange=False)
    if examined.failure is not None:
        raise examined.failure
    return replace(observed, document=content, grant=examined.grant)


def _write_row(call: Call, observed: tenant_plan.Observed, wanted: tenant_plan.Desired) -> None:
    if not tenant_plan.row_changes(observed, wanted):
        return
    servers, tenant = call.servers, call.tenant
    with connection.transaction(servers.database, "writing the tenant's row in", servers.where) as cursor:
        row = tenants.read_all(cursor, servers.table, (tenant,), lock=True).get(tenant)
        if row != observed.row:  # written by somebody else since the look: a name given there is kept
            wanted = desired(call, observed.document, row, observed.grant)
        made = row is None and tenants.create(cursor, servers.table, tenant, wanted.row)
        changed = made or tenants.write(cursor, servers.table, tenant, wanted.row)
    if changed:
        call.written.append("row")


def _participation(
    call: Call, app: documents.Content, grant: tenant_plan.Grant, wanted: tenant_plan.Desired
) -> tuple[str, ...]:
    """One call, when connecting anew: does the seller sell there, and may the application see it?"""
    market = marketplaces.marketplace(wanted.document["marketplace_id"])
    partner = SellingPartner(
        call.params.get("amazon_endpoint") or marketplaces.ENDPOINTS[market.area],
        Credentials(app.values["client_id"], app.values["client_secret"], str(grant.token)),
        call.servers.lwa,
        protect=call.servers.protect,
        ca_cert=call.params.get("amazon_ca_cert"),
        timeout=call.params["amazon_timeout"],
    )
    with closing(partner):
        try:
            rows = sellers.participations(partner)
        except UnreachableError as error:
            # The seller has agreed, and a code has no second use: his token is stored rather than thrown away.
            if not grant.exchanged:
                raise
            return (f"Whether the seller sells in {market.id} could not be checked: {error.answered}.",)
        return sellers.check_participation(rows, market.id, partner.endpoint)
