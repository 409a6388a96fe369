# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the tables hold of a window: counts that an import is measured by, and a sample of its newest orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.load import Target

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

SHOWN = ("externalOrderId", "orderRef", "orderDate", "totalAmount", "currency", "orderStatus")
"""Columns of a sample: none of them says anything of the buyer."""


@dataclass(frozen=True)
class Window:
    """A tenant's orders in a marketplace between two moments, both included."""

    tenant: str
    marketplace_id: str
    after: datetime
    before: datetime


@dataclass(frozen=True)
class Summary:
    """Rows of a window, and how they divide. An order without a currency is counted under ``none``; days are UTC."""

    orders: int = 0
    items: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    by_currency: dict[str, int] = field(default_factory=dict)
    by_line_status: dict[str, int] = field(default_factory=dict)
    by_day: dict[str, int] = field(default_factory=dict)


def summary(cursor: Cursor, orders: Target, items: Target, window: Window) -> Summary:
    """Count orders and lines of a window."""
    table, lines = orders.table, items.table
    condition, values = _inside(orders, window)
    currency = f"stored.{table.own('currency')}::text" if "currency" in table.columns else "NULL::text"
    line_status = f"line.{lines.own('lineStatus')}::text" if "lineStatus" in lines.columns else "NULL::text"
    cursor.execute(
        f"SELECT 'order', stored.{table.own('orderStatus')}::text, {currency}, count(*)"  # noqa: S608
        f" FROM {table.quoted} AS stored WHERE {condition} GROUP BY 2, 3"
        f" UNION ALL SELECT 'line', {line_status}, NULL, count(*)"
        f" FROM {_lines_of(table, lines)} WHERE {condition} GROUP BY 2",
        values,
    )
    found = Summary()
    total_orders = total_items = 0
    for kind, word, unit, count in cursor.fetchall():
        if kind == "line":
            total_items += count
            _add(found.by_line_status, word, count)
            continue
        total_orders += count
        _add(found.by_status, word, count)
        _add(found.by_currency, unit, count)
    return Summary(
        orders=total_orders,
        items=total_items,
        by_status=dict(sorted(found.by_status.items())),
        by_currency=dict(sorted(found.by_currency.items())),
        by_line_status=dict(sorted(found.by_line_status.items())),
        by_day=by_day(cursor, orders, window),
    )


def counts(cursor: Cursor, orders: Target, items: Target, window: Window) -> dict[str, int]:
    """Orders and lines of a window, as a checkpoint records them."""
    found = summary(cursor, orders, items, window)
    return {"rows_orders": found.orders, "rows_items": found.items}


def counts_of_many(cursor: Cursor, orders: Target, items: Target, windows: Sequence[Window]) -> list[tuple[int, int]]:
    """Orders and lines of each window, as :func:`summary` counts them. One query, by the same indexes."""
    table, lines = orders.table, items.table
    given = ("wanted.tenant", "wanted.marketplace", "wanted.after", "wanted.before")
    condition = _condition(orders, *given)
    cursor.execute(
        f"SELECT (SELECT count(*) FROM {table.quoted} AS stored WHERE {condition}),"  # noqa: S608
        f" (SELECT count(*) FROM {_lines_of(table, lines)} WHERE {condition})"
        " FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])"
        " WITH ORDINALITY AS wanted (tenant, marketplace, after, before, place) ORDER BY wanted.place",
        (
            [window.tenant for window in windows],
            [window.marketplace_id for window in windows],
            [window.after for window in windows],
            [window.before for window in windows],
        ),
    )
    return [(int(row[0]), int(row[1])) for row in cursor.fetchall()]


def by_day(cursor: Cursor, orders: Target, window: Window) -> dict[str, int]:
    """Orders of a window by the UTC day of their creation (ISO 8601)."""
    table = orders.table
    condition, values = _inside(orders, window)
    created = f"stored.{table.own('orderDate')}"
    if "with time zone" in orders.types[table.columns["orderDate"]]:
        created = f"({created} AT TIME ZONE 'UTC')"
    cursor.execute(
        f"SELECT {created}::date::text, count(*) FROM {table.quoted} AS stored WHERE {condition} GROUP BY 1 ORDER BY 1",  # noqa: S608
        values,
    )
    return dict(cursor.fetchall())


def newest(cursor: Cursor, orders: Target, window: Window, limit: int) -> list[dict[str, Any]]:
    """The newest orders of a window, by logical column name."""
    table = orders.table
    names = [name for name in SHOWN if name in table.columns]
    condition, values = _inside(orders, window)
    cursor.execute(
        f"SELECT {', '.join(f'stored.{table.own(name)}' for name in names)} FROM {table.quoted} AS stored"  # noqa: S608
        f" WHERE {condition} ORDER BY stored.{table.own('orderDate')} DESC, stored.{table.own('externalOrderId')}"
        " LIMIT %(limit)s",
        {**values, "limit": limit},
    )
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _lines_of(table: Table, lines: Table) -> str:
    return (
        f"{lines.quoted} AS line JOIN {table.quoted} AS stored"
        f" ON line.{lines.own('externalOrderId')} = stored.{table.own('externalOrderId')}"
        f" AND line.{lines.own('tenantId')} = stored.{table.own('tenantId')}"
    )


def _inside(orders: Target, window: Window) -> tuple[str, dict[str, Any]]:
    given = ("%(tenant)s", "%(marketplace)s", "%(after)s::timestamptz", "%(before)s::timestamptz")
    return _condition(orders, *given), {
        "tenant": window.tenant,
        "marketplace": window.marketplace_id,
        "after": window.after,
        "before": window.before,
    }


def _condition(orders: Target, tenant: str, marketplace: str, after: str, before: str) -> str:
    """That an order lies in a window, whose parts are given as SQL."""
    table = orders.table
    condition = (
        f"stored.{table.own('tenantId')}::text = {tenant}"
        f" AND stored.{table.own('orderDate')} >= {_as_stored(orders, after)}"
        f" AND stored.{table.own('orderDate')} <= {_as_stored(orders, before)}"
    )
    if "marketplaceId" in table.columns:
        condition += f" AND stored.{table.own('marketplaceId')}::text = {marketplace}"
    return condition


def moment_of(orders: Target, parameter: str) -> str:
    """A time as the column's type."""
    return _as_stored(orders, f"%({parameter})s::timestamptz")


def _as_stored(orders: Target, moment: str) -> str:
    """A column without time zone holds UTC."""
    type_name = orders.types[orders.table.columns["orderDate"]]
    return moment if "with time zone" in type_name else f"({moment} AT TIME ZONE 'UTC')::{type_name}"


def _add(counts: dict[str, int], word: str | None, count: int) -> None:
    counts[word or "none"] = counts.get(word or "none", 0) + count
