# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One import a tenant at a time: a session-level advisory lock on the connection that does the work.

The lock lives and dies with that connection, so a process that lost its lock cannot write either. It needs a
connection of its own to the server: a pooler in transaction mode would hand the session to somebody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import transaction

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Connection, Cursor

_KEY = "hashtextextended('keybuzz.amazon orders ' || %s, 0)"
# The two halves of the key as pg_locks shows them.
_HOLDER = f"""
SELECT activity.pid, activity.application_name, to_char(activity.backend_start, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
 WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
   AND ((held.classid::bigint << 32) | held.objid::bigint) = {_KEY}
   AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""  # noqa: S608 - no value in it


def hold(connection: Connection, tenant: str, where: str) -> None:
    """Take the tenant's lock for as long as the connection lives.

    :raises BlockedError: another session has it; the message names that session.
    """
    with transaction(connection, "taking the import's lock in", where) as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock({_KEY})", (tenant,))
        row = cursor.fetchone()
        if row is None or not row[0]:
            raise BlockedError(
                f"importing orders of tenant {tenant!r} into",
                where,
                f"another import of this tenant is running ({_holder(cursor, tenant)})",
                "Wait until it has ended. If its host is gone, end that session: SELECT pg_terminate_backend(<pid>).",
            )


def running(cursor: Cursor, tenant: str) -> str | None:
    """Who imports this tenant's orders at the moment, in words; ``None`` when nobody does."""
    cursor.execute(f"{_HOLDER} LIMIT 1", (tenant,))
    return _words(cursor.fetchone())


def _holder(cursor: Cursor, tenant: str) -> str:
    return running(cursor, tenant) or "it has ended this moment"


def _words(row: tuple[object, ...] | None) -> str | None:
    if row is None:
        return None
    pid, name, start = row
    since = f", connected since {start}" if start else ""
    return f"pid {pid}, {name or 'no application_name'}{since}"
