# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The modes that follow a backfill: ``catch_up`` with what changed since, ``reconcile`` with what a list missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_sources import AUTO
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import (
    CHECK,
    Decision,
    Wanted,
    blocked,
    completed,
    place_lives,
    same_query,
    settled,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import iso
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import (
    BACKFILL,
    CATCH_UP,
    COMPLETED,
    RECONCILE,
    RUNNING,
    Run,
)

NAMES = {CATCH_UP: "updates", RECONCILE: "reconciled"}


def watermark(runs: Sequence[Run]) -> datetime | None:
    """Up to when every change is known to be in the tables: the end of the newest window that was read to its end.

    Of a backfill that is the end of its window too: what changed after it was read is later than that.
    """
    ends = [run.before for run in runs if run.status == COMPLETED and run.mode in {BACKFILL, CATCH_UP}]
    return max(ends, default=None)


def decide_catch_up(wanted: Wanted, runs: Sequence[Run], now: datetime) -> Decision:
    """What to read of the changes since the watermark."""
    known = watermark(runs)
    end = settled(now)
    if known is None:
        why = "No backfill of this tenant has been completed, so it is not known since when changes are missing."
        return Decision("refused", (end, end), why)
    window = (known - timedelta(seconds=wanted.overlap), end)
    unfinished = [run for run in runs if run.status == RUNNING and run.mode == CATCH_UP]
    if unfinished:
        return _go_on(wanted, unfinished, window, now, "A catch-up")
    lag = (now - known).total_seconds()
    if lag <= wanted.max_lag or end <= known:
        return Decision("complete", window, f"All changes until {iso(known)} are in the tables.")
    return Decision("start", window, f"Changes since {iso(known)} are not in the tables; that is {lag:.0f} s ago.")


def decide_reconcile(wanted: Wanted, runs: Sequence[Run], now: datetime) -> Decision:
    """Whether the imported window has been looked through a second time, another way."""
    # Whichever source imported it: the one that is wanted is the one of the second look.
    done = completed(replace(wanted, source=AUTO), runs, now)
    if done is None:
        why = "No backfill of this window has been completed, so there is nothing to look through a second time."
        return Decision("refused", (settled(now), settled(now)), why)
    window = (done.after, settled(now))
    unfinished = [run for run in runs if run.status == RUNNING and run.mode == RECONCILE]
    if unfinished:
        return replace(_go_on(wanted, unfinished, window, now, "A reconciliation"), looked_through=done)
    since = done.completed_at or done.started_at
    for run in runs:
        fits = run.mode == RECONCILE and run.status == COMPLETED and run.after == done.after
        if fits and run.completed_at and run.completed_at >= since:
            why = f"The window was looked through a second time (by {run.source}) at {iso(run.completed_at)}."
            return Decision("complete", window, why, run)
    return Decision(
        "start", window, f"The window was read once (by {done.source}), and not a second time.", looked_through=done
    )


def other_ways(run: Run | None) -> tuple[str, ...]:
    """Sources that find a window's orders in another way than the run that imported it.

    searchOrders is asked by the time of the last change instead of the creation: another index of Amazon's.
    """
    return ("search",) if run is not None and run.source == "report" else ("search", "report")


def _go_on(
    wanted: Wanted, unfinished: Sequence[Run], window: tuple[datetime, datetime], now: datetime, what: str
) -> Decision:
    run, ids = unfinished[0], tuple(one.id for one in unfinished)
    if wanted.restart or not same_query(run) or wanted.source not in {AUTO, run.source}:
        return Decision("start", window, f"{what} that was not finished is given up for a new one.", abandon=ids)
    dead = run.pages > 0 and not place_lives(run, now)
    why = f"{what} stopped after {run.pages} pages and {run.counters.get('fetched', 0)} orders"
    why += "; its page token has died, so it is read from the start again." if dead else "."
    return Decision("resume", (run.after, run.before), why, run, from_start=dead, abandon=ids[1:])


def plan_follow(wanted: Wanted, decision: Decision, orders_table: str, where: str, importer: str | None = None) -> Item:
    """The one item of these modes."""
    address = f"table {orders_table} tenantId={wanted.tenant} marketplace {wanted.marketplace_id} in {where}"
    item_id = f"{CHECK}/{wanted.tenant}/{NAMES[wanted.mode]}"
    window = f"{iso(decision.window[0])}/{iso(decision.window[1])}"
    if decision.kind == "complete":
        return Item(item_id, address, CHECK, "info", "in_sync", before=window, after=window, reason=decision.why)
    if decision.kind == "refused" or importer:
        hint = "Import the window first: keybuzz.amazon.amazon_orders_backfill with mode: backfill."
        item = blocked(item_id, address, importer, decision.why, hint)
        return item if importer else replace(item, depends_on=(f"{CHECK}/{wanted.tenant}/window",))
    catching_up = wanted.mode == CATCH_UP
    return Item(
        item_id,
        address,
        CHECK,
        "medium" if catching_up else "low",
        "stale" if catching_up else "drifted",
        "update",
        before="older" if catching_up else "read once",
        after=f"all changes of {window}" if catching_up else f"read a second time, {window}",
        reason=f"{decision.why} " + ("The product shows these orders as they were." if catching_up else ""),
        hint=f"Run keybuzz.amazon.amazon_orders_backfill for this tenant with mode: {wanted.mode}.",
        depends_on=(f"amazon_tenant/{wanted.tenant}/grant",),
    )
