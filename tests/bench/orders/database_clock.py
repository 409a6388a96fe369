# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's clock taken from the simulator: the same virtual time for whoever asks the database for it.

A schema before pg_catalog in a role's search path holds functions of the same names. Statements that call
``clock_timestamp()`` or ``now()`` without a schema get these, and nothing of the importer has to be changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.bench.orders.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

FUNCTIONS = ("clock_timestamp", "now", "transaction_timestamp", "statement_timestamp")
_MOVE = "UPDATE virtual.clock SET moment = to_timestamp(%s)"


def install(admin: Connection, roles: list[str]) -> None:
    """Makes the schema and puts it into the path of ``roles``; new sessions of theirs see the virtual time.

    ``public`` stays first: that is where a session creates its tables.
    """
    with admin, admin.cursor() as cursor:
        cursor.execute("CREATE SCHEMA virtual")
        cursor.execute("CREATE TABLE virtual.clock (moment timestamptz NOT NULL)")
        cursor.execute("INSERT INTO virtual.clock VALUES (pg_catalog.now())")
        for name in FUNCTIONS:
            cursor.execute(
                f"CREATE FUNCTION virtual.{name}() RETURNS timestamptz LANGUAGE sql VOLATILE SECURITY DEFINER"
                " SET search_path = pg_catalog AS 'SELECT moment FROM virtual.clock'"
            )
        for role in roles:
            cursor.execute(f"GRANT USAGE ON SCHEMA virtual TO {role}")
            cursor.execute(f"ALTER ROLE {role} SET search_path = public, virtual, pg_catalog")


def show(admin: Connection, timestamp: float) -> None:
    """Sets the database's time, seconds since the epoch."""
    with admin, admin.cursor() as cursor:
        cursor.execute(_MOVE, (timestamp,))


class DatabaseClock(VirtualClock):
    """A virtual clock that the database shows as well.

    :param admin: connection arguments of psycopg2 of somebody who may write the schema's table.
    """

    def __init__(self, admin_url: str, admin: dict[str, Any]) -> None:
        import psycopg2

        super().__init__(admin_url)
        self._admin = psycopg2.connect(**admin)
        self._admin.autocommit = True
        self._moved(0)

    def _moved(self, step: int) -> None:
        with self._admin.cursor() as cursor:
            cursor.execute(_MOVE, (self.timestamp() + step / 1000,))
