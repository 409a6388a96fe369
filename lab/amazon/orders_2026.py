# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders API 2026-01-01: searchOrders and getOrder."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from lab.amazon.answers import Answer, Refused, invalid_input, json_answer
from lab.amazon.books import Order, Position, Query, TimeField
from lab.amazon.calls import Call, check_marketplaces, listed, moment, page_size, window
from lab.amazon.clock import iso, parse_iso
from lab.amazon.faults import SEARCH_FAULTS
from lab.amazon.page_faults import altered, moved_order
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
    if call.fault == "expired-page-token":
        raise invalid_input(BAD_TOKEN)
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
    request = Query(field, after, before, wanted, size, start, REPEATED_ROWS if call.fault == "duplicate-rows" else 0)
    render = shown_text(tuple(sorted(data_sets)))
    if call.fault in SEARCH_FAULTS or call.fault == "duplicate-rows":
        rows, following = _faulty_rows(world, call, request)
        texts = [_dumps(row) for row in altered([shown(row, data_sets) for row in rows], call.fault)]
    else:
        texts, following = world.books[call.seller.tenant].texts(request, render)
    rest: dict[str, Any] = {}
    next_token = _following(world, call, query, before, following)
    if next_token:
        rest["pagination"] = {"nextToken": next_token}
    rest[before_name] = iso(before)
    body = f'{{"orders": [{", ".join(texts)}], {_dumps(rest)[1:]}'
    return Answer(200, body.encode(), rows=len(texts))


def _dumps(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)


@lru_cache(maxsize=256)
def shown_text(data_sets: tuple[str, ...]) -> Callable[[Order], str]:
    """The JSON of :func:`shown`; the same function for the same data sets, so that a big book keeps its templates."""
    asked = list(data_sets)
    return lambda order: _dumps(shown(order, asked))


def _faulty_rows(world: World, call: Call, request: Query) -> tuple[list[Order], Position | None]:
    book = world.books[call.seller.tenant]
    moved = moved_order(world, call, request) if call.fault == "moved-between-pages" else None
    page = book.page(
        request.field,
        request.after,
        request.before,
        wanted=request.wanted,
        size=max(1, request.size - 1) if moved else request.size,
        start=request.start,
        rewind=request.rewind,
    )
    if moved:
        return [*(row for row in page.rows if row["orderId"] != moved["orderId"]), moved], page.following
    repeated = page.rows[:REPEATED_ROWS] if request.rewind and request.start is None else []
    return page.rows + repeated, page.following


def _following(world: World, call: Call, query: dict[str, str], before: datetime, start: Position | None) -> str | None:
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
