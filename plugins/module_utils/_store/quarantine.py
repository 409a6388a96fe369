# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rows that could not be stored: which order, why, in which run. Never their content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

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
        " FROM jsonb_to_recordset(%(rows)s::jsonb) AS rejected (o text, r text, f text)"
        ' ON CONFLICT ("tenantId", "externalOrderId", "reasonCode", "field") DO UPDATE'
        ' SET "runId" = excluded."runId", "page" = excluded."page", "attempts" = known."attempts" + 1,'
        ' "lastSeenAt" = now(), "resolvedAt" = NULL',
        {
            "tenant": tenant,
            "run": run_id,
            "page": page,
            "rows": json.dumps([{"o": order, "r": reason, "f": field} for order, reason, field in unique]),
        },
    )


def resolve(cursor: Cursor, table: Table, tenant: str, order_ids: Iterable[str]) -> int:
    """Close the records of orders that could be stored now. Returns how many."""
    cursor.execute(
        f'UPDATE {table.quoted} SET "resolvedAt" = now() WHERE "tenantId" = %s AND "externalOrderId" = ANY (%s)'  # noqa: S608
        ' AND "resolvedAt" IS NULL',
        (tenant, list(order_ids)),
    )
    return cursor.rowcount
