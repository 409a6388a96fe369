# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module amazon_tenant_connect does: prove the seller's authorization, store it, say so in the row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Outcome, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    StaleError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_documents as documents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import tenant_disconnect, tenant_grant, tenant_plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import marketplaces, sellers
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import Credentials, SellingPartner
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import LwaClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import iso
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection, schema, tables, tenants
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Connection
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table
    from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

Protect = Callable[[Iterable[str | None]], None]
TRIES = 3
DISPLAY_NAME = "Amazon Seller {seller_id}"
STATE_LIFETIMES = (600, 86400)


@dataclass(frozen=True)
class Call:
    """One call of the module, its connections open."""

    params: Mapping[str, Any]
    protect: Protect
    place: documents.Place
    table: Table
    database: Connection
    vault: VaultClient
    where: str
    check_mode: bool

    @property
    def tenant(self) -> str:
        """The tenant's id."""
        return str(self.params["tenant"])

    @property
    def row_address(self) -> str:
        """The row, for messages."""
        return f"table {self.table.name} row {self.table.columns['tenantId']}={self.tenant} in {self.where}"


def run(params: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Connect or disconnect a tenant.

    :raises BadInputError: the tenant has no row (naming those that have), or an option cannot be.
    :raises BlockedError: the application's document is missing or refused, outside check mode.
    """
    place = documents.place(params)
    if not STATE_LIFETIMES[0] <= params["oauth_state_lifetime"] <= STATE_LIFETIMES[1]:
        raise BadInputError(
            "reading option",
            "oauth_state_lifetime",
            f"{params['oauth_state_lifetime']} is not between {STATE_LIFETIMES[0]} and {STATE_LIFETIMES[1]} seconds",
            "A seller needs some minutes; a state that lives longer than a day invites misuse.",
        )
    privileges = ("SELECT",) if check_mode else ("SELECT", "UPDATE", *(("INSERT",) if params["create_row"] else ()))
    table = tables.tenants_table(params["tenants_table"], params.get("tenant_columns"), privileges)
    with closing(connection.connect(params, protect, f"keybuzz.amazon tenant {params['tenant']}")) as database:
        where = connection.address(params)
        row = _row(database, table, params, where)
        call = Call(params, protect, place, table, database, vault.connect(params, protect), where, check_mode)
        return _disconnect(call, row or {}) if params["state"] == "absent" else _connect(call, row)


def _row(database: Connection, table: Table, params: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    with connection.transaction(database, "reading the tenant's row in", where) as cursor:
        schema.require(zip((table,), schema.inspect(cursor, (table,)), strict=True), params["pg_user"], where)
        row = tenants.read(cursor, table, params["tenant"])
        if row is None and (params["state"] == "absent" or not params["create_row"]):
            raise tenants.unknown(cursor, table, params["tenant"], where)
    return row


def _connect(call: Call, row: Mapping[str, Any] | None) -> Outcome:
    app = documents.read_app(call.vault, call.place, call.protect)
    content = documents.read_tenant(call.vault, call.place, call.protect)
    found = content
    app_is_there = not app.lacks("client_id", "client_secret")
    undeleted = content.document.state == "soft_deleted" and app_is_there and not call.check_mode
    if undeleted:
        kv.undelete(call.vault, call.place.mount, call.place.tenant_path, content.document.version)
        content = documents.read_tenant(call.vault, call.place, call.protect)
    lwa = LwaClient(
        call.params["amazon_lwa_url"],
        ca_cert=call.params.get("amazon_ca_cert"),
        timeout=call.params["amazon_timeout"],
    )
    examined = tenant_grant.examine(lwa, app, content, _offered(call), call.protect, may_exchange=not call.check_mode)
    if examined.grant.kind == "consent" and content.document.state == "soft_deleted":
        why = "The tenant's document is deleted, and whether the token in it works can be seen when it is back."
        examined = replace(examined, grant=tenant_plan.Grant("deleted", why))
    fingerprints = Fingerprints()
    desired = _desired(call, content, row, examined.grant)
    asked = _consent(call, app, desired) if examined.grant.kind == "consent" else {}
    observed = tenant_plan.Observed(
        call.tenant, content, row, examined.grant, app.document.address, asked.get("consent_url")
    )
    items = tenant_plan.plan(
        replace(observed, document=found) if undeleted else observed, desired, call.row_address, fingerprints
    )
    facts = _facts(observed, desired) | asked
    warnings = list(examined.warnings)
    if call.check_mode:
        return Outcome(items, changed=bool(pending(items)), facts=facts, warnings=tuple(warnings))
    if examined.failure is not None:
        raise examined.failure
    if examined.grant.kind in {"unproven", "app_missing"}:
        documents.require_app(app, "client_id", "client_secret")
    changed = undeleted
    if examined.grant.kind in tenant_plan.USABLE:
        if examined.grant.kind == "new" or "marketplace_id" in tenant_plan.document_changes(observed, desired):
            warnings += _participation(call, app, lwa, examined.grant, desired)
        written, observed = _write_document(call, app, lwa, observed, desired)
        changed = written or changed
        changed = _write_row(call, observed, desired) or changed
        content = documents.read_tenant(call.vault, call.place, call.protect) if changed else content
        after = replace(observed, document=content, row=_row(call.database, call.table, call.params, call.where))
    else:
        after = observed
    remaining = tenant_plan.plan(after, desired, call.row_address, fingerprints)
    facts["document_version"] = after.document.document.version
    return Outcome(items, changed=changed, remaining=remaining, facts=facts, warnings=tuple(warnings))


def _disconnect(call: Call, row: Mapping[str, Any]) -> Outcome:
    status = call.params["disconnected_status"]
    content = documents.read_tenant(call.vault, call.place, call.protect)
    items = tenant_disconnect.plan(call.tenant, content, row, call.row_address, status)
    facts = {"status": "disconnected", "document_version": content.document.version}
    if call.check_mode or not pending(items):
        return Outcome(items, changed=bool(pending(items)), facts=facts)
    with connection.transaction(call.database, "writing the tenant's row in", call.where) as cursor:
        tenants.write(cursor, call.table, call.tenant, {"status": status})
    for remaining in reversed(range(TRIES)):
        if not content.values.get("refresh_token"):
            break
        own = call.place.tenant_keys["refresh_token"]
        kept = {key: value for key, value in content.document.raw.items() if key != own}
        try:
            facts["document_version"] = kv.write_merged(
                call.vault,
                call.place.mount,
                call.place.tenant_path,
                {},
                read=replace(content.document, raw=kept),
            )
            break
        except kv.CasMismatch as error:
            if not remaining:
                raise StaleError(error.doing, error.address, error.answered, error.remedy) from None
        content = documents.read_tenant(call.vault, call.place, call.protect)
    return Outcome(items, changed=True, facts=facts)


def _write_document(
    call: Call, app: documents.Content, lwa: LwaClient, observed: tenant_plan.Observed, desired: tenant_plan.Desired
) -> tuple[bool, tenant_plan.Observed]:
    """Write what differs, keeping what is not ours. After a lost race everything is looked at anew.

    :returns: whether a version was written, and what the decision rested on in the end.
    """
    for remaining in reversed(range(TRIES)):
        changes = tenant_plan.document_changes(observed, desired)
        if not changes:
            return False, observed
        named = {call.place.tenant_keys[key]: value for key, value in changes.items()}
        try:
            kv.write_merged(
                call.vault, call.place.mount, call.place.tenant_path, named, read=observed.document.document
            )
        except kv.CasMismatch as error:
            if not remaining:
                raise StaleError(error.doing, error.address, error.answered, error.remedy) from None
            observed = _looked_at_anew(call, app, lwa, observed)
        else:
            return True, observed
    raise AssertionError("a document is written or fails")


def _looked_at_anew(
    call: Call, app: documents.Content, lwa: LwaClient, observed: tenant_plan.Observed
) -> tenant_plan.Observed:
    """Somebody else has written the document. A token of theirs that works is kept, as any stored one is."""
    content, ours = documents.read_tenant(call.vault, call.place, call.protect), observed.grant
    if content.values.get("refresh_token") in {None, ours.token}:
        return replace(observed, document=content)
    offered = replace(_offered(call), token=lambda: ours.token, code=None)
    examined = tenant_grant.examine(lwa, app, content, offered, call.protect, may_exchange=False)
    if examined.failure is not None:
        raise examined.failure
    return replace(observed, document=content, grant=examined.grant)


def _write_row(call: Call, observed: tenant_plan.Observed, desired: tenant_plan.Desired) -> bool:
    if not tenant_plan.row_changes(observed, desired):
        return False
    with connection.transaction(call.database, "writing the tenant's row in", call.where) as cursor:
        if observed.row is None and tenants.create(cursor, call.table, call.tenant, desired.row):
            return True
        return tenants.write(cursor, call.table, call.tenant, desired.row)


def _participation(
    call: Call, app: documents.Content, lwa: LwaClient, grant: tenant_plan.Grant, desired: tenant_plan.Desired
) -> tuple[str, ...]:
    """One call, when connecting anew: does the seller sell there, and may the application see it?"""
    market = marketplaces.marketplace(desired.document["marketplace_id"])
    partner = SellingPartner(
        call.params.get("amazon_endpoint") or marketplaces.ENDPOINTS[market.area],
        Credentials(app.values["client_id"], app.values["client_secret"], str(grant.token)),
        lwa,
        protect=call.protect,
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


def _offered(call: Call) -> tenant_grant.Offered:
    code = call.params.get("authorization_code")
    call.protect([code])
    return tenant_grant.Offered(
        tenant=call.tenant,
        token=lambda: tenant_grant.given(call.params, call.protect),
        code=code or None,
        state=call.params.get("oauth_state") or None,
        lifetime=call.params["oauth_state_lifetime"],
    )


def _desired(
    call: Call, content: documents.Content, row: Mapping[str, Any] | None, grant: tenant_plan.Grant
) -> tenant_plan.Desired:
    stored, found = content.values, row or {}
    market_id = call.params.get("marketplace_id") or stored.get("marketplace_id") or found.get("marketplaceId")
    seller = call.params.get("seller_id") or stored.get("seller_id") or found.get("sellerId")
    if not market_id:
        raise _unnamed(
            "marketplace_id", "Give the id of the seller's marketplace, such as A13V1IB3VIYZZH for Amazon.fr."
        )
    if not seller and grant.kind in tenant_plan.USABLE:
        raise _unnamed(
            "seller_id",
            "Amazon's interface does not tell it: it is selling_partner_id in the address that the consent led back "
            "to, and stands in Seller Central under Account Info as Merchant Token.",
        )
    market = marketplaces.marketplace(str(market_id))
    region = str(call.params.get("region") or stored.get("region") or market.aws_region)
    if marketplaces.area_of(region) != market.area:
        raise BadInputError(
            "reading option",
            "region",
            f"marketplace {market.id} ({market.country}) is not in {region}",
            f"Its region is {market.aws_region}; leave the option out.",
        )
    document = {"seller_id": str(seller or ""), "marketplace_id": market.id, "region": region}
    wanted: dict[str, Any] = {
        "status": call.params["connected_status"],
        "marketplaceId": market.id,
        "sellerId": seller,
        "displayName": _display_name(call, str(seller or ""), found),
        "owner": call.params.get("owner") or found.get("owner"),
    }
    return tenant_plan.Desired(
        document={key: value for key, value in document.items() if value},
        row={name: value for name, value in wanted.items() if name in call.table.columns and value is not None},
        now=iso(datetime.now(UTC)),
    )


def _display_name(call: Call, seller: str, row: Mapping[str, Any]) -> str | None:
    """A name that is given is kept to; without one only an empty field is filled, as people may have renamed it."""
    given = call.params.get("display_name")
    if not given and row.get("displayName"):
        return str(row["displayName"])
    return str(given or DISPLAY_NAME).replace("{seller_id}", seller) if seller else None


def _unnamed(option: str, remedy: str) -> BadInputError:
    return BadInputError(
        "reading option", option, "it is not given, and neither the tenant's document nor its row has it", remedy
    )


STATUS: Mapping[tenant_plan.GrantKind, str] = {
    "kept": "connected",
    "new": "connected",
    "exchange": "connected",
    "unproven": "blocked",
    "deleted": "unknown",
    "app_missing": "blocked",
    "app_refused": "blocked",
    "consent": "reauthorize",
    "unknown": "unknown",
}


def _facts(observed: tenant_plan.Observed, desired: tenant_plan.Desired) -> dict[str, object]:
    return {
        "status": STATUS[observed.grant.kind],
        "seller_id": desired.document.get("seller_id"),
        "marketplace_id": desired.document["marketplace_id"],
        "region": desired.document["region"],
        "display_name": desired.row.get("displayName"),
        "document_version": observed.document.document.version,
    }


def _consent(call: Call, app: documents.Content, desired: tenant_plan.Desired) -> dict[str, str]:
    central = call.params.get("amazon_seller_central")
    central = central or marketplaces.marketplace(desired.document["marketplace_id"]).seller_central
    return tenant_grant.consent_facts(app, call.tenant, central, time.time(), call.params)
