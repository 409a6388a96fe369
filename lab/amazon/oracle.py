# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an import must make of Amazon's orders: written apart from the import, so that each checks the other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _item_row(tenant: str, order_id: str, item: dict[str, Any]) -> Row:
    unit = item["product"].get("price", {}).get("unitPrice")
    breakdowns = item.get("proceeds", {}).get("breakdowns", [])
    line = next((part["subtotal"] for part in breakdowns if part["type"] == "ITEM"), None)
    priced = line or unit
    return {
        "tenantId": tenant,
        "externalOrderId": order_id,
        "externalItemId": item["orderItemId"],
        "sku": item["product"].get("sellerSku"),
        "asin": item["product"].get("asin"),
        "title": item["product"].get("title"),
        "quantityOrdered": item["quantityOrdered"],
        "quantityFulfilled": item["fulfillment"].get("quantityFulfilled"),
        "unitPrice": Decimal(unit["amount"]) if unit else None,
        "lineTotal": Decimal(line["amount"]) if line else None,
        "currency": priced["currencyCode"] if priced else None,
        "lineStatus": "ACTIVE" if item["quantityOrdered"] else "CANCELLED_ZERO_QUANTITY",
    }


def _order_row(tenant: str, order: dict[str, Any]) -> Row:
    total = order.get("proceeds", {}).get("grandTotal")
    return {
        "tenantId": tenant,
        "externalOrderId": order["orderId"],
        "orderRef": "#" + order["orderId"].replace("-", "")[-6:],
        "marketplaceId": order["salesChannel"]["marketplaceId"],
        "orderDate": _moment(order["createdTime"]),
        "totalAmount": Decimal(total["amount"]) if total else None,
        "currency": total["currencyCode"] if total else None,
        "amountBasis": "GRAND_TOTAL" if total else None,
        "orderStatus": order["fulfillment"]["fulfillmentStatus"],
        "fulfillmentChannel": order["fulfillment"]["fulfilledBy"],
        "lastUpdatedAt": _moment(order["lastUpdatedTime"]),
    }


def rows_of(orders: Iterable[dict[str, Any]], tenant: str) -> tuple[list[Row], list[Row]]:
    """Rows of the tables orders and order_items, keyed by column, without createdAt and updatedAt.

    Times are aware and in UTC, money is Decimal or None; orders are sorted by id, items by order and item id.
    """
    all_orders = sorted(orders, key=lambda order: str(order["orderId"]))
    items = [_item_row(tenant, order["orderId"], item) for order in all_orders for item in order["orderItems"]]
    items.sort(key=lambda row: (row["externalOrderId"], row["externalItemId"]))
    return [_order_row(tenant, order) for order in all_orders], items
