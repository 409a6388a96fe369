# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The import itself: page after page until the window is complete. No transaction is open while Amazon is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError, UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import (
    Counters,
    Targets,
    counters_from,
    store_page,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_patience import Patience
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_progress import Progress
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import PageTokenRefused
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import SellingPartner
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Page
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import checkpoint, summary
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import Run
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import RowsHeld, transaction
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Connection, Cursor

RESTARTS = 2
"""How often one call reads the window from its start again because Amazon does not take a page token."""
TRANSACTION_TRIES = 3
JUDGED_FROM = 100
"""Orders after which the share of quarantined ones is judged while the import runs; at its end it always is."""


class TooManyRejected(BlockedError):
    """More rows cannot be stored than the user is willing to accept."""


@dataclass(frozen=True)
class Import:
    """What an import works with."""

    connection: Connection
    where: str
    runs: Table
    targets: Targets
    page_size: int
    max_quarantine_ratio: float


def complete(
    work: Import, run: Run, partner: SellingPartner, patience: Patience, progress: Progress
) -> tuple[Run, Counters]:
    """Load the window's pages from where the run stands to its end. Returns the run and what this call has loaded.

    :raises KeybuzzError: what stopped it; all pages before that are stored and the next call goes on behind them.
    """
    loaded = Counters()
    seen = {run.page_token} - {None}
    restarts = 0
    progress.resumed(int(run.counters.get("fetched", 0)), run.pages)
    while True:
        try:
            page = patience.page(
                partner,
                run.query,
                page_token=run.page_token,
                page_size=work.page_size,
                page_number=run.pages + 1,
            )
        except PageTokenRefused:
            restarts += 1
            if run.page_token is None or restarts > RESTARTS:
                raise
            run = from_start(work, run)
            seen.clear()
            continue
        if page.next_token is not None and page.next_token in seen:
            raise UnexpectedAnswerError(
                "reading the pages of",
                f"{partner.endpoint} tenant {run.tenant}",
                f"Amazon gave the token of page {run.pages + 1} a second time, which would never end",
                "Nothing of the page was stored. Run again later; with restart: true the window is read anew.",
            )
        seen.add(page.next_token)
        run, counted = _store(work, run, page)
        loaded = loaded.plus(counted)
        progress.page(int(run.counters["fetched"]), run.pages)
        _judge(work, run, last=page.next_token is None)
        if page.next_token is None:
            return run, loaded


def from_start(work: Import, run: Run) -> Run:
    """Put the run back to its first page; its counters begin anew, so that they are those of one pass."""
    with transaction(work.connection, "putting the import back to its first page in", work.where) as cursor:
        checkpoint.restart(cursor, work.runs, run, asdict(Counters()))
    return replace(
        run, page_token=None, page_token_at=None, pages=0, restarts=run.restarts + 1, counters=asdict(Counters())
    )


def _store(work: Import, run: Run, page: Page) -> tuple[Run, Counters]:
    for remaining in reversed(range(TRANSACTION_TRIES)):
        try:
            with transaction(work.connection, f"storing page {run.pages + 1} in", work.where) as cursor:
                return _store_in(cursor, work, run, page)
        except RowsHeld:
            if not remaining:
                raise
    raise AssertionError("a page is stored or fails")


def _store_in(cursor: Cursor, work: Import, run: Run, page: Page) -> tuple[Run, Counters]:
    counted = store_page(cursor, work.targets, run.tenant, page, run_id=run.id, number=run.pages + 1)
    total = counters_from(run.counters).plus(counted)
    counted.check(work.where)
    total.check(work.where)
    last = page.next_token is None
    # With each page, not only the last: whoever goes on with the run must see whether its rows are still there.
    window = summary.Window(run.tenant, run.marketplace_id, run.after, run.before)
    rows = summary.summary(cursor, work.targets.orders, work.targets.items, window)
    counters: Mapping[str, Any] = {**asdict(total), "rows_orders": rows.orders, "rows_items": rows.items}
    done = last and not _too_many(total, work.max_quarantine_ratio)
    checkpoint.advance(cursor, work.runs, run, page_token=page.next_token, counters=counters, completed=done)
    now = datetime.now(UTC)
    return (
        replace(
            run,
            page_token=page.next_token,
            page_token_at=now if page.next_token else None,
            pages=run.pages + 1,
            counters=counters,
            status=checkpoint.COMPLETED if done else checkpoint.RUNNING,
            completed_at=now if done else None,
        ),
        counted,
    )


def _too_many(total: Counters, ratio: float) -> bool:
    return total.quarantined > ratio * total.fetched


def _judge(work: Import, run: Run, *, last: bool) -> None:
    total = counters_from(run.counters)
    if (last or total.fetched >= JUDGED_FROM) and _too_many(total, work.max_quarantine_ratio):
        raise TooManyRejected(
            "importing orders into",
            work.where,
            f"{total.quarantined} of {total.fetched} orders could not be stored, more than max_quarantine_ratio "
            f"{work.max_quarantine_ratio:g} allows",
            f"Look at reasonCode and field in table {work.targets.errors.name} for runId {run.id}; then update the "
            "collection, or raise max_quarantine_ratio.",
        )
