# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which window of orders is wanted, and whether it is there: pure decisions over what the database says.

Here is what all modes share, and the mode ``backfill``; the others are in ``orders_follow``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_sources import AUTO, SOURCES
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import (
    HISTORY_DAYS,
    SETTLING,
    Task,
    iso,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import (
    BACKFILL,
    COMPLETED,
    RECONCILE,
    RUNNING,
    Run,
)

CHECK = "amazon_orders"
TOKEN_MARGIN = 600.0
"""A page token is not used in the last seconds of its life: the call may have to wait."""

Kind = Literal["complete", "rows_missing", "resume", "refused", "start"]


@dataclass(frozen=True)
class Wanted:
    """What the user asked for.

    :param until: end of the window, aware; ``None``: a window whose end is at most ``fresh_for`` old.
    :param fresh_for: seconds.
    :param source: ``auto`` takes what any of them has imported.
    :param restart: give an unfinished run up instead of going on with it.
    :param overlap: seconds before the watermark that ``catch_up`` reads again.
    :param max_lag: seconds that the watermark of ``catch_up`` may lie back.
    """

    tenant: str
    marketplace_id: str
    days: int
    until: datetime | None
    fresh_for: float
    source: str = AUTO
    restart: bool = False
    mode: str = BACKFILL
    overlap: float = 600.0
    max_lag: float = 900.0


@dataclass(frozen=True)
class Decision:
    """What follows from the runs that are on record.

    :param window: the window that is imported or would be.
    :param run: the run it rests on: the completed one, or the one to go on with.
    :param from_start: go on with ``run``, but from its first page: its page token is dead.
    :param abandon: unfinished runs to give up first.
    :param why: one sentence.
    :param looked_through: of a reconciliation: the run whose window is read a second time.
    """

    kind: Kind
    window: tuple[datetime, datetime]
    why: str
    run: Run | None = None
    from_start: bool = False
    abandon: tuple[str, ...] = ()
    looked_through: Run | None = None


def check_wanted(days: int, until: str | None, now: datetime) -> datetime | None:
    """Read ``until`` and hold both to Amazon's limits. :raises BadInputError: naming what is wrong."""
    if not 1 <= days <= HISTORY_DAYS:
        raise BadInputError(
            "reading option", "days", f"{days} is not between 1 and {HISTORY_DAYS}", "Amazon keeps two years of orders."
        )
    if until is None:
        return None
    try:
        moment = datetime.fromisoformat(until)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in until.replace(" ", "T"):
        raise BadInputError(
            "reading option", "until", f"{until!r} is not a time with a zone", "Write it like 2026-01-12T12:00:00Z."
        )
    moment = moment.astimezone(UTC).replace(microsecond=0)
    if moment > now - timedelta(seconds=SETTLING):
        raise BadInputError(
            "reading option",
            "until",
            f"{iso(moment)} is less than two minutes before now ({iso(now)})",
            "Amazon's newest orders settle for two minutes. Give an earlier time, or leave the option out.",
        )
    return moment


def wanted_window(wanted: Wanted, now: datetime) -> tuple[datetime, datetime]:
    """The window a new run would have. Without ``until`` it ends at the last full minute that has settled."""
    before = wanted.until or settled(now)
    return before - timedelta(days=wanted.days), before


def settled(now: datetime) -> datetime:
    """The last full minute that lies two minutes back."""
    return (now - timedelta(seconds=SETTLING)).replace(second=0, microsecond=0)


def task_of(run: Run) -> Task:
    """What a run reads."""
    created = run.mode == BACKFILL or (run.mode == RECONCILE and run.source == "report")
    return Task(run.marketplace_id, run.after, run.before, "created" if created else "updated")


def decide(wanted: Wanted, runs: Sequence[Run], stored: Mapping[str, tuple[int, int]], now: datetime) -> Decision:
    """What to do.

    :param runs: the tenant's runs in the marketplace, newest first.
    :param stored: for each run that was counted, the orders and lines the tables hold of its window now.
    """
    window = wanted_window(wanted, now)
    runs = [run for run in runs if run.mode == BACKFILL]
    unfinished = [run for run in runs if run.status == RUNNING]
    done = completed(wanted, runs, now)
    if done is not None:
        lost = _lost(done, stored.get(done.id, (0, 0)))
        if not lost:
            return Decision(
                "complete", (done.after, done.before), "The window was imported and its rows are there.", done
            )
        # An unfinished run that is newer has begun to bring the rows back: it is gone on with, not begun again.
        if not any(run.started_at > done.started_at for run in unfinished):
            why = f"The window was imported, but {lost}."
            return Decision("rows_missing", window, why, abandon=tuple(run.id for run in unfinished))
    if not unfinished:
        return Decision("start", window, "No import of this window is on record.")
    return _unfinished(wanted, unfinished, window, stored, now)


def _lost(run: Run, stored: tuple[int, int]) -> str:
    """What the tables do not hold any more of the rows they held when the run was last on record; empty if nothing."""
    recorded = int(run.counters.get("rows_orders", 0)), int(run.counters.get("rows_items", 0))
    if stored[0] >= recorded[0] and stored[1] >= recorded[1]:
        return ""
    return f"of its {recorded[0]} orders and {recorded[1]} lines the tables hold only {stored[0]} and {stored[1]}"


def _unfinished(
    wanted: Wanted,
    unfinished: Sequence[Run],
    window: tuple[datetime, datetime],
    stored: Mapping[str, tuple[int, int]],
    now: datetime,
) -> Decision:
    run, ids = unfinished[0], tuple(run.id for run in unfinished)
    if wanted.restart:
        return Decision("start", window, "An unfinished import is given up because restart is set.", abandon=ids)
    if wanted.until is None and now - run.before > timedelta(seconds=wanted.fresh_for):
        why = f"An unfinished import of a window that ended at {iso(run.before)} is too old to be worth finishing."
        return Decision("start", window, why, abandon=ids)
    expected = (run.after, run.before) if wanted.until is None else window
    same = (
        wanted.source in {AUTO, run.source}
        and run.days == wanted.days
        and (run.after, run.before) == expected
        and same_query(run)
    )
    if not same:
        why = (
            f"An unfinished import of {run.days} days until {iso(run.before)} is on record, and other parameters are "
            "asked for now."
        )
        return Decision("refused", window, why, run)
    dead = run.pages > 0 and not place_lives(run, now)
    why = f"An import stopped after {run.pages} pages and {run.counters.get('fetched', 0)} orders"
    lost = _lost(run, stored[run.id]) if run.id in stored and run.pages > 0 else ""
    if lost or dead:
        why += f"; {lost or 'its page token has died'}, so its window is read from the start again"
    return Decision("resume", (run.after, run.before), f"{why}.", run, from_start=bool(lost) or dead, abandon=ids[1:])


def completed(wanted: Wanted, runs: Iterable[Run], now: datetime) -> Run | None:
    """The newest completed run that answers what is wanted, whatever its rows."""
    for run in runs:
        if (run.mode, run.status, run.days) != (BACKFILL, COMPLETED, wanted.days):
            continue
        if wanted.source not in {AUTO, run.source}:
            continue
        if wanted.until is None:
            if run.before >= now - timedelta(seconds=wanted.fresh_for):
                return run
        elif (run.after, run.before) == wanted_window(wanted, now):
            return run
    return None


def same_query(run: Run) -> bool:
    """Whether a run was begun with the parameters that this release would use: its place is good for no others."""
    source = SOURCES.get(run.source)
    return source is not None and dict(run.query) == source.query(task_of(run))


def place_lives(run: Run, now: datetime) -> bool:
    """Whether the place where the run stands can still be gone on from."""
    if run.page_token is None:
        return bool(run.state)
    life = SOURCES[run.source].token_life if run.source in SOURCES else 0.0
    if life is None:
        return True
    if run.page_token_at is None:
        return False
    return (now - run.page_token_at).total_seconds() < life - TOKEN_MARGIN


def blocked(item_id: str, address: str, importer: str | None, why: str, hint: str) -> Item:
    """The item of a check that has to wait: for somebody who imports, else for what ``hint`` says."""
    if importer:
        why = f"This tenant's orders are being imported at the moment ({importer})."
        hint = "Wait until it has ended, then check again."
    return Item(item_id, address, CHECK, "high", "blocked", reason=why, hint=hint)


def plan(wanted: Wanted, decision: Decision, orders_table: str, where: str, importer: str | None = None) -> Item:
    """The one item of this check.

    :param importer: the session that imports this tenant's orders at the moment, if any.
    """
    address = (
        f"table {orders_table} tenantId={wanted.tenant} marketplace {wanted.marketplace_id} "
        f"{iso(decision.window[0])}/{iso(decision.window[1])} in {where}"
    )
    item_id = f"{CHECK}/{wanted.tenant}/window"
    after = f"imported until {iso(decision.window[1])}"
    if decision.kind == "complete":
        return Item(item_id, address, CHECK, "info", "in_sync", before=after, after=after, reason=decision.why)
    if decision.kind == "refused" or importer:
        hint = (
            "Ask for the same days and until as it had, or give it up with restart: true (with the playbooks: "
            "-e amazon_orders_restart=true)."
        )
        return blocked(item_id, address, importer, decision.why, hint)
    missing = decision.kind == "start" and not decision.abandon
    return Item(
        item_id,
        address,
        CHECK,
        "high",
        "missing" if missing else "drifted",
        "create" if missing else "update",
        before="not imported" if missing else "imported in part",
        after=after,
        reason=f"{decision.why} The product does not show these orders.",
        hint="Run keybuzz.amazon.amazon_orders_backfill for this tenant.",
        depends_on=(f"amazon_tenant/{wanted.tenant}/grant",),
    )
