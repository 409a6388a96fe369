# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The All Orders reports: what one order becomes in XML, and which lines it is in the flat file.

Statuses are in the report's own words, times ISO 8601 with ``+00:00`` and whole seconds. City and postal code
carry the generator's canary: an import must leave them behind.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lab.amazon.books import Order
from lab.amazon.generator import UNPRICED

# Developer documentation, order-tracking-reports-attributes; the twin by last update has no cpf.
FLAT_COLUMNS = (
    "amazon-order-id",
    "merchant-order-id",
    "purchase-date",
    "last-updated-date",
    "order-status",
    "fulfillment-channel",
    "sales-channel",
    "order-channel",
    "ship-service-level",
    "product-name",
    "sku",
    "asin",
    "item-status",
    "quantity",
    "currency",
    "item-price",
    "item-tax",
    "shipping-price",
    "shipping-tax",
    "gift-wrap-price",
    "gift-wrap-tax",
    "item-promotion-discount",
    "ship-promotion-discount",
    "ship-city",
    "ship-state",
    "ship-postal-code",
    "ship-country",
    "promotion-ids",
    "cpf",
    "is-business-order",
    "purchase-order-number",
    "price-designation",
)
CHANNELS = {"AMAZON": "Amazon", "MERCHANT": "Merchant"}
SERVICE_LEVELS = {"SECOND_DAY": "SecondDay", "STANDARD": "Standard"}
WORDS = {
    "PENDING_AVAILABILITY": "PendingAvailability",
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Cancelled",
    "UNFULFILLABLE": "Unfulfillable",
}
# Words that only some orders have, seen in reports of several sellers: by a number drawn from the first SKU.
LONGER_WORDS = {
    ("SHIPPED", 0): "Shipped - Delivered to Buyer",
    ("SHIPPED", 1): "Shipped - Returned to Seller",
    ("PENDING", 0): "Pending - Waiting for Pick Up",
}


def order_status(order: Order) -> str:
    """The report's word for an order's status; the same for every document the order is in."""
    status = order["fulfillment"]["fulfillmentStatus"]
    drawn = zlib.crc32(order["orderItems"][0]["product"]["sellerSku"].encode()) % 4 if order["orderItems"] else 3
    return LONGER_WORDS.get((status, drawn)) or WORDS.get(status, status)


def item_status(order: Order, item: dict[str, Any]) -> str:
    """The report's word for one line."""
    status = order["fulfillment"]["fulfillmentStatus"]
    if status == "CANCELLED" or not item["quantityOrdered"]:
        return "Cancelled"
    if status == "PARTIALLY_SHIPPED":
        return "Shipped" if item["fulfillment"]["quantityFulfilled"] else "Unshipped"
    return WORDS.get(str(status), str(status))


