# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Runs of the import: where each one stands, in the same transaction as the rows it has loaded."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table, quote

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

RUNNING, COMPLETED, ABANDONED = "RUNNING", "COMPLETED", "ABANDONED"
# Column to what stands for it in a table that an earlier release made.
_COLUMNS: Mapping[str, str] = {
    "runId": "",
    "tenantId": "",
    "marketplaceId": "",
    "source": "",
    "days": "",
    "windowAfter": "",
    "windowBefore": "",
    "query": "",
    "status": "",
    "pageToken": "",
    "pageTokenAt": "",
    "pages": "",
    "restarts": "",
    "counters": "",
    "startedAt": "",
    "updatedAt": "",
    "completedAt": "",
    "mode": "'backfill'",
    "state": "'{}'::jsonb",
    "holder": "NULL::text",
}
_ANSWER = ", ".join(quote(name) for name in _COLUMNS)
BACKFILL, CATCH_UP, RECONCILE, REPLAY = "backfill", "catch_up", "reconcile", "replay"
NEWEST = 200
"""Runs of a tenant that are looked at, at most."""
_SHORT: Mapping[str, str] = {
    "counters": "\"counters\" - 'said'",
    "state": f"CASE WHEN \"status\" = '{RUNNING}' THEN \"state\" ELSE '{{}}' END",
}
_ANSWER_OF_MANY = ", ".join(_SHORT.get(name, quote(name)) for name in _COLUMNS)


@dataclass(frozen=True)
class Run:
    """One run as stored. Times are aware and in UTC.

    :param query: the exact parameters of every page of the window.
    :param page_token: token of the next page; ``None`` before the first and after the last.
    :param page_token_at: when Amazon gave the token.
    :param pages: pages loaded since the window was last begun.
    :param counters: see ``_module``; sums over those pages.
    :param mode: what it was run for, see the module's option of that name.
    :param state: what its source has to remember, see ``Place``.
    :param holder: the process that may move it.
    """

    id: str
    tenant: str
    marketplace_id: str
    source: str
    days: int
    after: datetime
    before: datetime
    query: Mapping[str, str]
    status: str
    page_token: str | None = field(repr=False)
    page_token_at: datetime | None
    pages: int
    restarts: int
    counters: Mapping[str, Any]
    started_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    mode: str = BACKFILL
    state: Mapping[str, Any] = field(default_factory=dict)
    holder: str | None = None


def runs(
    cursor: Cursor, table: Table, tenant: str, marketplace_id: str, present: Collection[str] | None = None
) -> tuple[Run, ...]:
    """The runs of a tenant in a marketplace that still say something, newest first: unfinished and completed ones.

    :param present: the columns the table has, where it may have been made by an earlier release.
    """
    cursor.execute(
        f'SELECT {_columns(present)} FROM {table.quoted} WHERE "tenantId" = %s AND "marketplaceId" = %s'  # noqa: S608
        f' AND "status" IN (\'{RUNNING}\', \'{COMPLETED}\') ORDER BY "startedAt" DESC, "runId" LIMIT {NEWEST}',
        (tenant, marketplace_id),
    )
    return tuple(_run(row) for row in cursor.fetchall())


