# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the load is held against: raw COPY, which guards nothing, and the loop that a playbook would grow.

Both begin with the same ``Order`` objects and end with the same rows in the same tables.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Order

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ORDER = (
    *("externalOrderId", "orderRef", "marketplaceId", "orderDate", "totalAmount", "currency", "amountBasis"),
    *("orderStatus", "fulfillmentChannel", "lastUpdatedAt"),
)
ITEM = (
    *("externalItemId", "sku", "asin", "title", "quantityOrdered", "quantityFulfilled", "unitPrice", "lineTotal"),
    *("currency", "lineStatus"),
)
ORDER_TABLE = ("tenantId", *ORDER)
ITEM_TABLE = ("tenantId", "externalOrderId", *ITEM)


def copy(connection: Connection, tenant: str, orders: Sequence[Order]) -> None:
    """COPY in PostgreSQL's text format, orders then lines, in one transaction."""
    order_of, item_of = attrgetter(*ORDER), attrgetter(*ITEM)
    with connection, connection.cursor() as cursor:
        _copy(cursor, "orders", ORDER_TABLE, ((tenant, *order_of(order)) for order in orders))
        lines = ((tenant, order.externalOrderId, *item_of(item)) for order in orders for item in order.items)
        _copy(cursor, "order_items", ITEM_TABLE, lines)


def row_by_row(connection: Connection, tenant: str, orders: Sequence[Order], page: int = 100) -> None:
    """One INSERT ... ON CONFLICT DO UPDATE a row, one transaction a page; no guard, and no outcome."""
    order_of, item_of = attrgetter(*ORDER), attrgetter(*ITEM)
    insert_order = _upsert("orders", ORDER_TABLE, 2)
    insert_item = _upsert("order_items", ITEM_TABLE, 3)
    for start in range(0, len(orders), page):
        with connection, connection.cursor() as cursor:
            for order in orders[start : start + page]:
                cursor.execute(insert_order, (tenant, *order_of(order)))
                for item in order.items:
                    cursor.execute(insert_item, (tenant, order.externalOrderId, *item_of(item)))


def _copy(cursor: Any, table: str, names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    text = "".join(["\t".join([_field(value) for value in row]) + "\n" for row in rows])
    columns = ", ".join(f'"{name}"' for name in names)
    cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", io.StringIO(text))


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    text = str(value)
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text


def _upsert(table: str, names: Sequence[str], key: int) -> str:
    quoted = [f'"{name}"' for name in names]
    return (
        f"INSERT INTO {table} ({', '.join(quoted)}) VALUES ({', '.join(['%s'] * len(names))})"
        f" ON CONFLICT ({', '.join(quoted[:key])}) DO UPDATE"
        f' SET {", ".join(f"{name} = excluded.{name}" for name in quoted[key:])}, "updatedAt" = now()'
    )
