# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rows that could not be stored: which order, why, in which run. Never their content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.rows import literal

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor


def quarantine(
    cursor: Cursor, table: Table, tenant: str, rows: Sequence[tuple[str, str, str]], *, run_id: str, page: int
) -> None:
    """Record rejected rows; one that is known already counts one attempt more.

    :param rows: order id (or empty), reason code, field.
    """
    if not rows:
        return
    unique = sorted(set(rows))
    cursor.execute(
        f'INSERT INTO {table.quoted} AS known ("tenantId", "externalOrderId", "reasonCode", "field", "runId", "page")'  # noqa: S608
        " SELECT %(tenant)s, o, r, f, %(run)s::uuid, %(page)s"
        " FROM unnest(%(orders)s::text[], %(reasons)s::text[], %(fields)s::text[]) AS rejected (o, r, f)"
        ' ON CONFLICT ("tenantId", "externalOrderId", "reasonCode", "field") DO UPDATE'
        ' SET "runId" = excluded."runId", "page" = excluded."page", "attempts" = known."attempts" + 1,'
        ' "lastSeenAt" = now(), "resolvedAt" = NULL',
        {
            "tenant": tenant,
            "run": run_id,
            "page": page,
            "orders": literal([order for order, _reason, _field in unique]),
            "reasons": literal([reason for _order, reason, _field in unique]),
            "fields": literal([field for _order, _reason, field in unique]),
        },
    )


def resolve(cursor: Cursor, table: Table, tenant: str, order_ids: Iterable[str]) -> int:
    """Close the records of orders that could be stored now. Returns how many."""
    stored = list(order_ids)
    if not stored:
        return 0
    cursor.execute(
        f'SELECT EXISTS (SELECT FROM {table.quoted} WHERE "tenantId" = %s AND "resolvedAt" IS NULL)',  # noqa: S608
        (tenant,),
    )
    if cursor.fetchone() == (False,):  # as nearly always: the ids need not travel
        return 0
    cursor.execute(
        f'UPDATE {table.quoted} SET "resolvedAt" = now() WHERE "tenantId" = %s AND "externalOrderId" = ANY (%s::text[])'  # noqa: S608
        ' AND "resolvedAt" IS NULL',
        (tenant, literal(stored)),
    )
    return cursor.rowcount


def exists(cursor: Cursor, table: Table) -> bool:
    """Whether the table was made already."""
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table.quoted,))
    row = cursor.fetchone()
    return bool(row and row[0])


def open_orders(cursor: Cursor, table: Table, tenant: str) -> tuple[tuple[str, ...], int]:
    """The orders of a tenant that could not be stored so far, and how many rows there are whose order has no id."""
    cursor.execute(
        f'SELECT "externalOrderId", count(*) FROM {table.quoted} WHERE "tenantId" = %s AND "resolvedAt" IS NULL'  # noqa: S608
        ' GROUP BY 1 ORDER BY min("firstSeenAt"), 1',
        (tenant,),
    )
    rows = cursor.fetchall()
    return tuple(row[0] for row in rows if row[0]), sum(row[1] for row in rows if not row[0])