def runs_of_many(
    cursor: Cursor, table: Table, places: Mapping[str, str], mode: str, present: Collection[str] | None = None
) -> dict[str, tuple[Run, ...]]:
    """Of :func:`runs` for each tenant those that a decision about a mode can rest on. One query.

    A decision looks at the backfills and at the runs of its own mode; of the catch-ups that were completed, which may
    be thousands, the one that came furthest tells all. What only an import goes by is left out of counters and state.

    :param places: marketplace by tenant.
    """
    cursor.execute(
        "WITH known AS (SELECT wanted.tenant, run.*, row_number() OVER"  # noqa: S608
        ' (PARTITION BY wanted.tenant ORDER BY run."startedAt" DESC, run."runId") AS place'
        " FROM unnest(%s::text[], %s::text[]) AS wanted (tenant, marketplace)"
        f" JOIN (SELECT {_columns(present)} FROM {table.quoted}"
        f" WHERE \"status\" IN ('{RUNNING}', '{COMPLETED}')) AS run"
        ' ON run."tenantId" = wanted.tenant AND run."marketplaceId" = wanted.marketplace),'
        " telling AS (SELECT known.*, row_number() OVER"
        ' (PARTITION BY tenant, "mode", "status" ORDER BY "windowBefore" DESC, place) AS furthest'
        f' FROM known WHERE place <= {NEWEST} AND "mode" = ANY (%s))'
        f" SELECT tenant, {_ANSWER_OF_MANY} FROM telling"
        f" WHERE \"mode\" <> '{CATCH_UP}' OR \"status\" = '{RUNNING}' OR furthest = 1 ORDER BY tenant, place",
        (list(places), list(places.values()), [BACKFILL, mode]),
    )
    found: dict[str, list[Run]] = {tenant: [] for tenant in places}
    for tenant, *row in cursor.fetchall():
        found[tenant].append(_run(tuple(row)))
    return {tenant: tuple(known) for tenant, known in found.items()}


def _columns(present: Collection[str] | None) -> str:
    return ", ".join(
        quote(name) if present is None or name in present or not default else f"{default} AS {quote(name)}"
        for name, default in _COLUMNS.items()
    )


def begin(
    cursor: Cursor,
    table: Table,
    *,
    tenant: str,
    marketplace_id: str,
    source: str,
    days: int,
    window: tuple[datetime, datetime],
    query: Mapping[str, str],
    counters: Mapping[str, Any],
    mode: str = BACKFILL,
    holder: str | None = None,
    beats: bool = False,
) -> Run:
    """Record a new run before its first page."""
    cursor.execute(
        f'INSERT INTO {table.quoted} ("runId", "tenantId", "marketplaceId", "source", "days", "windowAfter",'  # noqa: S608
        ' "windowBefore", "query", "status", "counters", "mode", "holder", "heartbeatAt")'
        f" VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '{RUNNING}', %s, %s, %s,"
        f" CASE WHEN %s THEN clock_timestamp() END) RETURNING {_ANSWER}",
        (
            str(uuid.uuid4()),
            tenant,
            marketplace_id,
            source,
            days,
            *window,
            json.dumps(dict(query)),
            json.dumps(dict(counters)),
            mode,
            holder,
            beats,
        ),
    )
    row = cursor.fetchone()
    if row is None:
        raise LookupError("INSERT ... RETURNING answers or raises")
    return _run(row)


def adopt(cursor: Cursor, table: Table, run: Run, holder: str, *, beats: bool) -> Run:
    """Take an unfinished run over: from now on only this process moves it."""
    cursor.execute(
        f'UPDATE {table.quoted} SET "holder" = %s, "heartbeatAt" = CASE WHEN %s THEN clock_timestamp() END'  # noqa: S608
        f' WHERE "runId" = %s AND "status" = \'{RUNNING}\' RETURNING {_ANSWER}',
        (holder, beats, run.id),
    )
    row = cursor.fetchone()
    if row is None:
        raise _moved(table, run)
    return _run(row)


def beat(cursor: Cursor, table: Table, run: Run) -> None:
    """Say that the run's process is alive. :raises StaleError: another process has taken the run over."""
    cursor.execute(
        f'UPDATE {table.quoted} SET "heartbeatAt" = clock_timestamp() WHERE "runId" = %s'  # noqa: S608
        ' AND "holder" IS NOT DISTINCT FROM %s',
        (run.id, run.holder),
    )
    _one_row(cursor, table, run)


def release(cursor: Cursor, table: Table, run: Run) -> None:
    """Let the next process have the run at once. Does nothing for one that another process holds."""
    cursor.execute(
        f'UPDATE {table.quoted} SET "holder" = NULL, "heartbeatAt" = NULL WHERE "runId" = %s AND "holder" = %s',  # noqa: S608
        (run.id, run.holder),
    )


