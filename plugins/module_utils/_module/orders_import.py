# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The import itself: page after page until the window is complete. No transaction is open while Amazon is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError, UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import Asking
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import (
    Counters,
    Stored,
    Targets,
    counters_from,
    store_page,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_progress import Progress
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_proof import SHOWN_DAYS, Proof, Said
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import task_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import PageTokenRefused
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Page, Place, Source, Task
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import checkpoint, summary
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import Run
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import RowsHeld
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.sessions import Sessions

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

RESTARTS = 2
"""How often one call reads the window from its start again because Amazon does not take a page token."""
TRANSACTION_TRIES = 3
FOUND = 20
"""Orders that a reconciliation names."""
JUDGED_FROM = 100
"""Orders after which the share of quarantined ones is judged while the import runs; at its end it always is."""


class TooManyRejected(BlockedError):
    """More rows cannot be stored than the user is willing to accept."""


class NotComplete(UnexpectedAnswerError):
    """Amazon named orders that the table does not hold. The window is read again by the next run."""


@dataclass
class Import:
    """What an import works with, and in ``loaded`` what it has loaded so far, also when it does not come to its end."""

    sessions: Sessions
    runs: Table
    targets: Targets
    page_size: int
    max_quarantine_ratio: float
    loaded: Counters = field(default_factory=Counters)

    @property
    def where(self) -> str:
        """The database, for messages."""
        return self.sessions.where


@dataclass(frozen=True)
class Ended:
    """How far :func:`complete` came.

    :param run: as it stands now.
    :param proof: of a window that is complete and was chosen by creation.
    :param found: orders of ``window`` that the table did not have before; the first of them, and how many.
    :param stopped: why it stopped before the end; ``None`` at the end.
    """

    run: Run
    proof: Proof | None = None
    found: tuple[str, ...] = ()
    found_count: int = 0
    stopped: str | None = None


@dataclass
class _Reading:
    """The state of one call."""

    work: Import
    run: Run
    said: Said
    window: tuple[datetime, datetime] | None
    found: list[str] = field(default_factory=list)
    proof: Proof | None = None

    @property
    def task(self) -> Task:
        return task_of(self.run)


def complete(
    work: Import,
    run: Run,
    ask: Asking,
    progress: Progress,
    *,
    window: tuple[datetime, datetime] | None = None,
    stop: Callable[[Run, Page], str | None] = lambda _run, _page: None,
) -> Ended:
    """Load the pages from where the run stands to its end.

    :param window: of creation, whose new orders are listed in ``found``.
    :param stop: asked after each page but the last: a reason to stop there.
    :raises KeybuzzError: what stopped it; all pages before that are stored and the next call goes on behind them.
    """
    reading = _Reading(work, run, Said(run.counters.get("said")), window)
    source = orders_sources.SOURCES[run.source]
    restarts = 0
    progress.resumed(int(run.counters.get("fetched", 0)), run.pages)
    while True:
        try:
            reason = _read(reading, source, ask, progress, stop)
        except PageTokenRefused:
            restarts += 1
            if reading.run.page_token is None or restarts > RESTARTS:
                raise
            reading.run = from_start(work, reading.run)
            reading.said = Said()
            continue
        found = int(reading.run.counters.get("found", 0))
        return Ended(reading.run, reading.proof, tuple(reading.found), found, reason)


def _read(
    reading: _Reading,
    source: Source,
    ask: Asking,
    progress: Progress,
    stop: Callable[[Run, Page], str | None],
) -> str | None:
    work, run = reading.work, reading.run
    tokens = {run.page_token} - {None}
    size = orders_sources.page_size(source, work.page_size)
    for page in source.read(run.query, Place(run.page_token, run.pages, run.state), ask, page_size=size):
        _refuse_a_circle(reading, page, tokens, ask)
        _store(reading, page)
        progress.page(int(reading.run.counters["fetched"]), reading.run.pages)
        _judge(work, reading.run, last=page.last)
        if page.last:
            return None
        reason = None if page.waypoint else stop(reading.run, page)
        if reason:
            return reason
    raise UnexpectedAnswerError(
        "reading the pages of", ask.endpoint, "they ended without a last one", "Nothing was lost. Run again later."
    )


def _refuse_a_circle(reading: _Reading, page: Page, tokens: set[str | None], ask: Asking) -> None:
    if page.next_token is not None and page.next_token in tokens:
        raise UnexpectedAnswerError(
            "reading the pages of",
            f"{ask.endpoint} tenant {reading.run.tenant}",
            f"Amazon gave the token of page {reading.run.pages + 1} a second time, which would never end",
            "Nothing of the page was stored. Run again later; with restart: true the window is read anew.",
        )
    tokens.add(page.next_token)


def from_start(work: Import, run: Run) -> Run:
    """Put the run back to its first page; its counters begin anew, so that they are those of one pass."""
    with work.sessions.transaction("putting the import back to its first page in") as cursor:
        counters = first_counters(cursor, work.targets, task_of(run), run.tenant)
        state = orders_sources.SOURCES[run.source].again(run.state)
        checkpoint.restart(cursor, work.runs, run, counters, state)
    return replace(
        run, page_token=None, page_token_at=None, pages=0, restarts=run.restarts + 1, counters=counters, state=state
    )


def first_counters(cursor: Cursor, targets: Targets, task: Task, tenant: str) -> dict[str, Any]:
    """The counters of a run before its first page: nothing loaded, and the rows its window has already."""
    counters: dict[str, Any] = asdict(Counters())
    if task.family == "created":
        window = summary.Window(tenant, task.marketplace_id, task.after, task.before)
        counters |= summary.counts(cursor, targets.orders, targets.items, window)
    return counters


def _store(reading: _Reading, page: Page) -> None:
    for remaining in reversed(range(TRANSACTION_TRIES)):
        try:
            doing = f"storing page {reading.run.pages + 1} in"
            with reading.work.sessions.transaction(doing) as cursor:
                run, counted, found = _store_in(cursor, reading, page)
        except RowsHeld:
            if not remaining:
                raise
        except NotComplete:
            from_start(reading.work, reading.run)
            raise
        else:
            reading.run, reading.work.loaded = run, reading.work.loaded.plus(counted)
            reading.found += found[: FOUND - len(reading.found)]
            if page.part_ended:
                reading.said.part_ended()
            return


def _store_in(cursor: Cursor, reading: _Reading, page: Page) -> tuple[Run, Counters, list[str]]:
    work, run, task = reading.work, reading.run, reading.task
    stored = store_page(cursor, work.targets, run.tenant, page, run_id=run.id, number=run.pages + 1)
    counted = stored.counted
    total = counters_from(run.counters).plus(counted)
    counted.check(work.where)
    total.check(work.where)
    counters: dict[str, Any] = asdict(total)
    done = page.last and not _too_many(total, work.max_quarantine_ratio)
    if task.family == "created":
        reading.said.add(stored.standing, stored.new, after=run.after, before=run.before)
        counters |= {
            "said": reading.said.record(),
            # Whoever goes on with the run must see whether its rows are still there.
            "rows_orders": int(run.counters.get("rows_orders", 0)) + counted.inserted,
            "rows_items": int(run.counters.get("rows_items", 0)) + counted.items_inserted - counted.items_removed,
        }
    found = _found(reading, stored)
    if reading.window is not None:
        counters["found"] = int(run.counters.get("found", 0)) + len(found)
    if page.last and task.family == "created":
        counters |= _proven(cursor, reading, task)
    # The empty end of a reading that had pages is no page.
    counts = not page.waypoint and bool(page.fetched or page.elsewhere or run.pages == 0 or not page.last)
    checkpoint.advance(
        cursor,
        work.runs,
        run,
        page_token=page.next_token,
        counters=counters,
        completed=done,
        state=page.state,
        counts=counts,
    )
    now = datetime.now(UTC)
    moved = replace(
        run,
        page_token=page.next_token,
        page_token_at=now if page.next_token else None,
        pages=run.pages + int(counts),
        counters=counters,
        state=page.state,
        status=checkpoint.COMPLETED if done else checkpoint.RUNNING,
        completed_at=now if done else None,
    )
    return moved, counted, found


def _found(reading: _Reading, stored: Stored) -> list[str]:
    """The orders of a page that the window lacked."""
    if reading.window is None or not stored.new:
        return []
    after, before = reading.window
    return [
        order_id
        for order_id, created, _updated in stored.standing
        if order_id in stored.new and after <= created <= before
    ]


def _proven(cursor: Cursor, reading: _Reading, task: Task) -> dict[str, Any]:
    """Hold what Amazon named against the table, before the run counts as complete.

    :raises NotComplete: an order that was named is not there.
    """
    work, run = reading.work, reading.run
    window = summary.Window(run.tenant, task.marketplace_id, task.after, task.before)
    reading.proof = proof = reading.said.prove(summary.by_day(cursor, work.targets.orders, window))
    if proof.missing:
        days = ", ".join(f"{count} of {day}" for day, count in list(proof.missing.items())[:SHOWN_DAYS])
        raise NotComplete(
            "proving that all orders are in",
            work.where,
            f"Amazon named {proof.said} orders and {sum(proof.missing.values())} of them are not in the table ({days})",
            "Somebody deleted them meanwhile, or they got lost. Run again: the window is read from its start.",
        )
    return summary.counts(cursor, work.targets.orders, work.targets.items, window)


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
