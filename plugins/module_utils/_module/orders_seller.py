# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who a tenant is at Amazon: read from Vault's documents, asked with patience."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_documents as documents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import Asking
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import Call, Protect
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_progress import Progress
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import lwa, marketplaces, quota
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import Credentials, SellingPartner
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import buckets
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault

_OPENING = threading.Lock()
"""The library looks into the environment while a client is made, and that is held clean meanwhile."""


@dataclass(frozen=True)
class Seller:
    """A seller's credentials, and by whom Amazon counts his calls: application and selling partner."""

    credentials: Credentials = field(repr=False)
    owner: tuple[str, str]


def sellers(params: Mapping[str, Any], protect: Protect, names: tuple[str, ...]) -> dict[str, Seller | BlockedError]:
    """Every tenant's credentials, over one login that ends with these reads: an import takes long.

    A tenant whose document cannot be used has the error that says why. What concerns all of them is raised.
    """
    found: dict[str, Seller | BlockedError] = {}
    with closing(vault.connect(params, protect)) as client:
        app = documents.read_app(client, documents.place({**params, "tenant": names[0]}), protect)
        documents.require_app(app, "client_id", "client_secret")
        for name in names:
            try:
                found[name] = _seller(client, app, documents.place({**params, "tenant": name}), name, protect)
            except BlockedError as error:
                found[name] = error
    return found


def _seller(
    client: vault.VaultClient, app: documents.Content, place: documents.Place, name: str, protect: Protect
) -> Seller:
    tenant = documents.read_tenant(client, place, protect)
    documents.require_tenant(tenant, name, "refresh_token")
    values = app.values
    # Amazon counts by application and selling partner; a document without the seller's id counts by tenant.
    owner = (values.get("application_id") or values["client_id"], tenant.values.get("seller_id") or name)
    return Seller(Credentials(values["client_id"], values["client_secret"], tenant.values["refresh_token"]), owner)


def trusted(params: Mapping[str, Any]) -> ssl.SSLContext:
    """One TLS context for all tenants of a call."""
    return lwa.tls_context(params.get("amazon_ca_cert"))


def partner_of(call: Call, seller: Seller, marketplace_id: str, context: ssl.SSLContext) -> SellingPartner:
    """The seller at Amazon; the caller closes it."""
    params = call.params
    with _OPENING:
        return SellingPartner(
            params.get("amazon_endpoint") or marketplaces.endpoint_of(marketplace_id),
            seller.credentials,
            lwa.LwaClient(
                params["amazon_lwa_url"], ca_cert=params.get("amazon_ca_cert"), timeout=params["amazon_timeout"]
            ),
            protect=call.protect,
            timeout=params["amazon_timeout"],
            context=context,
        )


def asking(call: Call, seller: Seller, partner: SellingPartner, progress: Progress) -> Asking:
    """Calls of this seller, with the waits that the options allow."""
    return Asking(
        partner,
        call.sessions,
        call.store.quota,
        seller.owner,
        budget=call.params["wait_budget"],
        progress=progress,
        interval=call.params["progress_interval"],
    )


def believed(call: Call, seller: Seller) -> dict[str, quota.Bucket]:
    """The seller's buckets as they stand now; one that nobody has used is not among them."""
    with call.sessions.transaction("looking at Amazon's usage plan in") as cursor:
        application, partner = seller.owner
        rows = buckets.peek(cursor, call.store.quota, partner, application)
    return {name: quota.at(quota.Bucket(*row), now) for name, (row, now) in rows.items()}
