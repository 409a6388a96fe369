# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""amzn-selling-partner: its iterator over Orders 2026-01-01, which has a token bucket of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.bench.orders.bounds import SEARCH_ORDERS
from tests.bench.orders.place import INCLUDED, Place, Tally, patiently


def _orders(place: Place) -> Any:
    """The resource. The wrapper SellingPartner takes no address, the client under it does."""
    from amzn_selling_partner.plugins.amazon_spapi import LWAAuth, LWACredentials  # type: ignore[import-not-found,unused-ignore]
    from amzn_selling_partner.sdk.client import Client  # type: ignore[import-not-found,unused-ignore]

    credentials = LWACredentials(
        client_id=place.client_id, client_secret=place.client_secret, refresh_token=place.refresh_token
    )
    auth = LWAAuth(credentials, token_url=place.lwa_url, base_url=place.endpoint)
    return Client(base_url=place.endpoint, auth=auth).orders_v2026_01_01


def _query(place: Place) -> dict[str, Any]:
    return {
        "created_after": datetime.fromisoformat(place.since),
        "created_before": datetime.fromisoformat(place.until),
        "marketplace_ids": [place.marketplace_id],
        "included_data": list(INCLUDED),
    }


def search(place: Place, tally: Tally) -> None:
    """``for order in client.orders.iter_list_orders(...)``, as its README shows it."""
    for order in _orders(place).iter_list_orders(**_query(place)):
        tally.order(order.order_id, len(order.order_items))


def search_kind(place: Place, tally: Tally) -> None:
    """Page by page, waiting for a token after each 429 that its own two retries do not get over."""
    from amzn_selling_partner import RateLimitExceededError  # type: ignore[import-not-found,unused-ignore]

    orders = _orders(place)
    token: str | None = None
    while True:
        page: Any = patiently(
            lambda: orders.list_orders(**_query(place), pagination_token=token),  # noqa: B023
            RateLimitExceededError,
            SEARCH_ORDERS[0],
        )
        for order in page.orders:
            tally.order(order.order_id, len(order.order_items))
        token = page.pagination.next_token if page.pagination else None
        if not token:
            return
