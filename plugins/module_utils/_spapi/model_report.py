# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Orders as the product stores them, made from one order of an all-orders report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import fields
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.marketplaces import by_sales_channel
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import (
    ACTIVE,
    CANCELLED,
    CANCELLED_ZERO_QUANTITY,
    REPORT_COMPONENTS,
    Item,
    Order,
    Rejected,
    reference,
)

GOODS = "Principal"
"""The component that is a line's goods, without shipping, gift wrap and tax."""
# A report's own words ("Shipped - Delivered to Buyer", "Cancelled", "PartiallyShipped") by how they begin.
_STATUS = (
    ("partiallyshipped", "PARTIALLY_SHIPPED"),
    ("shipped", "SHIPPED"),
    ("pendingavailability", "PENDING_AVAILABILITY"),
    ("pending", "PENDING"),
    ("cancel", "CANCELLED"),
    ("unshipped", "UNSHIPPED"),
    ("unfulfillable", "UNFULFILLABLE"),
)


def elsewhere(raw: Mapping[str, Any], marketplace_id: str) -> bool:
    """Whether an order is of another marketplace: some reports answer for the whole region."""
    channel = by_sales_channel(str(raw.get("SalesChannel") or ""))
    return channel is not None and channel != marketplace_id


def parse_report_order(raw: Mapping[str, Any], marketplace_id: str, where: str) -> Order | Rejected:
    """Normalise one order of :func:`raw_orders`. ``where`` names it when it has no usable id."""
    order_id = ""
    try:
        order_id = fields.text(raw, "AmazonOrderID")
        return _order(raw, order_id, marketplace_id)
    except fields.Unusable as error:
        field = error.field if order_id else f"{where}: {error.field}"
        return Rejected(order_id, error.reason, field, len(raw["items"]))


def _order(raw: Mapping[str, Any], order_id: str, marketplace_id: str) -> Order:
    items: dict[str, Item] = {}
    parts: list[tuple[str | None, str | None, str | None]] = []
    for raw_item in raw["items"]:
        item = _item(raw_item)
        if item.externalItemId not in items:
            parts += raw_item["components"]
        if items.setdefault(item.externalItemId, item) != item:
            raise fields.Unusable("conflicting_items", "OrderItem.AmazonOrderItemCode")
    total, currency = _sum(parts)
    return Order(
        externalOrderId=order_id,
        orderRef=reference(order_id),
        marketplaceId=marketplace_id,
        orderDate=fields.moment(raw, "PurchaseDate"),
        totalAmount=total,
        currency=currency,
        amountBasis=REPORT_COMPONENTS if total is not None else None,
        orderStatus=_status(fields.text(raw, "OrderStatus")),
        fulfillmentChannel=(fields.maybe_text(raw, "FulfillmentChannel", "FulfillmentChannel") or "").upper() or None,
        lastUpdatedAt=fields.moment(raw, "LastUpdatedDate"),
        items=tuple(items.values()),
    )


def _item(raw: Mapping[str, Any]) -> Item:
    quantity = _quantity(fields.text(raw, "Quantity", "OrderItem.Quantity"))
    goods, currency = _sum([part for part in raw["components"] if part[0] == GOODS])
    return Item(
        externalItemId=fields.text(raw, "AmazonOrderItemCode", "OrderItem.AmazonOrderItemCode"),
        sku=fields.maybe_text(raw, "SKU", "OrderItem.SKU"),
        asin=fields.maybe_text(raw, "ASIN", "OrderItem.ASIN"),
        title=fields.maybe_text(raw, "ProductName", "OrderItem.ProductName"),
        quantityOrdered=quantity,
        quantityFulfilled=None,
        unitPrice=None,
        lineTotal=goods,
        currency=currency,
        lineStatus=_line_status(raw, quantity),
    )


def _line_status(raw: Mapping[str, Any], quantity: int) -> str:
    if quantity == 0:
        return CANCELLED_ZERO_QUANTITY
    return CANCELLED if str(raw.get("ItemStatus", "")).lower().startswith("cancel") else ACTIVE


def _quantity(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise fields.Unusable("wrong_value", "OrderItem.Quantity")
    return fields.quantity(int(text), "OrderItem.Quantity") or 0


def _status(word: str) -> str:
    letters = re.sub(r"[^a-z]", "", word.lower())
    known = next((status for start, status in _STATUS if letters.startswith(start)), None)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).upper()
    return known or re.sub(r"[^A-Z0-9]+", "_", words).strip("_") or words


def _sum(parts: Sequence[tuple[str | None, str | None, str | None]]) -> tuple[Decimal | None, str | None]:
    """Their sum and its currency; nothing of nothing, and never a sum of two currencies."""
    total, currency = None, None
    for _kind, amount, unit in parts:
        number = fields.amount(amount, "OrderItem.ItemPrice.Component.Amount")
        if not unit or currency not in {None, unit}:
            raise fields.Unusable(
                "missing" if not unit else "wrong_value", "OrderItem.ItemPrice.Component.Amount.currency"
            )
        total, currency = number if total is None else total + number, unit
    return total, currency
