# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an import must make of Amazon's orders: written apart from the import, so that each checks the other.

Every source is computed from the same orders (2026-01-01, every data set), by what that source says of them:
``search`` says all, ``report`` has whole seconds and a total that is a sum, ``v0`` whole seconds and line totals alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from lab.amazon.procedural import ProceduralOrders

Row = dict[str, Any]
Source = Literal["search", "report", "v0"]
# Orders that have no price yet, in the report and in v0.
PENDING = ("PENDING", "PENDING_AVAILABILITY")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _breakdown(item: dict[str, Any], kind: str) -> dict[str, str] | None:
    breakdowns = item.get("proceeds", {}).get("breakdowns", [])
    return next((part["subtotal"] for part in breakdowns if part["type"] == kind), None)


def _status(order: dict[str, Any]) -> str:
    return str(order["fulfillment"]["fulfillmentStatus"])


def _item_row(tenant: str, order: dict[str, Any], item: dict[str, Any]) -> Row:
    unit = item["product"].get("price", {}).get("unitPrice")
    line = _breakdown(item, "ITEM")
    priced = line or unit
    return {
        "tenantId": tenant,
        "externalOrderId": order["orderId"],
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
        "orderStatus": _status(order),
        "fulfillmentChannel": order["fulfillment"]["fulfilledBy"],
        "lastUpdatedAt": _moment(order["lastUpdatedTime"]),
    }


def _report_components(order: dict[str, Any], item: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The line's ItemPrice: goods and shipping; none while the order is pending and for quantity 0."""
    if _status(order) in PENDING or not item["quantityOrdered"]:
        return {}
    found = {kind: _breakdown(item, kind) for kind in ("ITEM", "SHIPPING")}
    return {kind: money for kind, money in found.items() if money}


def _report_item_row(tenant: str, order: dict[str, Any], item: dict[str, Any]) -> Row:
    principal = _report_components(order, item).get("ITEM")
    line_status = "CANCELLED" if _status(order) == "CANCELLED" else "ACTIVE"
    return {
        **_item_row(tenant, order, item),
        "quantityFulfilled": None,
        "unitPrice": None,
        "lineTotal": Decimal(principal["amount"]) if principal else None,
        "currency": principal["currencyCode"] if principal else None,
        "lineStatus": line_status if item["quantityOrdered"] else "CANCELLED_ZERO_QUANTITY",
    }


def _report_order_row(tenant: str, order: dict[str, Any]) -> Row:
    parts = [money for item in order["orderItems"] for money in _report_components(order, item).values()]
    row = _order_row(tenant, order)
    return {
        **row,
        "orderDate": row["orderDate"].replace(microsecond=0),
        "lastUpdatedAt": row["lastUpdatedAt"].replace(microsecond=0),
        "totalAmount": sum((Decimal(money["amount"]) for money in parts), Decimal(0)) if parts else None,
        "currency": parts[0]["currencyCode"] if parts else None,
        "amountBasis": "REPORT_COMPONENTS" if parts else None,
    }


def _v0_item_row(tenant: str, order: dict[str, Any], item: dict[str, Any]) -> Row:
    price = None if _status(order) in PENDING else _breakdown(item, "ITEM")
    return {
        **_item_row(tenant, order, item),
        "unitPrice": None,
        "lineTotal": Decimal(price["amount"]) if price else None,
        "currency": price["currencyCode"] if price else None,
    }


def _v0_order_row(tenant: str, order: dict[str, Any]) -> Row:
    row = _order_row(tenant, order)
    row["lastUpdatedAt"] = row["lastUpdatedAt"].replace(microsecond=0)
    if _status(order) in PENDING or row["totalAmount"] is None:
        return {**row, "totalAmount": None, "currency": None, "amountBasis": None}
    return {**row, "amountBasis": "ORDER_TOTAL"}


_ROWS = {
    "search": (_order_row, _item_row),
    "report": (_report_order_row, _report_item_row),
    "v0": (_v0_order_row, _v0_item_row),
}


def rows_of(orders: Iterable[dict[str, Any]], tenant: str, source: Source = "search") -> tuple[list[Row], list[Row]]:
    """Rows of the tables orders and order_items, keyed by column, without createdAt and updatedAt.

    Times are aware and in UTC, money is Decimal or None; orders are sorted by id, items by order and item id.
    """
    order_row, item_row = _ROWS[source]
    all_orders = sorted(orders, key=lambda order: str(order["orderId"]))
    items = [item_row(tenant, order, item) for order in all_orders for item in order["orderItems"]]
    items.sort(key=lambda row: (row["externalOrderId"], row["externalItemId"]))
    return [order_row(tenant, order) for order in all_orders], items


def procedural_rows(
    made: ProceduralOrders, tenant: str, source: Source = "search", *, chunk: int = 1000
) -> Iterator[tuple[list[Row], list[Row]]]:
    """The same of a procedural book, ``chunk`` orders at a time; put together they are sorted as above.

    ``made`` is ``ProceduralOrders.between`` with the arguments of ``Control.generate_orders``.
    """
    for first in range(0, made.count, chunk):
        yield rows_of(made.orders(first, first + chunk), tenant, source)
