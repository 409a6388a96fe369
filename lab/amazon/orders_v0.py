# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders API v0: getOrders, getOrder and getOrderItems, made from the same orders as 2026-01-01.

What needs a restricted data token (buyer, shipping address) is never there.
"""

from __future__ import annotations

import re
from typing import Any

from lab.amazon.answers import Answer, Refused, invalid_input, json_answer
from lab.amazon.books import Order, TimeField
from lab.amazon.calls import Call, check_marketplaces, listed, moment, page_size, window
from lab.amazon.clock import iso, parse_iso
from lab.amazon.pages import PageToken
from lab.amazon.world import World

STATUS_WORDS = {
    "PENDING_AVAILABILITY": "PendingAvailability",
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
    "UNFULFILLABLE": "Unfulfillable",
}
CHANNEL_WORDS = {"AMAZON": "AFN", "MERCHANT": "MFN"}
ORDER_ID = re.compile(r"\d{3}-\d{7}-\d{7}")
FILTERS = (
    "CreatedAfter",
    "CreatedBefore",
    "LastUpdatedAfter",
    "LastUpdatedBefore",
    "OrderStatuses",
    "MarketplaceIds",
    "FulfillmentChannels",
    "AmazonOrderIds",
)
REPEATED_ROWS = 2


def money(amount: dict[str, str]) -> dict[str, str]:
    """v0 writes the same money with other names."""
    return {"CurrencyCode": amount["currencyCode"], "Amount": amount["amount"]}


def order_v0(order: Order) -> dict[str, Any]:
    """An order in v0's words; without a total where 2026-01-01 has none."""
    fulfillment = order["fulfillment"]
    pending = fulfillment["fulfillmentStatus"] in ("PENDING", "PENDING_AVAILABILITY")
    shipped = sum(item["fulfillment"]["quantityFulfilled"] for item in order["orderItems"])
    open_units = sum(item["fulfillment"]["quantityUnfulfilled"] for item in order["orderItems"])
    document: dict[str, Any] = {
        "AmazonOrderId": order["orderId"],
        "PurchaseDate": order["createdTime"],
        # v0 writes whole seconds, as Amazon's sandbox shows them.
        "LastUpdateDate": iso(parse_iso(order["lastUpdatedTime"])),
        "OrderStatus": STATUS_WORDS[fulfillment["fulfillmentStatus"]],
        "FulfillmentChannel": CHANNEL_WORDS[fulfillment["fulfilledBy"]],
        "NumberOfItemsShipped": shipped,
        # Amazon's sandbox: 0 and 0 for a pending order.
        "NumberOfItemsUnshipped": 0 if pending else open_units,
        "PaymentMethod": "Other",
        "PaymentMethodDetails": ["Standard"],
        "MarketplaceId": order["salesChannel"]["marketplaceId"],
        "OrderType": "StandardOrder",
        "IsBusinessOrder": "AMAZON_BUSINESS" in order.get("programs", []),
        "IsPrime": "PRIME" in order.get("programs", []),
        "IsReplacementOrder": False,
    }
    if not pending:
        document["SalesChannel"] = order["salesChannel"]["marketplaceName"]
    total = order.get("proceeds", {}).get("grandTotal")
    if total and not pending:
        document["OrderTotal"] = money(total)
    return document


def item_v0(order: Order, item: dict[str, Any]) -> dict[str, Any]:
    """A line in v0's words; ItemPrice is the line's total, and a pending order has no prices at all."""
    product = item["product"]
    document: dict[str, Any] = {
        "ASIN": product["asin"],
        "SellerSKU": product["sellerSku"],
        "OrderItemId": item["orderItemId"],
        "Title": product["title"],
        "QuantityOrdered": item["quantityOrdered"],
        "QuantityShipped": item["fulfillment"]["quantityFulfilled"],
        "ProductInfo": {"NumberOfItems": "1"},
        "ConditionId": "New",
        "ConditionSubtypeId": "New",
    }
    if order["fulfillment"]["fulfillmentStatus"] in ("PENDING", "PENDING_AVAILABILITY"):
        return document
    document["IsGift"] = "true" if "packing" in item["fulfillment"] else "false"
    for breakdown in item.get("proceeds", {}).get("breakdowns", []):
        name = {"ITEM": "ItemPrice", "SHIPPING": "ShippingPrice"}.get(breakdown["type"])
        if name:
            document[name] = money(breakdown["subtotal"])
    return document


