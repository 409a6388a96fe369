# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Orders as the product stores them, made from the Orders API v0. Buyer and address are never looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import fields
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import (
    ACTIVE,
    CANCELLED_ZERO_QUANTITY,
    ORDER_TOTAL,
    Item,
    Order,
    Rejected,
    reference,
)

_CHANNELS = {"AFN": "AMAZON", "MFN": "MERCHANT"}


def parse_v0_order(raw: object, lines: Sequence[object], where: str) -> Order | Rejected:
    """Normalise one order and its lines. ``where`` names it when it has no usable id."""
    order_id = ""
    try:
        order = fields.mapping(raw, "order")
        order_id = fields.text(order, "AmazonOrderId")
        return _order(order, order_id, lines)
    except fields.Unusable as error:
        field = error.field if order_id else f"{where}: {error.field}"
        return Rejected(order_id, error.reason, field, len(lines))


def _order(order: Mapping[str, Any], order_id: str, lines: Sequence[object]) -> Order:
    items: dict[str, Item] = {}
    for raw_item in lines:
        item = _item(fields.mapping(raw_item, "OrderItems"))
        if items.setdefault(item.externalItemId, item) != item:
            raise fields.Unusable("conflicting_items", "OrderItems.OrderItemId")
    total, currency = fields.money_v0(order, "OrderTotal", "OrderTotal")
    channel = (fields.maybe_text(order, "FulfillmentChannel", "FulfillmentChannel") or "").upper()
    return Order(
        externalOrderId=order_id,
        orderRef=reference(order_id),
        marketplaceId=fields.text(order, "MarketplaceId"),
        orderDate=fields.moment(order, "PurchaseDate"),
        totalAmount=total,
        currency=currency,
        amountBasis=ORDER_TOTAL if total is not None else None,
        orderStatus=status_word(fields.text(order, "OrderStatus")),
        fulfillmentChannel=_CHANNELS.get(channel, channel) or None,
        lastUpdatedAt=fields.moment(order, "LastUpdateDate"),
        items=tuple(items.values()),
    )


def _item(raw: Mapping[str, Any]) -> Item:
    quantity = fields.quantity(raw.get("QuantityOrdered"), "OrderItems.QuantityOrdered")
    if quantity is None:
        raise fields.Unusable("missing", "OrderItems.QuantityOrdered")
    total, currency = fields.money_v0(raw, "ItemPrice", "OrderItems.ItemPrice")
    return Item(
        externalItemId=fields.text(raw, "OrderItemId", "OrderItems.OrderItemId"),
        sku=fields.maybe_text(raw, "SellerSKU", "OrderItems.SellerSKU"),
        asin=fields.maybe_text(raw, "ASIN", "OrderItems.ASIN"),
        title=fields.maybe_text(raw, "Title", "OrderItems.Title"),
        quantityOrdered=quantity,
        quantityFulfilled=fields.quantity(raw.get("QuantityShipped"), "OrderItems.QuantityShipped"),
        unitPrice=None,
        lineTotal=total,
        currency=currency,
        lineStatus=ACTIVE if quantity else CANCELLED_ZERO_QUANTITY,
    )


def status_word(word: str) -> str:
    """v0's ``PartiallyShipped`` as ``PARTIALLY_SHIPPED``, and its ``Canceled`` with two l."""
    upper = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).upper()
    return "CANCELLED" if upper == "CANCELED" else upper
