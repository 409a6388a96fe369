# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Orders as the product stores them, made from Amazon's Orders API 2026-01-01.

Only the fields named here are read. Buyer, recipient, gift message, customization, cancellation text and tax
registrations are never looked at, so they cannot be stored by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import fields

# What an order's amount is made of. They are not comparable with each other.
GRAND_TOTAL = "GRAND_TOTAL"
"""``proceeds.grandTotal`` of the Orders API 2026-01-01: what the seller receives."""
ORDER_TOTAL = "ORDER_TOTAL"
"""``OrderTotal`` of the Orders API v0."""
REPORT_COMPONENTS = "REPORT_COMPONENTS"
"""The sum of all price components (goods, shipping, tax, ...) of the lines of an order in a report."""
ACTIVE, CANCELLED, CANCELLED_ZERO_QUANTITY = "ACTIVE", "CANCELLED", "CANCELLED_ZERO_QUANTITY"


@dataclass(frozen=True)
class Item:
    """One line of an order; the names are those of the product's columns."""

    externalItemId: str
    sku: str | None
    asin: str | None
    title: str | None
    quantityOrdered: int
    quantityFulfilled: int | None
    unitPrice: Decimal | None
    lineTotal: Decimal | None
    currency: str | None
    lineStatus: str

    def row(self) -> dict[str, Any]:
        """The line as a mapping of columns."""
        return asdict(self)


@dataclass(frozen=True)
class Order:
    """One order with its lines. Times are aware and in UTC; money is exact or ``None`` where Amazon gives none."""

    externalOrderId: str
    orderRef: str
    marketplaceId: str
    orderDate: datetime
    totalAmount: Decimal | None
    currency: str | None
    amountBasis: str | None
    orderStatus: str
    fulfillmentChannel: str | None
    lastUpdatedAt: datetime
    items: tuple[Item, ...]

    def row(self) -> dict[str, Any]:
        """The order as a mapping of columns, without its lines."""
        return {name: value for name, value in vars(self).items() if name != "items"}


@dataclass(frozen=True)
class Rejected:
    """A row that cannot be stored, with no content of it: which order, which field, what is wrong with it.

    :param order_id: Amazon's order id, or empty when even that is missing.
    :param reason: ``missing``, ``wrong_type``, ``wrong_value``, ``unstorable_character`` or ``conflicting_items``.
    :param lines: number of lines that are rejected with it.
    """

    order_id: str
    reason: str
    field: str
    lines: int


def parse_order(raw: object, where: str) -> Order | Rejected:
    """Normalise one element of ``orders``. ``where`` (``page 3 row 17``) names it when it has no usable id."""
    order_id, lines = "", 0
    try:
        order = fields.mapping(raw, "order")
        order_id = fields.text(order, "orderId")
        lines = len(order["orderItems"]) if isinstance(order.get("orderItems"), list) else 0
        return _order(order, order_id)
    except fields.Unusable as error:
        field = error.field if order_id else f"{where}: {error.field}"
        return Rejected(order_id, error.reason, field, lines)


def _order(order: Mapping[str, Any], order_id: str) -> Order:
    fulfillment = fields.mapping(order.get("fulfillment"), "fulfillment")
    channel = fields.mapping(order.get("salesChannel"), "salesChannel")
    raw_items = order.get("orderItems")
    if not isinstance(raw_items, list):
        raise fields.Unusable("missing" if raw_items is None else "wrong_type", "orderItems")
    items: dict[str, Item] = {}
    for raw_item in raw_items:
        item = _item(fields.mapping(raw_item, "orderItems"))
        known = items.setdefault(item.externalItemId, item)
        if known != item:
            raise fields.Unusable("conflicting_items", "orderItems.orderItemId")
    total, currency = fields.money(fields.optional(order, "proceeds"), "grandTotal", "proceeds.grandTotal")
    return Order(
        externalOrderId=order_id,
        orderRef=reference(order_id),
        marketplaceId=fields.text(channel, "marketplaceId", "salesChannel.marketplaceId"),
        orderDate=fields.moment(order, "createdTime"),
        totalAmount=total,
        currency=currency,
        amountBasis=GRAND_TOTAL if total is not None else None,
        orderStatus=fields.text(fulfillment, "fulfillmentStatus", "fulfillment.fulfillmentStatus").upper(),
        fulfillmentChannel=(fields.maybe_text(fulfillment, "fulfilledBy", "fulfillment.fulfilledBy") or "").upper()
        or None,
        lastUpdatedAt=fields.moment(order, "lastUpdatedTime"),
        items=tuple(items.values()),
    )


def _item(raw: Mapping[str, Any]) -> Item:
    product = fields.mapping(raw.get("product"), "orderItems.product")
    quantity = fields.quantity(raw.get("quantityOrdered"), "orderItems.quantityOrdered")
    if quantity is None:
        raise fields.Unusable("missing", "orderItems.quantityOrdered")
    unit, unit_currency = fields.money(
        fields.optional(product, "price"), "unitPrice", "orderItems.product.price.unitPrice"
    )
    line, line_currency = fields.money(_item_subtotal(raw), "subtotal", "orderItems.proceeds.breakdowns.subtotal")
    return Item(
        externalItemId=fields.text(raw, "orderItemId", "orderItems.orderItemId"),
        sku=fields.maybe_text(product, "sellerSku", "orderItems.product.sellerSku"),
        asin=fields.maybe_text(product, "asin", "orderItems.product.asin"),
        title=fields.maybe_text(product, "title", "orderItems.product.title"),
        quantityOrdered=quantity,
        quantityFulfilled=fields.quantity(
            fields.optional(raw, "fulfillment").get("quantityFulfilled"), "orderItems.fulfillment.quantityFulfilled"
        ),
        unitPrice=unit,
        lineTotal=line,
        currency=line_currency or unit_currency,
        lineStatus=_line_status(raw, quantity),
    )


def reference(order_id: str) -> str:
    """What the product shows for an order: ``#`` and the last six digits of Amazon's id."""
    return "#" + "".join(character for character in order_id if character.isalnum())[-6:]


def _line_status(item: Mapping[str, Any], quantity: int) -> str:
    # Amazon keeps a cancelled line and sets its quantity to 0; the word for it is ours.
    if quantity == 0:
        return CANCELLED_ZERO_QUANTITY
    return CANCELLED if fields.optional(fields.optional(item, "cancellation"), "cancellationExecution") else ACTIVE


def _item_subtotal(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The breakdown of type ITEM: the line's goods, without shipping, gift wrap and separately reported tax."""
    breakdowns = fields.optional(item, "proceeds").get("breakdowns")
    for part in breakdowns if isinstance(breakdowns, list) else ():
        if isinstance(part, dict) and part.get("type") == "ITEM":
            return part
    return {}
