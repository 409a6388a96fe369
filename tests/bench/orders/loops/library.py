# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python-amazon-sp-api, as its quickstart shows it, and with the kindest plain retry."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.bench.orders.bounds import GET_ORDER_ITEMS, GET_ORDERS, SEARCH_ORDERS
from tests.bench.orders.place import INCLUDED, Place, Tally, patiently


def _arguments(place: Place) -> dict[str, Any]:
    """The library's public arguments that lead it to the simulator."""
    from sp_api.auth import AccessTokenClient
    from sp_api.base.credential_provider import FromCodeCredentialProvider

    class Tokens(AccessTokenClient):  # type: ignore[misc,unused-ignore]
        host = place.host

    return {
        "marketplace": SimpleNamespace(
            endpoint=place.endpoint, marketplace_id=place.marketplace_id, region="eu-west-1"
        ),
        "credentials": {
            "refresh_token": place.refresh_token,
            "lwa_app_id": place.client_id,
            "lwa_client_secret": place.client_secret,
        },
        "credential_providers": (FromCodeCredentialProvider,),
        "auth_token_client_class": Tokens,
        "verify": place.ca_file,
    }


def _query_v0(place: Place) -> dict[str, Any]:
    return {"CreatedAfter": place.since, "CreatedBefore": place.until, "MarketplaceIds": [place.marketplace_id]}


def _query_2026(place: Place) -> dict[str, Any]:
    return {
        "createdAfter": place.since,
        "createdBefore": place.until,
        "marketplaceIds": [place.marketplace_id],
        "includedData": list(INCLUDED),
    }


def v0(place: Place, tally: Tally) -> None:
    """The quickstart's decorators in the quickstart's order, and each order's items with the same retry."""
    from sp_api.api import OrdersV0
    from sp_api.util import load_all_pages, throttle_retry

    api = OrdersV0(**_arguments(place))

    @throttle_retry()  # type: ignore[untyped-decorator,unused-ignore]
    @load_all_pages()  # type: ignore[untyped-decorator,unused-ignore]
    def load_all_orders(**query: Any) -> Any:
        return api.get_orders(**query)

    @throttle_retry()  # type: ignore[untyped-decorator,unused-ignore]
    def load_order_items(order_id: str) -> Any:
        return api.get_order_items(order_id)

    for page in load_all_orders(**_query_v0(place)):
        for order in page.payload.get("Orders", []):
            items = load_order_items(order["AmazonOrderId"])
            tally.order(order["AmazonOrderId"], len(items.payload.get("OrderItems", [])))


def v0_kind(place: Place, tally: Tally) -> None:
    """The same calls in a loop that waits for a token after each 429."""
    from sp_api.api import OrdersV0
    from sp_api.base import SellingApiRequestThrottledException as Throttled

    api = OrdersV0(**_arguments(place))
    query = _query_v0(place)
    while True:
        page: Any = patiently(lambda: api.get_orders(**query), Throttled, GET_ORDERS[0])  # noqa: B023
        for order in page.payload["Orders"]:
            order_id = order["AmazonOrderId"]
            items: Any = patiently(lambda: api.get_order_items(order_id), Throttled, GET_ORDER_ITEMS[0])  # noqa: B023
            tally.order(order_id, len(items.payload["OrderItems"]))
        if not page.next_token:
            return
        query = {"NextToken": page.next_token, "MarketplaceIds": [place.marketplace_id]}


def search(place: Place, tally: Tally) -> None:
    """The quickstart's decorators over search_orders, told the name of its page token."""
    from sp_api.api import OrdersV20260101
    from sp_api.util import load_all_pages, throttle_retry

    api = OrdersV20260101(**_arguments(place))

    @throttle_retry()  # type: ignore[untyped-decorator,unused-ignore]
    @load_all_pages(next_token_param="paginationToken")  # type: ignore[untyped-decorator,unused-ignore]
    def load_all_orders(**query: Any) -> Any:
        return api.search_orders(**query)

    for page in load_all_orders(**_query_2026(place)):
        for order in page.payload.get("orders", []):
            tally.order(order["orderId"], len(order["orderItems"]))


def search_kind(place: Place, tally: Tally) -> None:
    """search_orders page by page, waiting for a token after each 429."""
    from sp_api.api import OrdersV20260101
    from sp_api.base import SellingApiRequestThrottledException as Throttled

    api = OrdersV20260101(**_arguments(place))
    query = _query_2026(place)
    while True:
        page: Any = patiently(lambda: api.search_orders(**query), Throttled, SEARCH_ORDERS[0])
        for order in page.payload["orders"]:
            tally.order(order["orderId"], len(order["orderItems"]))
        if not page.next_token:
            return
        query["paginationToken"] = page.next_token
