# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The tenant's row in the product's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

SHOWN = 10
"""Names of other tenants that a message lists at most."""


def read(cursor: Cursor, table: Table, tenant: str) -> dict[str, Any] | None:
    """The row by logical column names, ``None`` when there is none."""
    return read_all(cursor, table, (tenant,)).get(tenant)


def read_all(cursor: Cursor, table: Table, tenants: Sequence[str], *, lock: bool = False) -> dict[str, dict[str, Any]]:
    """The rows of those tenants that have one, by tenant. One query.

    :param lock: nobody else can write them until the transaction ends.
    """
    names = list(table.columns)
    cursor.execute(
        f"SELECT {table.own('tenantId')}::text, {', '.join(table.own(name) for name in names)}"  # noqa: S608
        f" FROM {table.quoted} WHERE {table.own('tenantId')}::text = ANY(%s)" + (" FOR UPDATE" if lock else ""),
        (list(tenants),),
    )
    return {str(tenant): dict(zip(names, row, strict=True)) for tenant, *row in cursor.fetchall()}


def some(cursor: Cursor, table: Table) -> tuple[str, ...]:
    """The first tenants that have a row, one more than a message lists."""
    cursor.execute(
        f"SELECT {table.own('tenantId')}::text FROM {table.quoted} ORDER BY 1 LIMIT {SHOWN + 1}"  # noqa: S608
    )
    return tuple(str(row[0]) for row in cursor.fetchall())


def unknown(table: Table, tenant: str, where: str, known: Sequence[str]) -> BadInputError:
    """The error for a tenant that has no row, with the names of some that do, see :func:`some`."""
    listed = ", ".join(known[:SHOWN]) + (", …" if len(known) > SHOWN else "")
    return BadInputError(
        "looking for",
        f"table {table.name} row {table.columns['tenantId']}={tenant} in {where}",
        f"unknown tenant {tenant!r}",
        f"Known tenants: {listed or 'none'}. Check the spelling, or create the tenant in the product first.",
    )


def write(cursor: Cursor, table: Table, tenant: str, values: Mapping[str, Any]) -> bool:
    """Update the row where it differs. Returns whether a row was changed."""
    names = [name for name in values if name in table.columns and name != "tenantId"]
    stamp = f", {table.own('updatedAt')} = now()" if "updatedAt" in table.columns else ""
    changes = ", ".join(f"{table.own(name)} = %({name})s" for name in names)
    differs = " OR ".join(f"{table.own(name)} IS DISTINCT FROM %({name})s" for name in names)
    cursor.execute(
        f"UPDATE {table.quoted} SET {changes}{stamp} WHERE {table.own('tenantId')}::text = %(tenantId)s"  # noqa: S608
        f" AND ({differs})",
        {**values, "tenantId": tenant},
    )
    return cursor.rowcount > 0


def create(cursor: Cursor, table: Table, tenant: str, values: Mapping[str, Any]) -> bool:
    """Insert the row. Returns whether it was; somebody who was faster has made it otherwise."""
    names = [name for name in values if name in table.columns and name != "tenantId"]
    cursor.execute(
        f"INSERT INTO {table.quoted} ({', '.join(table.own(name) for name in ('tenantId', *names))})"  # noqa: S608
        f" VALUES (%(tenantId)s, {', '.join(f'%({name})s' for name in names)}) ON CONFLICT DO NOTHING",
        {**values, "tenantId": tenant},
    )
    return cursor.rowcount > 0
