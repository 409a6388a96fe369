# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The two ways of rows into a table: copied in, or each held against the row that is there."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table, quote
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.rows import Columns, copy_text, literal

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

STAMPS = ("createdAt", "updatedAt")
"""Columns the database fills: never compared, or every run would find a difference."""

AS_THEY_ARE = (
    *("timestamp with time zone", "timestamp without time zone", "numeric"),
    *("integer", "bigint", "double precision"),
)
"""Types whose arrays are read as such; all others travel as text and are cast row by row, which costs a little more."""

COPY_CHUNK = 256 * 1024
"""Characters that are handed to the connection at once."""


@dataclass(frozen=True)
class Target:
    """A table and the types of its columns as the catalogue gave them.

    :param types: own column name to SQL type; every value is cast to it, so that a column may be
        ``varchar``, ``numeric(12,2)``, an enumeration or ``timestamp``.
    """

    table: Table
    types: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Logical names of the columns a row brings."""
        return tuple(name for name in self.table.columns if name not in STAMPS and name != "tenantId")

    @property
    def key(self) -> tuple[str, ...]:
        """Logical names of the key within a tenant."""
        return tuple(name for name in self.table.key if name != "tenantId")


def insert_new(cursor: Cursor, target: Target, tenant: str, rows: Columns) -> bool:
    """Insert rows none of which was in the table a moment ago, by COPY; all of them or none.

    :returns: whether they are in the table now. ``False``: the transaction goes on as if nothing had been tried, and
        the rows want :func:`upsert`. Somebody else was faster with one of them, a value has to be cast to fit its
        column, a trigger kept a row out, or the table is a view or has row security, which COPY does not take.
    """
    import psycopg2
    from psycopg2 import errors

    table, names = target.table, target.names
    own = ", ".join(table.own(name) for name in ("tenantId", *names))
    lines = io.StringIO(copy_text(tenant, [rows[name] for name in names]))
    try:
        cursor.copy_expert(f"SAVEPOINT new_rows; COPY {table.quoted} ({own}) FROM STDIN", lines, COPY_CHUNK)
    except (errors.UniqueViolation, errors.WrongObjectType, errors.FeatureNotSupported, psycopg2.DataError):
        cursor.execute("ROLLBACK TO SAVEPOINT new_rows; RELEASE SAVEPOINT new_rows")
        return False
    complete = cursor.rowcount == len(rows[target.key[0]])
    cursor.execute(f"{'' if complete else 'ROLLBACK TO SAVEPOINT new_rows; '}RELEASE SAVEPOINT new_rows")
    return complete


def upsert(
    cursor: Cursor, target: Target, tenant: str, rows: Columns, *, version: str | None = None, weaker: bool = False
) -> set[tuple[str, ...]]:
    """Insert rows and update those that differ.

    :param rows: every key at most once.
    :param version: logical name of the column by which no older row may replace a newer one.
    :param weaker: an equal version is replaced only where both amounts have the same basis.
    :returns: keys of the rows that were written, in the order of the table's key.
    """
    table = target.table
    changing = [name for name in target.names if name not in target.key]
    stamp = f", {table.own('updatedAt')} = now()" if "updatedAt" in table.columns else ""
    guard = _differs(table, changing)
    if version:
        # Asked a moment ago, but somebody else may have written since; the row is locked now.
        guard = f"{_not_older(table, version, weaker=weaker)} AND {guard}"
    cursor.execute(
        f"{_insert(target)} ON CONFLICT ({_key(table)}) DO UPDATE"
        f" SET {', '.join(f'{table.own(name)} = excluded.{table.own(name)}' for name in changing)}{stamp}"
        f" WHERE {guard} {_returning(target)}",
        _parameters(target, tenant, rows),
    )
    return set(cursor.fetchall())


def insert_missing(cursor: Cursor, target: Target, tenant: str, rows: Columns) -> set[tuple[str, ...]]:
    """Insert rows whose key the table does not have, and leave the others alone. Returns the keys inserted."""
    cursor.execute(
        f"{_insert(target)} ON CONFLICT ({_key(target.table)}) DO NOTHING {_returning(target)}",
        _parameters(target, tenant, rows),
    )
    return set(cursor.fetchall())


def probe(target: Target, key: Mapping[str, str], shown: str) -> str:
    """The join of rows of a page with those of the table, by one look into the index of its key for each.

    OFFSET 0 keeps the planner from turning the subquery into a join: on a table that has grown since it was last
    analysed it would read all of it for every page.

    :param key: logical names of the table's key within the tenant to what they are compared with, as text.
    :param shown: the columns that the subquery ``stored`` gives.
    """
    table, types = target.table, target.types
    wanted = {"tenantId": "%(tenant)s", **key}
    same = " AND ".join(
        f"stored.{table.own(name)} = {value}::{types[table.columns[name]]}" for name, value in wanted.items()
    )
    return f"CROSS JOIN LATERAL (SELECT {shown} FROM {table.quoted} AS stored WHERE {same} OFFSET 0) AS stored"  # noqa: S608


def _insert(target: Target) -> str:
    table, types, names = target.table, target.types, target.names
    cast = ", ".join(f"page.{quote(name)}::{types[table.columns[name]]}" for name in names)
    return (
        f"INSERT INTO {table.quoted} AS stored ({', '.join(table.own(name) for name in ('tenantId', *names))})"  # noqa: S608
        f" SELECT %(tenant)s::{types[table.columns['tenantId']]}, {cast}"
        f" FROM unnest({', '.join(f'%({name})s::{_array(types[table.columns[name]])}[]' for name in names)})"
        f" AS page ({', '.join(quote(name) for name in names)})"
    )


def _array(type_name: str) -> str:
    return type_name if type_name in AS_THEY_ARE else "text"


def _parameters(target: Target, tenant: str, rows: Columns) -> dict[str, str]:
    return {"tenant": tenant, **{name: literal(rows[name]) for name in target.names}}


def _key(table: Table) -> str:
    return ", ".join(table.own(name) for name in table.key)


def _returning(target: Target) -> str:
    return f"RETURNING {', '.join(f'stored.{target.table.own(name)}::text' for name in target.key)}"


def _not_older(table: Table, version: str, *, weaker: bool) -> str:
    known, new = f"stored.{table.own(version)}", f"excluded.{table.own(version)}"
    if not weaker:
        return f"({known} IS NULL OR {known} <= {new})"
    if "amountBasis" not in table.columns:
        return f"({known} IS NULL OR {known} < {new})"
    basis = table.own("amountBasis")
    return f"({known} IS NULL OR {known} < {new} OR ({known} = {new} AND stored.{basis} = excluded.{basis}))"


def _differs(table: Table, names: Sequence[str]) -> str:
    stored = ", ".join(f"stored.{table.own(name)}" for name in names)
    excluded = ", ".join(f"excluded.{table.own(name)}" for name in names)
    return f"ROW({stored}) IS DISTINCT FROM ROW({excluded})"
