# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Loading one page: orders and their lines, guarded so that nothing older or equal rewrites a row.

The page travels as one JSON parameter per table and becomes rows inside the statement. Temporary tables would cost a
privilege of their own (TEMPORARY on the database) and leave dead rows in the catalogue for every page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table, quote

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

STAMPS = ("createdAt", "updatedAt")
"""Columns the database fills: never compared, or every run would find a difference."""
INSERTED, UPDATED, UNCHANGED, STALE = "inserted", "updated", "unchanged", "stale"


@dataclass(frozen=True)
class Target:
    """A table and the types of its columns as the catalogue gave them.

    :param types: own column name to SQL type; every value is cast to it, so that a column may be
        ``varchar``, ``numeric(12,2)``, an enumeration or ``timestamp``.
    """

    table: Table
    types: Mapping[str, str]


def load_orders(cursor: Cursor, target: Target, tenant: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Insert and update orders, each at most once, never with an older version of it.

    :param rows: logical column names to values; several of one order are allowed, the last updated counts.
    :returns: order id to ``inserted``, ``updated``, ``unchanged`` or ``stale``.
    """
    return {key[0]: word for key, word in _load(cursor, target, tenant, rows, version="lastUpdatedAt").items()}


def load_items(cursor: Cursor, target: Target, tenant: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Insert and update lines of orders that were accepted. Returns how many were inserted, updated, unchanged."""
    outcome = _load(cursor, target, tenant, rows, version=None)
    return {word: sum(1 for found in outcome.values() if found == word) for word in (INSERTED, UPDATED, UNCHANGED)}


def surplus_items(
    cursor: Cursor, target: Target, tenant: str, kept: Iterable[tuple[str, str]], orders: Iterable[str], *, delete: bool
) -> int:
    """Lines that the table still has for these orders although the orders' new versions do not.

    :param kept: order and item id of every line the new versions have.
    :param delete: delete them (the role must be allowed to); otherwise they are only counted.
    """
    table = target.table
    order, item = table.own("externalOrderId"), table.own("externalItemId")
    condition = (
        f"stored.{table.own('tenantId')}::text = %(tenant)s"  # noqa: S608
        f" AND stored.{order}::text = ANY (%(orders)s)"
        " AND NOT EXISTS (SELECT 1 FROM jsonb_to_recordset(%(kept)s::jsonb) AS kept (o text, i text)"
        f" WHERE kept.o = stored.{order}::text AND kept.i = stored.{item}::text)"
    )
    values = {
        "tenant": tenant,
        "orders": list(orders),
        "kept": json.dumps([{"o": order_id, "i": item_id} for order_id, item_id in kept]),
    }
    if delete:
        cursor.execute(f"DELETE FROM {table.quoted} AS stored WHERE {condition}", values)  # noqa: S608
        return cursor.rowcount
    cursor.execute(f"SELECT count(*) FROM {table.quoted} AS stored WHERE {condition}", values)  # noqa: S608
    return _number(cursor)


def _load(
    cursor: Cursor, target: Target, tenant: str, rows: Sequence[Mapping[str, Any]], *, version: str | None
) -> dict[tuple[str, ...], str]:
    if not rows:
        return {}
    table, types = target.table, target.types
    names = [name for name in table.columns if name not in STAMPS and name != "tenantId"]
    key = [name for name in table.key if name != "tenantId"]
    changing = [name for name in names if name not in key]
    definition = ", ".join(f"{quote(name)} text" for name in names)
    cast = ", ".join(f"{quote(name)}::{_castable(types, table, name)} AS {quote(name)}" for name in names)
    order = f", {quote(version)} DESC" if version else ""
    stamp = f", {table.own('updatedAt')} = now()" if "updatedAt" in table.columns else ""
    guard = _differs(table, changing)
    if version:
        # A row without a version is older than any: the column may have been added to a table that had rows.
        known = f"stored.{table.own(version)}"
        guard = f"({known} IS NULL OR {known} <= excluded.{table.own(version)}) AND {guard}"
    joined = " AND ".join(f"stored.{table.own(name)} = incoming.{quote(name)}" for name in key)
    written = " AND ".join(f"written.{quote(name)} = incoming.{quote(name)}" for name in key)
    older = f"stored.{table.own(version)} > incoming.{quote(version)}" if version else "false"
    tenant_value = f"%(tenant)s::{types[table.columns['tenantId']]}"
    # Stored rows are seen as they were before this statement, so "existed" and "older" mean before the page.
    statement = f"""
WITH raw AS MATERIALIZED (
  SELECT {cast}, position FROM jsonb_to_recordset(%(rows)s::jsonb) AS page ({definition}, position integer)
), incoming AS MATERIALIZED (
  SELECT DISTINCT ON ({", ".join(quote(name) for name in key)}) * FROM raw
   ORDER BY {", ".join(quote(name) for name in key)}{order}, position DESC
), written AS (
  INSERT INTO {table.quoted} AS stored ({", ".join(table.own(name) for name in ("tenantId", *names))})
  SELECT {tenant_value}, {", ".join(quote(name) for name in names)} FROM incoming
  ON CONFLICT ({", ".join(table.own(name) for name in table.key)}) DO UPDATE
     SET {", ".join(f"{table.own(name)} = excluded.{table.own(name)}" for name in changing)}{stamp}
   WHERE {guard}
  RETURNING {", ".join(f"stored.{table.own(name)} AS {quote(name)}" for name in key)}
)
SELECT {", ".join(f"incoming.{quote(name)}::text" for name in key)},
       CASE WHEN written.{quote(key[-1])} IS NOT NULL AND stored.{table.own(key[-1])} IS NULL THEN '{INSERTED}'
            WHEN written.{quote(key[-1])} IS NOT NULL THEN '{UPDATED}'
            WHEN {older} THEN '{STALE}'
            ELSE '{UNCHANGED}' END
  FROM incoming
  LEFT JOIN written ON {written}
  LEFT JOIN {table.quoted} AS stored ON stored.{table.own("tenantId")} = {tenant_value} AND {joined}
"""  # noqa: S608 - identifiers are quoted, values are parameters
    page = [
        {**{name: _plain(row.get(name)) for name in names}, "position": position} for position, row in enumerate(rows)
    ]
    cursor.execute(statement, {"rows": json.dumps(page), "tenant": tenant})
    return {row[:-1]: row[-1] for row in cursor.fetchall()}


def _differs(table: Table, names: Sequence[str]) -> str:
    stored = ", ".join(f"stored.{table.own(name)}" for name in names)
    excluded = ", ".join(f"excluded.{table.own(name)}" for name in names)
    return f"ROW({stored}) IS DISTINCT FROM ROW({excluded})"


def _castable(types: Mapping[str, str], table: Table, logical: str) -> str:
    return types[table.columns[logical]]


def _plain(value: Any) -> str | None:
    """A value as the text PostgreSQL reads. Money stays exact; times are written in UTC."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _number(cursor: Cursor) -> int:
    row = cursor.fetchone()
    return int(row[0]) if row else 0
