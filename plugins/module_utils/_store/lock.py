# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One import a tenant at a time: a session's advisory lock, or a heartbeat where a pooler forbids that.

A session's lock lives and dies with its connection, so that a killed import can be gone on with at once. Behind a
pooler in transaction mode there is no such session: there the run's row says who moves it and when he last did, and
another process waits until that is older than :data:`DEAD_AFTER`. Either way a run moves only for its holder (see
:mod:`checkpoint`), so that a process that lost its lock cannot write.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Connection, Cursor

Kind = Literal["session", "heartbeat"]
BEAT_EVERY = 30.0
"""Seconds between two heartbeats."""
DEAD_AFTER = 180.0
"""Seconds after which a holder without a heartbeat is taken for dead: six beats."""
_KEY = "hashtextextended('keybuzz.amazon orders ' || %s, 0)"
# The two halves of the key as pg_locks shows them.
_HOLDERS = """
SELECT activity.pid, activity.application_name,
       to_char(activity.backend_start, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since,
       (held.classid::bigint << 32) | held.objid::bigint AS key
  FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
 WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
   AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_BEAT = '"holder", extract(epoch FROM clock_timestamp() - "heartbeatAt")::int'


def pooled(connection: Connection, cursor: Cursor) -> bool:
    """Whether something between us and PostgreSQL hands out sessions: it does not tell the session's real number."""
    cursor.execute("SELECT pg_backend_pid()")
    row = cursor.fetchone()
    return row is None or row[0] != connection.info.backend_pid


def hold(cursor: Cursor, tenant: str, where: str) -> None:
    """Take the tenant's lock for as long as the cursor's connection lives.

    :raises BlockedError: another session has it; the message names that session.
    """
    cursor.execute(f"SELECT pg_try_advisory_lock({_KEY})", (tenant,))
    row = cursor.fetchone()
    if row is None or not row[0]:
        raise _busy(tenant, where, running(cursor, tenant) or "it has ended this moment")


def settle(cursor: Cursor, runs: Table, tenant: str, *, holder: str, where: str, own: Collection[int] = ()) -> None:
    """Hold off other processes until this transaction ends, and see that none of them is importing by heartbeat.

    :param holder: this process; ``own`` are other sessions of it.
    :raises BlockedError: another one is, by either kind of lock.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('keybuzz.amazon begin ' || %s, 0))", (tenant,))
    importer = running(cursor, tenant, own) or beating(cursor, runs, tenant, holder)
    if importer:
        raise _busy(tenant, where, importer)


def running(cursor: Cursor, tenant: str, own: Collection[int] = ()) -> str | None:
    """The session that holds the tenant's lock, in words; ``None`` when none does but this one and ``own``."""
    cursor.execute(
        f"SELECT pid, application_name, since FROM ({_HOLDERS}) AS holder WHERE key = {_KEY}"  # noqa: S608
        " AND pid <> pg_backend_pid() AND pid <> ALL (%s) LIMIT 1",
        (tenant, list(own)),
    )
    return _words(cursor.fetchone())


def beating(cursor: Cursor, runs: Table, tenant: str, holder: str | None = None) -> str | None:
    """The other process whose heartbeat is young, in words; ``None`` when there is none."""
    cursor.execute(
        f"SELECT {_BEAT} FROM {runs.quoted}"  # noqa: S608
        ' WHERE "tenantId" = %s AND "status" = \'RUNNING\' AND "holder" IS DISTINCT FROM %s'
        ' AND "heartbeatAt" > clock_timestamp() - make_interval(secs => %s) LIMIT 1',
        (tenant, holder, DEAD_AFTER),
    )
    row = cursor.fetchone()
    return _last_seen(row) if row else None


def importers(cursor: Cursor, runs: Table | None, tenants: Sequence[str]) -> dict[str, str]:
    """Of these tenants those that somebody else imports, with who it is: see :func:`running` and :func:`beating`.

    :param runs: ``None`` where the table knows no heartbeat.
    """
    found: dict[str, str] = {}
    if runs is not None:
        cursor.execute(
            f'SELECT "tenantId", {_BEAT} FROM {runs.quoted}'  # noqa: S608
            ' WHERE "tenantId" = ANY (%s) AND "status" = \'RUNNING\' AND "holder" IS NOT NULL'
            ' AND "heartbeatAt" > clock_timestamp() - make_interval(secs => %s)',
            (list(tenants), DEAD_AFTER),
        )
        found |= {tenant: _last_seen(row) for tenant, *row in cursor.fetchall()}
    key = _KEY.replace("%s", "wanted.tenant")
    cursor.execute(
        "SELECT wanted.tenant, holder.* FROM unnest(%s::text[]) AS wanted (tenant)"  # noqa: S608
        f" JOIN ({_HOLDERS}) AS holder ON holder.key = {key} WHERE holder.pid <> pg_backend_pid()",
        (list(tenants),),
    )
    return found | {tenant: str(_words((pid, name, start))) for tenant, pid, name, start, _key in cursor.fetchall()}


def _busy(tenant: str, where: str, importer: str) -> BlockedError:
    return BlockedError(
        f"importing orders of tenant {tenant!r} into",
        where,
        f"another import of this tenant is running ({importer})",
        "Wait until it has ended. If its host is gone, end that session: SELECT pg_terminate_backend(<pid>); one that "
        f"is known by its heartbeat counts as gone after {DEAD_AFTER:.0f} s.",
    )


def _last_seen(row: Sequence[Any]) -> str:
    holder, seconds = row
    return f"{holder}, last seen {max(0, seconds)} s ago"


def _words(row: tuple[object, ...] | None) -> str | None:
    if row is None:
        return None
    pid, name, start = row
    since = f", connected since {start}" if start else ""
    return f"pid {pid}, {name or 'no application_name'}{since}"
