# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""All tenants of the product's table, a page at a time, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import schema, tables
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

PAGE = 1000
"""Rows that the server sends at once, and that are held here at once."""
SHOWN = ("tenantId", "status", "marketplaceId")
Row = tuple[str, "str | None", "str | None"]
"""The tenant, its status and its marketplace, as text."""


def table_of(name: str, columns: Mapping[str, str] | None, *, by_owner: bool = False) -> Table:
    """The table with the columns that a list needs. :raises BadInputError: see :func:`names.table`."""
    whole = tables.tenants_table(name, columns)
    if by_owner and "owner" not in whole.columns:
        raise BadInputError(
            "reading option",
            "owner",
            "tenant_columns says that there is no column with the owner",
            "Name it, or leave owner out.",
        )
    wanted = (*SHOWN, *(("owner",) if by_owner else ()))
    return replace(whole, columns={column: whole.columns[column] for column in wanted if column in whole.columns})


def require(cursor: Cursor, table: Table, role: str, where: str) -> None:
    """Accept a table that has these columns and may be read.

    :raises schema.SchemaError: it has not; with the SQL that mends it.
    """
    schema.require(zip((table,), schema.inspect(cursor, (table,)), strict=True), role, where)


def pages(
    cursor: Cursor, table: Table, *, statuses: Sequence[str] = (), owner: str | None = None, size: int = PAGE
) -> Iterator[list[Row]]:
    """The rows in the order of the tenants, within the transaction of the cursor: all pages are of one moment.

    :param statuses: only tenants with one of these; none: with any.
    :param owner: only tenants of this owner.
    """
    conditions: list[str] = []
    values: list[object] = []
    if statuses:
        conditions.append(f"{table.own('status')}::text = ANY(%s)")
        values.append(list(statuses))
    if owner is not None:
        conditions.append(f"{table.own('owner')}::text = %s")
        values.append(owner)
    shown = ", ".join(f"{table.own(name)}::text" if name in table.columns else "NULL" for name in SHOWN)
    cursor.execute(
        f"DECLARE tenant_list NO SCROLL CURSOR FOR SELECT {shown} FROM {table.quoted}"  # noqa: S608
        + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
        + f' ORDER BY {table.own("tenantId")}::text COLLATE "C"',
        values,
    )
    while True:
        cursor.execute(f"FETCH FORWARD {int(size)} FROM tenant_list")
        rows: list[Row] = cursor.fetchall()
        if rows:
            yield rows
        if len(rows) < size:
            return
