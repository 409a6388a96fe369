# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon's own SDK amzn-sp-api in a plain loop, which is all it has, and with the kindest plain retry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.bench.orders.bounds import GET_ORDER_ITEMS, GET_ORDERS, SEARCH_ORDERS
from tests.bench.orders.place import INCLUDED, Place, Tally, patiently

Ask = Callable[[Callable[[], Any], float], Any]


def _client(place: Place) -> Any:
    from spapi import Configuration, SPAPIClient
    from spapi.auth.credentials import SPAPIConfig

    trusting = Configuration()
    trusting.ssl_ca_cert = place.ca_file
    Configuration.set_default(trusting)
    credentials = SPAPIConfig(place.client_id, place.client_secret, place.refresh_token, region="EU")
    return SPAPIClient(credentials, oauth_endpoint=place.lwa_url, endpoint=place.endpoint).api_client


def _at_once(call: Callable[[], Any], _rate: float) -> Any:
    return call()


def _kindly(call: Callable[[], Any], rate: float) -> Any:
    from spapi.rest import ApiException

    return patiently(call, ApiException, rate, status=429)


def _v0(place: Place, tally: Tally, ask: Ask) -> None:
    from spapi.api.orders_v0.orders_v0_api import OrdersV0Api

    api = OrdersV0Api(_client(place))
    query: dict[str, Any] = {"created_after": place.since, "created_before": place.until}
    while True:
        payload = ask(lambda: api.get_orders([place.marketplace_id], **query), GET_ORDERS[0]).payload  # noqa: B023
        for order in payload.orders:
            order_id = order.amazon_order_id
            items = ask(lambda: api.get_order_items(order_id), GET_ORDER_ITEMS[0]).payload  # noqa: B023
            tally.order(order_id, len(items.order_items))
        if not payload.next_token:
            return
        query = {"next_token": payload.next_token}


def _search(place: Place, tally: Tally, ask: Ask) -> None:
    from spapi.api.orders_v2026_01_01.search_orders_api import SearchOrdersApi

    api = SearchOrdersApi(_client(place))
    query: dict[str, Any] = {
        "created_after": datetime.fromisoformat(place.since),
        "created_before": datetime.fromisoformat(place.until),
        "marketplace_ids": [place.marketplace_id],
        "included_data": list(INCLUDED),
    }
    while True:
        page = ask(lambda: api.search_orders(**query), SEARCH_ORDERS[0])
        for order in page.orders:
            tally.order(order.order_id, len(order.order_items))
        if not page.pagination:
            return
        query["pagination_token"] = page.pagination.next_token


def v0(place: Place, tally: Tally) -> None:
    """getOrders and one getOrderItems an order; the first 429 ends it."""
    _v0(place, tally, _at_once)


def v0_kind(place: Place, tally: Tally) -> None:
    """The same, waiting for a token after each 429."""
    _v0(place, tally, _kindly)


def search(place: Place, tally: Tally) -> None:
    """searchOrders page by page; the first 429 ends it."""
    _search(place, tally, _at_once)


def search_kind(place: Place, tally: Tally) -> None:
    """The same, waiting for a token after each 429."""
    _search(place, tally, _kindly)