def advance(
    cursor: Cursor,
    table: Table,
    run: Run,
    *,
    page_token: str | None,
    counters: Mapping[str, Any],
    completed: bool,
    state: Mapping[str, Any] | None = None,
    counts: bool = True,
) -> None:
    """Move a run past the page that this transaction has loaded.

    :param counts: the page is one that was loaded, not a place to remember.
    :raises StaleError: the stored run is not where this process believes it to be.
    """
    cursor.execute(
        f'UPDATE {table.quoted} SET "pageToken" = %(token)s,'  # noqa: S608
        ' "pageTokenAt" = CASE WHEN %(token)s::text IS NULL THEN NULL ELSE clock_timestamp() END,'
        ' "pages" = "pages" + %(counts)s, "counters" = %(counters)s, "state" = %(state)s, "updatedAt" = now(),'
        ' "heartbeatAt" = CASE WHEN "heartbeatAt" IS NOT NULL THEN clock_timestamp() END,'
        f" \"status\" = CASE WHEN %(completed)s THEN '{COMPLETED}' ELSE '{RUNNING}' END,"
        ' "completedAt" = CASE WHEN %(completed)s THEN now() END'
        f' WHERE "runId" = %(id)s AND "pages" = %(pages)s AND "status" = \'{RUNNING}\''
        ' AND "restarts" = %(restarts)s AND "holder" IS NOT DISTINCT FROM %(holder)s',
        {
            "token": page_token,
            "counters": json.dumps(dict(counters)),
            "state": json.dumps(dict(state or {})),
            "counts": int(counts),
            "completed": completed,
            "id": run.id,
            "pages": run.pages,
            "restarts": run.restarts,
            "holder": run.holder,
        },
    )
    _one_row(cursor, table, run)


def moved(run: Run) -> Run:
    """A run without a place after :func:`advance`."""
    return replace(run, pages=run.pages + 1)


def restart(
    cursor: Cursor, table: Table, run: Run, counters: Mapping[str, Any], state: Mapping[str, Any] | None = None
) -> None:
    """Read the window from its first page again: the token has died. Its rows are loaded already and stay."""
    cursor.execute(
        f'UPDATE {table.quoted} SET "pageToken" = NULL, "pageTokenAt" = NULL, "pages" = 0, "state" = %s,'  # noqa: S608
        ' "restarts" = "restarts" + 1, "counters" = %s, "updatedAt" = now()'
        f' WHERE "runId" = %s AND "pages" = %s AND "status" = \'{RUNNING}\' AND "holder" IS NOT DISTINCT FROM %s',
        (json.dumps(dict(state or {})), json.dumps(dict(counters)), run.id, run.pages, run.holder),
    )
    _one_row(cursor, table, run)


def abandon(cursor: Cursor, table: Table, run_ids: Iterable[str]) -> None:
    """Give unfinished runs up; what they have loaded stays."""
    cursor.execute(
        f'UPDATE {table.quoted} SET "status" = \'{ABANDONED}\', "pageToken" = NULL, "pageTokenAt" = NULL,'  # noqa: S608
        ' "holder" = NULL, "heartbeatAt" = NULL, "updatedAt" = now() WHERE "runId" = ANY (%s::uuid[])',
        (list(run_ids),),
    )


def count_again(cursor: Cursor, table: Table, run: Run, rows: Mapping[str, int]) -> None:
    """Record how many rows a run's window has now that some were deleted on purpose."""
    cursor.execute(
        f'UPDATE {table.quoted} SET "counters" = "counters" || %s::jsonb, "updatedAt" = now() WHERE "runId" = %s',  # noqa: S608
        (json.dumps(dict(rows)), run.id),
    )


def _run(row: tuple[Any, ...]) -> Run:
    return Run(str(row[0]), *row[1:])


def _one_row(cursor: Cursor, table: Table, run: Run) -> None:
    if cursor.rowcount != 1:
        raise _moved(table, run)


def _moved(table: Table, run: Run) -> StaleError:
    return StaleError(
        "moving on",
        f"table {table.name} row runId={run.id}",
        "somebody else has moved, taken over or ended the run meanwhile",
        "Run again; the import goes on where the run stands now.",
    )