def _time_family(query: dict[str, str]) -> tuple[TimeField, str, str]:
    if "CreatedAfter" in query:
        if "LastUpdatedAfter" in query or "LastUpdatedBefore" in query:
            raise invalid_input("LastUpdatedAfter and LastUpdatedBefore cannot be set when CreatedAfter is set.")
        return "createdTime", "CreatedAfter", "CreatedBefore"
    if "LastUpdatedAfter" in query:
        if "CreatedBefore" in query:
            raise invalid_input("CreatedBefore cannot be set when LastUpdatedAfter is set.")
        return "lastUpdatedTime", "LastUpdatedAfter", "LastUpdatedBefore"
    raise invalid_input("Either the CreatedAfter parameter or the LastUpdatedAfter parameter is required.")


def get_orders(world: World, call: Call) -> Answer:
    """One page of orders without their items, oldest first."""
    if not call.query.get("MarketplaceIds"):
        raise invalid_input("Missing required parameter MarketplaceIds.")
    size = page_size(call, "MaxResultsPerPage")
    token = None
    query = {name: value for name, value in call.query.items() if name in FILTERS}
    if "NextToken" in call.query:
        token = world.seal.open(call.query["NextToken"])
        if token is None or (token.operation, token.seller_id) != (call.operation, call.seller.seller_id):
            raise invalid_input("The NextToken you have submitted is not valid.")
        # The filters of the first page stay in force, whatever comes with the token.
        query = token.query
    call = Call(call.operation, call.seller, query, call.path, call.fault)

    ids = listed(call, "AmazonOrderIds", most=50)
    statuses = listed(call, "OrderStatuses", allowed=frozenset(STATUS_WORDS.values()))
    channels = listed(call, "FulfillmentChannels", allowed=frozenset(CHANNEL_WORDS.values()))
    marketplaces = listed(call, "MarketplaceIds", most=50)
    check_marketplaces(world, call, marketplaces)
    if ids:
        return _by_ids(world, call, ids)

    field, after_name, before_name = _time_family(query)
    after = moment(call, after_name)
    if after is None:
        raise invalid_input(f"Parameter {after_name} is missing.")
    after, before = window(world, after, parse_iso(token.before) if token else moment(call, before_name))

    def wanted(order: Order) -> bool:
        fulfillment = order["fulfillment"]
        return (
            (not statuses or STATUS_WORDS[fulfillment["fulfillmentStatus"]] in statuses)
            and (not channels or CHANNEL_WORDS[fulfillment["fulfilledBy"]] in channels)
            and order["salesChannel"].get("marketplaceId") in marketplaces
        )

    start = token.start if token else None
    rewind = REPEATED_ROWS if call.fault == "duplicate-rows" else 0
    page = world.books[call.seller.tenant].page(
        field, after, before, wanted=wanted, size=size, start=start, rewind=rewind
    )
    rows = page.rows + page.rows[:REPEATED_ROWS] if rewind and start is None else page.rows
    payload: dict[str, Any] = {"Orders": [order_v0(order) for order in rows], before_name: iso(before)}
    following = start if call.fault == "repeated-page" else page.following
    if following or call.fault == "repeated-page":
        payload["NextToken"] = world.seal.close(
            PageToken(
                call.operation,
                call.seller.seller_id,
                query,
                before.isoformat(),
                following,
                token.issued if token and call.fault == "repeated-page" else world.clock.timestamp(),
            )
        )
    return json_answer({"payload": payload}, rows=len(rows))


def _by_ids(world: World, call: Call, ids: list[str]) -> Answer:
    for order_id in ids:
        if not ORDER_ID.fullmatch(order_id):
            raise invalid_input(f"{order_id} is not an Amazon order id.")
    found = [order for order in map(world.books[call.seller.tenant].get, ids) if order]
    return json_answer({"payload": {"Orders": [order_v0(order) for order in found]}}, rows=len(found))


def _order(world: World, call: Call) -> Order:
    order_id = call.path["orderId"]
    if not ORDER_ID.fullmatch(order_id):
        raise invalid_input(f"{order_id} is not an Amazon order id.")
    order = world.books[call.seller.tenant].get(order_id)
    if order is None:
        raise Refused(404, "NotFound", f"Order {order_id} was not found.")
    return order


def get_order(world: World, call: Call) -> Answer:
    """One order without its items."""
    return json_answer({"payload": order_v0(_order(world, call))}, rows=1)


def get_order_items(world: World, call: Call) -> Answer:
    """The lines of one order, all on one page."""
    order = _order(world, call)
    items = [item_v0(order, item) for item in order["orderItems"]]
    return json_answer({"payload": {"AmazonOrderId": order["orderId"], "OrderItems": items}}, rows=len(items))
