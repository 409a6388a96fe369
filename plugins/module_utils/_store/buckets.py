# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Token buckets between processes: one row each, by the database's clock, so that all hosts agree on the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

Key = tuple[str, str, str]
"""Application, selling partner, operation: what Amazon counts by."""
Row = tuple[float, float, float, float]
"""Rate, burst, tokens, and when that was (seconds since the epoch)."""


def lock_row(cursor: Cursor, table: Table, key: Key, first: tuple[float, float]) -> tuple[Row, float]:
    """The row of a bucket, held until the transaction ends, and the database's time now.

    :param first: rate and burst of a bucket that nobody has used yet: it is made, and full.
    """
    rate, burst = first
    cursor.execute(
        f'INSERT INTO {table.quoted} ("applicationId", "sellerId", "operation", "rate", "burst", "tokens",'  # noqa: S608
        ' "updatedAt") VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp()) ON CONFLICT DO NOTHING',
        (*key, rate, burst, burst),
    )
    cursor.execute(
        'SELECT "rate", "burst", "tokens", extract(epoch FROM "updatedAt")::float8,'  # noqa: S608
        f" extract(epoch FROM clock_timestamp())::float8 FROM {table.quoted}"
        ' WHERE "applicationId" = %s AND "sellerId" = %s AND "operation" = %s FOR UPDATE',
        key,
    )
    found = cursor.fetchone()
    if found is None:
        raise LookupError("the bucket was made one statement ago, in this transaction")
    return (found[0], found[1], found[2], found[3]), found[4]


def peek(cursor: Cursor, table: Table, seller: str, application: str | None = None) -> dict[str, tuple[Row, float]]:
    """A selling partner's buckets by operation, without holding them, and the database's time now.

    :param application: where it is not known, the emptiest of several applications' buckets counts.
    """
    cursor.execute(
        'SELECT DISTINCT ON ("operation") "operation", "rate", "burst", "tokens",'  # noqa: S608
        ' extract(epoch FROM "updatedAt")::float8, extract(epoch FROM clock_timestamp())::float8'
        f' FROM {table.quoted} WHERE "sellerId" = %s AND coalesce("applicationId" = %s, true)'
        ' ORDER BY "operation", "tokens"',
        (seller, application),
    )
    return {row[0]: (row[1:5], row[5]) for row in cursor.fetchall()}


def write_row(cursor: Cursor, table: Table, key: Key, row: Row) -> None:
    """Store a bucket."""
    cursor.execute(
        f'UPDATE {table.quoted} SET "rate" = %s, "burst" = %s, "tokens" = %s, "updatedAt" = to_timestamp(%s)'  # noqa: S608
        ' WHERE "applicationId" = %s AND "sellerId" = %s AND "operation" = %s',
        (*row, *key),
    )