def amounts(order: Order, item: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The line's money by 2026-01-01's breakdown type; none for a pending order and for quantity 0."""
    if order["fulfillment"]["fulfillmentStatus"] in UNPRICED or not item["quantityOrdered"]:
        return {}
    return {part["type"]: part["subtotal"] for part in item.get("proceeds", {}).get("breakdowns", [])}


def _time(text: str) -> str:
    return text[:19] + "+00:00"


def _merchant_order_id(order: Order) -> str:
    aliases = [one["aliasId"] for one in order.get("orderAliases", []) if one["aliasType"] == "SELLER_ORDER_ID"]
    return str(aliases[0] if aliases else order["orderId"])


def _item_xml(order: Order, item: dict[str, Any]) -> str:
    product = item["product"]
    components = "".join(
        f"<Component><Type>{name}</Type><Amount currency={quoteattr(money['currencyCode'])}>{money['amount']}</Amount>"
        "</Component>\n"
        for kind, name in (("ITEM", "Principal"), ("SHIPPING", "Shipping"))
        if (money := amounts(order, item).get(kind))
    )
    return (
        f"<OrderItem>\n<AmazonOrderItemCode>{item['orderItemId']}</AmazonOrderItemCode>\n"
        f"<ASIN>{escape(product['asin'])}</ASIN>\n<SKU>{escape(product['sellerSku'])}</SKU>\n"
        f"<ItemStatus>{item_status(order, item)}</ItemStatus>\n"
        f"<ProductName>{escape(product['title'])}</ProductName>\n<Quantity>{item['quantityOrdered']}</Quantity>\n"
        + (f"<ItemPrice>\n{components}</ItemPrice>\n" if components else "")
        + "</OrderItem>\n"
    )


def _xml(order: Order, element: str) -> str:
    fulfillment = order["fulfillment"]
    address = order["recipient"]["deliveryAddress"]
    level = fulfillment.get("fulfillmentServiceLevel", "")
    business = "true" if "AMAZON_BUSINESS" in order.get("programs", []) else "false"
    return (
        f"<Message>\n<{element}>\n<AmazonOrderID>{order['orderId']}</AmazonOrderID>\n"
        f"<MerchantOrderID>{_merchant_order_id(order)}</MerchantOrderID>\n"
        f"<PurchaseDate>{_time(order['createdTime'])}</PurchaseDate>\n"
        f"<LastUpdatedDate>{_time(order['lastUpdatedTime'])}</LastUpdatedDate>\n"
        f"<OrderStatus>{order_status(order)}</OrderStatus>\n"
        f"<SalesChannel>{order['salesChannel']['marketplaceName']}</SalesChannel>\n"
        f"<FulfillmentData>\n<FulfillmentChannel>{CHANNELS[fulfillment['fulfilledBy']]}</FulfillmentChannel>\n"
        f"<ShipServiceLevel>{SERVICE_LEVELS.get(level, level)}</ShipServiceLevel>\n"
        f"<Address>\n<City>{escape(address['city'])}</City>\n<State>Île-de-France</State>\n"
        f"<PostalCode>{escape(address['postalCode'])}</PostalCode>\n<Country>{address['countryCode']}</Country>\n"
        f"</Address>\n</FulfillmentData>\n<IsBusinessOrder>{business}</IsBusinessOrder>\n"
        + "".join(_item_xml(order, item) for item in order["orderItems"])
        + f"</{element}>\n</Message>\n"
    )


def order_xml(order: Order) -> str:
    """The message of one order."""
    return _xml(order, "Order")


def order_report_xml(order: Order) -> str:
    """The same with the element that Airbyte's decoder knows: which one Amazon sends is not confirmed."""
    return _xml(order, "OrderReport")


def _flat(order: Order, columns: tuple[str, ...]) -> str:
    address = order["recipient"]["deliveryAddress"]
    fulfillment = order["fulfillment"]
    level = fulfillment.get("fulfillmentServiceLevel", "")
    common = {
        "amazon-order-id": order["orderId"],
        "merchant-order-id": _merchant_order_id(order),
        "purchase-date": _time(order["createdTime"]),
        "last-updated-date": _time(order["lastUpdatedTime"]),
        "order-status": order_status(order),
        "fulfillment-channel": CHANNELS[fulfillment["fulfilledBy"]],
        "sales-channel": order["salesChannel"]["marketplaceName"],
        "ship-service-level": SERVICE_LEVELS.get(level, level),
        "ship-city": address["city"],
        "ship-state": "Île-de-France",
        "ship-postal-code": address["postalCode"],
        "ship-country": address["countryCode"],
        "is-business-order": "true" if "AMAZON_BUSINESS" in order.get("programs", []) else "false",
    }
    lines = []
    for item in order["orderItems"]:
        money = amounts(order, item)
        row = {
            **common,
            "product-name": item["product"]["title"],
            "sku": item["product"]["sellerSku"],
            "asin": item["product"]["asin"],
            "item-status": item_status(order, item),
            "quantity": str(item["quantityOrdered"]),
            "currency": next((one["currencyCode"] for one in money.values()), ""),
            "item-price": money["ITEM"]["amount"] if "ITEM" in money else "",
            "shipping-price": money["SHIPPING"]["amount"] if "SHIPPING" in money else "",
        }
        lines.append("\t".join(row.get(name, "") for name in columns) + "\r\n")
    return "".join(lines)


def order_lines(order: Order) -> str:
    """The lines of one order in the flat file by order date."""
    return _flat(order, FLAT_COLUMNS)


def order_lines_without_cpf(order: Order) -> str:
    """The lines of one order in the flat file by last update."""
    return _flat(order, tuple(name for name in FLAT_COLUMNS if name != "cpf"))


@dataclass(frozen=True)
class Form:
    """How a document begins, what each order is in it, and how it ends."""

    media_type: str
    head: str
    order: Callable[[Order], str]
    tail: str


# No encoding in the declaration: the charset is told in the download's Content-Type alone.
_HEAD = (
    '<?xml version="1.0"?>\n<AmazonEnvelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:noNamespaceSchemaLocation="amzn-envelope.xsd">\n<Header>\n<DocumentVersion>1.00</DocumentVersion>\n'
    "</Header>\n<MessageType>AllOrdersReport</MessageType>\n"
)
_TAIL = "</AmazonEnvelope>\n"


def form_of(report_type: str, element: str) -> Form:
    """The form of one of the four report types; ``element`` is Order or OrderReport and matters for XML only."""
    if report_type.startswith("GET_XML_"):
        render = order_xml if element == "Order" else order_report_xml
        return Form("text/xml", _HEAD, render, _TAIL)
    by_order_date = report_type.endswith("_BY_ORDER_DATE_GENERAL")
    columns = [name for name in FLAT_COLUMNS if by_order_date or name != "cpf"]
    render = order_lines if by_order_date else order_lines_without_cpf
    return Form("text/plain", "\t".join(columns) + "\r\n", render, "")
