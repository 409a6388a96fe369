# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Deleting a tenant's orders that are older than they may be kept, with all their lines."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.load import Target
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.summary import moment_of

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor


def older(cursor: Cursor, orders: Target, tenant: str, before: datetime) -> int:
    """How many of a tenant's orders were created before a time."""
    cursor.execute(
        f"SELECT count(*) FROM {orders.table.quoted} AS stored WHERE {_condition(orders)}",  # noqa: S608
        {"tenant": tenant, "before": before},
    )
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def delete(
    cursor: Cursor, targets: tuple[Target, Target], tenant: str, before: datetime, *, most: int
) -> tuple[int, int]:
    """Delete up to ``most`` of them, oldest first, and their lines. Returns how many orders and lines went.

    :param targets: orders and lines.
    """
    orders, items = targets
    table, lines = orders.table, items.table
    order_id = table.own("externalOrderId")
    cursor.execute(
        f"SELECT stored.{order_id}::text FROM {table.quoted} AS stored WHERE {_condition(orders)}"  # noqa: S608
        f" ORDER BY stored.{table.own('orderDate')} LIMIT %(most)s FOR UPDATE",
        {"tenant": tenant, "before": before, "most": most},
    )
    ids = [row[0] for row in cursor.fetchall()]
    values = {"tenant": tenant, "ids": ids}
    gone = []
    # Lines first: the product's tables may have a foreign key.
    for one in (lines, table):
        cursor.execute(
            f"DELETE FROM {one.quoted} AS stored WHERE stored.{one.own('tenantId')}::text = %(tenant)s"  # noqa: S608
            f" AND stored.{one.own('externalOrderId')}::text = ANY (%(ids)s)",
            values,
        )
        gone.append(cursor.rowcount)
    return gone[1], gone[0]


def forget_rejected(cursor: Cursor, errors: Table, tenant: str, before: datetime) -> int:
    """Delete notes on rows that could not be stored which nothing has touched since. Returns how many."""
    cursor.execute(
        f'DELETE FROM {errors.quoted} WHERE "tenantId" = %s AND "lastSeenAt" < %s',  # noqa: S608
        (tenant, before),
    )
    return cursor.rowcount


def _condition(orders: Target) -> str:
    table = orders.table
    return (
        f"stored.{table.own('tenantId')}::text = %(tenant)s"
        f" AND stored.{table.own('orderDate')} < {moment_of(orders, 'before')}"
    )
