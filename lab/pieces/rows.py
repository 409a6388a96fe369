# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tenant's imported rows: orders, items, and what the import keeps about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2 import sql

from lab.pieces.backend import BackendWorkload
from lab.pieces.piece import Kept

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from lab.world import World

# Every table with a column that names a tenant, but for the tenants themselves; with the columns that can be written.
_TABLES = """
SELECT c.table_name, t.column_name, array_agg(c.column_name::text ORDER BY c.ordinal_position)
  FROM information_schema.columns c
  JOIN information_schema.columns t USING (table_schema, table_name)
  JOIN information_schema.tables b USING (table_schema, table_name)
 WHERE c.table_schema = 'public' AND c.is_generated = 'NEVER' AND b.table_type = 'BASE TABLE'
   AND t.column_name IN ('tenantId', 'tenant_id', 'tenant') AND c.table_name <> 'tenants'
 GROUP BY c.table_name, t.column_name ORDER BY c.table_name
"""


class Orders:
    """A new tenant has no orders and is whole; broken is a tenant whose orders ``break`` has taken away."""

    name = family = "orders"
    harmless = True
    what = "the tenant's orders, items and import records in PostgreSQL"

    def broken(self, world: World, kept: Kept | None) -> bool:
        return kept is not None and _count(world) == 0

    def whole(self, world: World) -> str:
        count = _count(world)
        return f"whole ({count} orders)" if count else "whole (none imported yet)"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        connection = world.database()
        try:
            with connection, connection.cursor() as cursor:
                # Rows stay text from server to server: a number that passed through a float would not come back.
                return {
                    table: {"columns": columns, "rows": _rows(cursor, world, table, tenant_column)}
                    for table, tenant_column, columns in _tables(cursor)
                }
        finally:
            connection.close()

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        connection = world.database()
        try:
            with connection, connection.cursor() as cursor:
                _without_triggers(cursor)
                for table, tenant_column, _ in _tables(cursor):
                    statement = sql.SQL("DELETE FROM {} WHERE {} = %s")
                    cursor.execute(
                        statement.format(sql.Identifier(table), sql.Identifier(tenant_column)),
                        (world.state["tenant"],),
                    )
        finally:
            connection.close()

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        connection = world.database()
        try:
            with connection, connection.cursor() as cursor:
                _without_triggers(cursor)
                for table, content in kept.items():
                    columns = sql.SQL(", ").join(map(sql.Identifier, content["columns"]))
                    statement = sql.SQL(
                        "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
                        " SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s::json)"
                    )
                    cursor.execute(
                        statement.format(table=sql.Identifier(table), columns=columns),
                        (f"[{','.join(content['rows'])}]",),
                    )
        finally:
            connection.close()


def _count(world: World) -> int:
    connection = world.database()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute('SELECT count(*) FROM orders WHERE "tenantId" = %s', (world.state["tenant"],))
            row = cursor.fetchone()
    finally:
        connection.close()
    return int(row[0]) if row else 0


def _tables(cursor: Cursor) -> list[tuple[str, str, list[str]]]:
    cursor.execute(_TABLES)
    return cursor.fetchall()


def _rows(cursor: Cursor, world: World, table: str, tenant_column: str) -> list[str]:
    statement = sql.SQL("SELECT to_json(t)::text FROM {} t WHERE {} = %s ORDER BY 1")
    cursor.execute(statement.format(sql.Identifier(table), sql.Identifier(tenant_column)), (world.state["tenant"],))
    return [row[0] for row in cursor.fetchall()]


def _without_triggers(cursor: Cursor) -> None:
    """Rows go and come back whole, in any order of the tables, and no trigger changes them."""
    cursor.execute("SET LOCAL session_replication_role = 'replica'")
