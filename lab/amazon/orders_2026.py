# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders API 2026-01-01: searchOrders and getOrder."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lab.amazon.answers import Answer, Refused, invalid_input, json_answer
from lab.amazon.books import Order, Page, TimeField
from lab.amazon.calls import Call, check_marketplaces, listed, moment, page_size, window
from lab.amazon.clock import iso, parse_iso
from lab.amazon.pages import TOKEN_SECONDS, PageToken, bound
from lab.amazon.world import World

STATUSES = frozenset(
    {"PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE"}
)
CHANNELS = frozenset({"AMAZON", "MERCHANT"})

# Which fields of an order and of its items a data set brings (Amazon's model, descriptions of includedData).
# ``product`` with its unit price and its customization is in no data set: it is always there.
ORDER_FIELDS = {
    "buyer": "BUYER",
    "recipient": "RECIPIENT",
    "proceeds": "PROCEEDS",
    "fulfillment": "FULFILLMENT",
    "packages": "PACKAGES",
    "tax": "TAX",
    "payment": "PAYMENT",
    "fulfillmentOrders": "FULFILLMENT_ORDERS",
}
ITEM_FIELDS = {
    "proceeds": "PROCEEDS",
    "expense": "EXPENSE",
    "promotion": "PROMOTION",
    "cancellation": "CANCELLATION",
    "fulfillment": "FULFILLMENT",
    "tax": "TAX",
}
DATA_SETS = frozenset(ORDER_FIELDS.values()) | frozenset(ITEM_FIELDS.values())

# Amazon's words for every page token it does not take (amzn/selling-partner-api-sdk issue 717).
BAD_TOKEN = (
    "The paginationToken you have submitted is not valid. All parameters must match the original request "  # noqa: S105
    "except maxResultsPerPage."
)
FREE_PARAMETERS = frozenset({"paginationToken", "maxResultsPerPage", "includedData"})
# Others are ignored, and python-amazon-sp-api sends some.
PARAMETERS = FREE_PARAMETERS | {
    "createdAfter",
    "createdBefore",
    "lastUpdatedAfter",
    "lastUpdatedBefore",
    "fulfillmentStatuses",
    "marketplaceIds",
    "fulfilledBy",
}
# A page that repeats rows begins this many rows early.
REPEATED_ROWS = 2


def shown(order: Order, data_sets: list[str]) -> dict[str, Any]:
    """What of an order a request sees that asked for ``data_sets``."""
    visible = {name: value for name, value in order.items() if ORDER_FIELDS.get(name) in (None, *data_sets)}
    visible["orderItems"] = [
        {name: value for name, value in item.items() if ITEM_FIELDS.get(name) in (None, *data_sets)}
        for item in order["orderItems"]
    ]
    return visible


def _family(call: Call) -> tuple[TimeField, str, str]:
    given = {name for name in ("createdAfter", "lastUpdatedAfter") if name in call.query}
    if len(given) != 1:
        raise invalid_input("Exactly one of createdAfter and lastUpdatedAfter must be provided.")
    if "createdAfter" in given:
        if "lastUpdatedBefore" in call.query:
            raise invalid_input("lastUpdatedBefore cannot be provided together with createdAfter.")
        return "createdTime", "createdAfter", "createdBefore"
    if "createdBefore" in call.query:
        raise invalid_input("createdBefore cannot be provided together with lastUpdatedAfter.")
    return "lastUpdatedTime", "lastUpdatedAfter", "lastUpdatedBefore"


def _opened(world: World, call: Call, query: dict[str, str]) -> PageToken | None:
    if "paginationToken" not in call.query:
        return None
    token = world.seal.open(call.query["paginationToken"])
    now = world.clock.timestamp()
    if (
        token is None
        or (token.operation, token.seller_id) != (call.operation, call.seller.seller_id)
        or token.query != query
        or now - token.issued > TOKEN_SECONDS
    ):
        raise invalid_input(BAD_TOKEN)
    return token


def search_orders(world: World, call: Call) -> Answer:
    """One page of orders, oldest first, with their items."""
    query = bound({name: value for name, value in call.query.items() if name in PARAMETERS}, FREE_PARAMETERS)
    token = _opened(world, call, query)
    field, after_name, before_name = _family(call)
    after = moment(call, after_name)
    if after is None:
        raise invalid_input(f"Parameter {after_name} is missing.")
    given_end = parse_iso(token.before) if token else moment(call, before_name)
    after, before = window(world, after, given_end)
    statuses = listed(call, "fulfillmentStatuses", allowed=STATUSES)
    channels = listed(call, "fulfilledBy", allowed=CHANNELS)
    marketplaces = listed(call, "marketplaceIds", most=50)
    data_sets = listed(call, "includedData", allowed=DATA_SETS)
    size = page_size(call, "maxResultsPerPage")
    check_marketplaces(world, call, marketplaces)

    def wanted(order: Order) -> bool:
        return (
            (not statuses or order["fulfillment"]["fulfillmentStatus"] in statuses)
            and (not channels or order["fulfillment"]["fulfilledBy"] in channels)
            and (not marketplaces or order["salesChannel"].get("marketplaceId") in marketplaces)
        )

    start = token.start if token else None
    rewind = REPEATED_ROWS if call.fault == "duplicate-rows" else 0
    page = world.books[call.seller.tenant].page(
        field, after, before, wanted=wanted, size=size, start=start, rewind=rewind
    )
    rows = page.rows + page.rows[:REPEATED_ROWS] if rewind and start is None else page.rows
    document: dict[str, Any] = {"orders": [shown(order, data_sets) for order in rows]}
    following = _following(world, call, query, before, page)
    if following:
        document["pagination"] = {"nextToken": following}
    document[before_name] = iso(before)
    return json_answer(document, rows=len(rows))


def _following(world: World, call: Call, query: dict[str, str], before: datetime, page: Page) -> str | None:
    start = page.following
    if call.fault == "repeated-page":
        if "paginationToken" in call.query:
            return call.query["paginationToken"]
        start = None  # the first page once more
    elif start is None:
        return None
    return world.seal.close(
        PageToken(call.operation, call.seller.seller_id, query, before.isoformat(), start, world.clock.timestamp())
    )


def get_order(world: World, call: Call) -> Answer:
    """One order by its id."""
    data_sets = listed(call, "includedData", allowed=DATA_SETS)
    order = world.books[call.seller.tenant].get(call.path["orderId"])
    if order is None:
        raise Refused(404, "NotFound", f"Order {call.path['orderId']} was not found.")
    return json_answer({"order": shown(order, data_sets)}, rows=1)
