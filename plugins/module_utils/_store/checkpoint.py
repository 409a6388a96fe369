# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Runs of the import: where each one stands, in the same transaction as the rows it has loaded."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

RUNNING, COMPLETED, ABANDONED = "RUNNING", "COMPLETED", "ABANDONED"
_COLUMNS = (
    "runId",
    "tenantId",
    "marketplaceId",
    "source",
    "days",
    "windowAfter",
    "windowBefore",
    "query",
    "status",
    "pageToken",
    "pageTokenAt",
    "pages",
    "restarts",
    "counters",
    "startedAt",
    "updatedAt",
    "completedAt",
)


@dataclass(frozen=True)
class Run:
    """One run as stored. Times are aware and in UTC.

    :param query: the exact parameters of every page of the window.
    :param page_token: token of the next page; ``None`` before the first and after the last.
    :param page_token_at: when Amazon gave the token; it lives 24 hours.
    :param pages: pages loaded since the window was last begun.
    :param counters: see ``_module``; sums over those pages.
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
    page_token: str | None
    page_token_at: datetime | None
    pages: int
    restarts: int
    counters: Mapping[str, Any]
    started_at: datetime
    updated_at: datetime
    completed_at: datetime | None


def runs(cursor: Cursor, table: Table, tenant: str, marketplace_id: str) -> tuple[Run, ...]:
    """The runs of a tenant in a marketplace that still say something, newest first: unfinished and completed ones."""
    columns = ", ".join(f'"{name}"' for name in _COLUMNS)
    cursor.execute(
        f'SELECT {columns} FROM {table.quoted} WHERE "tenantId" = %s AND "marketplaceId" = %s'  # noqa: S608
        f' AND "status" IN (\'{RUNNING}\', \'{COMPLETED}\') ORDER BY "startedAt" DESC, "runId" LIMIT 200',
        (tenant, marketplace_id),
    )
    return tuple(Run(str(row[0]), *row[1:]) for row in cursor.fetchall())


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
) -> Run:
    """Record a new run before its first page."""
    run_id = str(uuid.uuid4())
    columns = ", ".join(f'"{name}"' for name in _COLUMNS)
    cursor.execute(
        f'INSERT INTO {table.quoted} ("runId", "tenantId", "marketplaceId", "source", "days", "windowAfter",'  # noqa: S608
        ' "windowBefore", "query", "status", "counters")'
        f" VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '{RUNNING}', %s) RETURNING {columns}",
        (
            run_id,
            tenant,
            marketplace_id,
            source,
            days,
            *window,
            json.dumps(dict(query)),
            json.dumps(dict(counters)),
        ),
    )
    row = cursor.fetchone()
    if row is None:
        raise LookupError("INSERT ... RETURNING answers or raises")
    return Run(str(row[0]), *row[1:])


def advance(
    cursor: Cursor,
    table: Table,
    run: Run,
    *,
    page_token: str | None,
    counters: Mapping[str, Any],
    completed: bool,
) -> None:
    """Move a run past the page that this transaction has loaded.

    :raises StaleError: the stored run is not where this process believes it to be.
    """
    cursor.execute(
        f'UPDATE {table.quoted} SET "pageToken" = %(token)s,'  # noqa: S608
        ' "pageTokenAt" = CASE WHEN %(token)s::text IS NULL THEN NULL ELSE clock_timestamp() END,'
        ' "pages" = "pages" + 1, "counters" = %(counters)s, "updatedAt" = now(),'
        f" \"status\" = CASE WHEN %(completed)s THEN '{COMPLETED}' ELSE '{RUNNING}' END,"
        ' "completedAt" = CASE WHEN %(completed)s THEN now() END'
        f' WHERE "runId" = %(id)s AND "pages" = %(pages)s AND "status" = \'{RUNNING}\''
        ' AND "restarts" = %(restarts)s',
        {
            "token": page_token,
            "counters": json.dumps(dict(counters)),
            "completed": completed,
            "id": run.id,
            "pages": run.pages,
            "restarts": run.restarts,
        },
    )
    _one_row(cursor, table, run)


def restart(cursor: Cursor, table: Table, run: Run, counters: Mapping[str, Any]) -> None:
    """Read the window from its first page again: the token has died. Its rows are loaded already and stay."""
    cursor.execute(
        f'UPDATE {table.quoted} SET "pageToken" = NULL, "pageTokenAt" = NULL, "pages" = 0,'  # noqa: S608
        ' "restarts" = "restarts" + 1, "counters" = %s, "updatedAt" = now()'
        f' WHERE "runId" = %s AND "pages" = %s AND "status" = \'{RUNNING}\'',
        (json.dumps(dict(counters)), run.id, run.pages),
    )
    _one_row(cursor, table, run)


def abandon(cursor: Cursor, table: Table, run_ids: Iterable[str]) -> None:
    """Give unfinished runs up; what they have loaded stays."""
    cursor.execute(
        f'UPDATE {table.quoted} SET "status" = \'{ABANDONED}\', "pageToken" = NULL, "pageTokenAt" = NULL,'  # noqa: S608
        ' "updatedAt" = now() WHERE "runId" = ANY (%s::uuid[])',
        (list(run_ids),),
    )


def _one_row(cursor: Cursor, table: Table, run: Run) -> None:
    if cursor.rowcount != 1:
        raise StaleError(
            "moving on",
            f"table {table.name} row runId={run.id}",
            "somebody else has moved or ended the run meanwhile",
            "Run again; the import goes on where the run stands now.",
        )
