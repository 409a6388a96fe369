# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One tenant of one call: what is open for it, what was asked of it, and what it should be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_documents as documents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import tenant_grant, tenant_plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import marketplaces
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import LwaClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import iso

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Connection
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table
    from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

Protect = Callable[[Iterable[str | None]], None]
PLACE_OF_TENANT = "{tenant}"
DISPLAY_NAME = "Amazon Seller {seller_id}"


def of_tenant(params: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The module's options for one of its tenants: his file and his seller, where they are given for several."""
    file = params.get("refresh_token_file")
    return {
        **params,
        "tenant": name,
        "refresh_token_file": file.replace(PLACE_OF_TENANT, name) if file else None,
        "seller_id": params.get("seller_id") or (params.get("seller_ids") or {}).get(name),
    }


@dataclass
class Servers:
    """What all tenants of one call share, its connections open.

    :param denied: what the database role may not do to the table with the tenants, as ``update table tenants``.
    :param app: the application's document, read once; ``None`` where it is not wanted.
    :param app_refused: what Amazon said of its credentials for an earlier tenant: they are no better for the next.
    """

    protect: Protect
    table: Table
    database: Connection
    vault: VaultClient
    lwa: LwaClient
    where: str
    denied: Mapping[str, str]
    check_mode: bool
    app: documents.Content | None = None
    app_refused: tenant_grant.Examined | None = None


@dataclass(frozen=True)
class Call:
    """One tenant.

    :param params: the module's options, ``tenant`` being this one.
    :param row: the tenant's row by logical column names, ``None`` when there is none.
    :param written: what was written so far, also when a later step fails.
    """

    params: Mapping[str, Any]
    servers: Servers
    place: documents.Place
    row: Mapping[str, Any] | None
    written: list[str] = field(default_factory=list)

    @property
    def tenant(self) -> str:
        """The tenant's id."""
        return str(self.params["tenant"])

    @property
    def row_address(self) -> str:
        """The row, for messages."""
        table = self.servers.table
        return f"table {table.name} row {table.columns['tenantId']}={self.tenant} in {self.servers.where}"

    @property
    def app(self) -> documents.Content:
        """The application's document."""
        if self.servers.app is None:
            self.servers.app = documents.read_app(self.servers.vault, self.place, self.servers.protect)
        return self.servers.app

    def read_document(self) -> documents.Content:
        """The tenant's document as it is now."""
        return documents.read_tenant(self.servers.vault, self.place, self.servers.protect)


def offered(call: Call, before_exchange: Callable[[], None] = lambda: None) -> tenant_grant.Offered:
    """What the user gave to connect with.

    :param before_exchange: called before a code, which has one use, is used.
    """
    code = call.params.get("authorization_code")
    call.servers.protect([code])
    return tenant_grant.Offered(
        tenant=call.tenant,
        token=lambda: tenant_grant.given(call.params, call.servers.protect),
        code=code or None,
        state=call.params.get("oauth_state") or None,
        lifetime=call.params["oauth_state_lifetime"],
        before_exchange=before_exchange,
    )


def desired(
    call: Call, content: documents.Content, row: Mapping[str, Any] | None, grant: tenant_plan.Grant
) -> tenant_plan.Desired:
    """What the connection should be: as asked for, else as the document has it, else as the row.

    :raises BadInputError: nobody says where the seller sells, or who he is.
    """
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
        row={name: value for name, value in wanted.items() if name in call.servers.table.columns and value is not None},
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


def facts(observed: tenant_plan.Observed, desired: tenant_plan.Desired) -> dict[str, object]:
    """The tenant's part of the module's result."""
    return {
        "status": STATUS[observed.grant.kind],
        "row_status": (observed.row or {}).get("status"),
        "seller_id": desired.document.get("seller_id"),
        "marketplace_id": desired.document["marketplace_id"],
        "region": desired.document["region"],
        "display_name": desired.row.get("displayName"),
        "document_version": observed.document.document.version,
    }


def consent(call: Call, app: documents.Content, desired: tenant_plan.Desired) -> dict[str, str]:
    """Where the seller agrees. Empty where the application's document does not tell."""
    central = call.params.get("amazon_seller_central")
    central = central or marketplaces.marketplace(desired.document["marketplace_id"]).seller_central
    return tenant_grant.consent_facts(app, call.tenant, central, time.time(), call.params)
