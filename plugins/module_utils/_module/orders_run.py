# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One tenant of the modes that read a window: import what is missing."""

from __future__ import annotations

import ssl
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, applied
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, BlockedError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    orders_facts,
    orders_follow,
    orders_import,
    orders_plan,
    orders_window,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import Asking
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import (
    SAMPLE,
    Call,
    Seen,
    look,
    plan_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_prediction import planned
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_progress import Progress
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_seller import (
    Seller,
    asking,
    believed,
    partner_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_sources import AUTO, SOURCES
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_names import could_not_check
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import refuse_unplanned
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import source_v0
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import InvalidGrant
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Page, Task
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import checkpoint, lock, summary
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import BACKFILL, Run

if TYPE_CHECKING:
    from collections.abc import Callable


def apply(call: Call, seller: Callable[[], Seller], context: Callable[[], ssl.SSLContext]) -> Outcome:
    """Import what is missing. The lock and the import's own tables are the caller's matter.

    :param seller: reads the seller's credentials, once it is known that they are needed.
    :raises KeybuzzError: what stopped it, with what was found and done as its ``outcome``.
    """
    # Somebody else may have imported between an earlier look and the lock.
    seen = look(call)
    item = planned(call, seen)
    if seen.decision.kind == "complete":
        return Outcome((item,), changed=False, remaining=applied((item,)), facts=orders_facts.of_window(seen))
    if seen.decision.kind == "refused":
        kind = BadInputError if call.mode == BACKFILL else BlockedError
        raise kind("importing", item.address, seen.decision.why.rstrip("."), item.hint)
    refuse_unplanned((item,), call.params.get("planned"))
    return _Work(call, seen, item, seller(), context()).done()


class _Work:
    """One import of one tenant."""

    def __init__(self, call: Call, seen: Seen, item: Item, seller: Seller, context: ssl.SSLContext) -> None:
        self.call = call
        self.seen = seen
        self.item = item
        self.seller = seller
        self.context = context
        self.work = orders_import.Import(
            sessions=call.sessions,
            runs=call.store.runs,
            targets=seen.targets,
            page_size=call.params["page_size"],
            max_quarantine_ratio=call.params["max_quarantine_ratio"],
        )
        self.plan = seen.plan or plan_of(call, seen.wanted, seen.decision, seen.runs, believed(call, seller))
        self.run: Run | None = None
        self.resumed = seen.decision.kind == "resume"

    def done(self) -> Outcome:
        """Import until the window is complete."""
        call = self.call
        with (
            closing(partner_of(call, self.seller, self.seen.wanted.marketplace_id, self.context)) as partner,
            closing(orders_facts.progress(call, self.plan)) as progress,
        ):
            ask = asking(call, self.seller, partner, progress)
            try:
                ended = self._read(ask, progress)
            except KeybuzzError as error:
                error.outcome = self._stopped(error, ask)  # type: ignore[attr-defined]
                raise
            finally:
                self._release()
        return self._finished(ended, ask)

    def _read(self, ask: Asking, progress: Progress) -> orders_import.Ended:
        self.run = self._begin()
        ask.beat = self._heart()
        while True:
            ended = orders_import.complete(
                self.work,
                self.run,
                ask,
                progress,
                window=self._found_in(),
                stop=partial(self._better_plan, ask, progress),
            )
            self.run = ended.run
            if ended.stopped is None:
                self.run = self._with_making(ended.run, ask)
                return replace(ended, run=self.run)
            self.run = self._instead(ended.run)

    def _begin(self) -> Run:
        """The run to go on with, or a new one, recorded before Amazon is asked for anything."""
        call, decision = self.call, self.seen.decision
        beats = call.params["lock"] == "heartbeat"
        with call.sessions.transaction("recording the import in") as cursor:
            lock.settle(cursor, self.work.runs, call.tenant, holder=call.holder, where=call.where, own=call.own)
            checkpoint.abandon(cursor, self.work.runs, decision.abandon)
            if decision.kind == "resume" and decision.run is not None:
                run = checkpoint.adopt(cursor, self.work.runs, decision.run, call.holder, beats=beats)
            else:
                return self._new(cursor, self.plan.source)
        return orders_import.from_start(self.work, run) if decision.from_start else run

    def _new(self, cursor: Any, source: str) -> Run:
        call, wanted = self.call, self.seen.wanted
        window, done = self.seen.decision.window, self.seen.decision.looked_through
        created = call.mode == BACKFILL or (done is not None and source == "report")
        if done is not None and created:
            window = (done.after, done.before)
        task = Task(wanted.marketplace_id, *window, "created" if created else "updated")
        return checkpoint.begin(
            cursor,
            self.work.runs,
            tenant=wanted.tenant,
            marketplace_id=wanted.marketplace_id,
            source=source,
            days=wanted.days,
            window=window,
            query=SOURCES[source].query(task),
            counters=orders_import.first_counters(cursor, self.seen.targets, task, wanted.tenant),
            mode=call.mode,
            holder=call.holder,
            beats=call.params["lock"] == "heartbeat",
        )

    def _instead(self, run: Run) -> Run:
        """Give a run up for one with the source that ends first; its rows stay."""
        with self.call.sessions.transaction("recording the import in") as cursor:
            checkpoint.abandon(cursor, self.work.runs, [run.id])
            return self._new(cursor, self.plan.source)

    def _better_plan(self, ask: Asking, progress: Progress, run: Run, page: Page) -> str | None:
        """Once a page tells how many orders there are: whether another source ends before the rest of this one."""
        fetched = int(run.counters["fetched"])
        if self.seen.wanted.source != AUTO or run.source != "search" or fetched <= (self.plan.orders or 0):
            return None
        expected = orders_plan.expected_after(fetched, _covered(run, page))
        buckets = believed(self.call, self.seller)
        done = self.seen.decision.looked_through
        among = orders_follow.other_ways(done) if done else ("search", "report", "v0")
        plan = orders_plan.choose(
            buckets,
            max(1, expected - fetched),
            "to come, by the first page" if run.pages == 1 else f"to come, by {run.pages} pages",
            run.before - run.after,
            today=datetime.now(UTC).date(),
            making=self._making_before(),
            among=among,
            page_size=self.call.params["page_size"],
        )
        self.plan = replace(plan, orders=expected, calls_before=dict(ask.calls))
        progress.expects(expected, plan.source)
        return None if plan.source == "search" else plan.why

    def _making_before(self) -> float | None:
        return next((float(run.counters["making"]) for run in self.seen.runs if run.counters.get("making")), None)

    def _with_making(self, run: Run, ask: Asking) -> Run:
        """Remember how long Amazon made a report: the next plan reckons with it."""
        making = sum(seconds for why, seconds in ask.waited.items() if why.startswith(orders_facts.MAKING))
        if not making:
            return run
        with self.call.sessions.transaction("recording the import in") as cursor:
            checkpoint.count_again(cursor, self.work.runs, run, {"making": round(making)})
        return replace(run, counters={**run.counters, "making": round(making)})

    def _found_in(self) -> tuple[datetime, datetime] | None:
        """Of a reconciliation: the window whose orders the list may have missed."""
        done = self.seen.decision.looked_through
        return (done.after, done.before) if done else None

    def _heart(self) -> Callable[[], None]:
        last = time.monotonic()

        def beat() -> None:
            nonlocal last
            if self.call.params["lock"] != "heartbeat" or time.monotonic() - last < lock.BEAT_EVERY:
                return
            last = time.monotonic()
            if self.run is not None:
                with self.call.sessions.transaction("saying that the import is alive in") as cursor:
                    checkpoint.beat(cursor, self.work.runs, self.run)

        return beat

    def _release(self) -> None:
        # The next process may have the run at once; if this fails, it waits until the heartbeat is old.
        if self.run is not None:
            with suppress(KeybuzzError), self.call.sessions.transaction("releasing the import in") as cursor:
                checkpoint.release(cursor, self.work.runs, self.run)

    def _finished(self, ended: orders_import.Ended, ask: Asking) -> Outcome:
        run, call = ended.run, self.call
        window = summary.Window(run.tenant, run.marketplace_id, run.after, run.before)
        with call.sessions.transaction("counting the orders in") as cursor:
            rows = summary.summary(cursor, self.work.targets.orders, self.work.targets.items, window)
            sample = tuple(summary.newest(cursor, self.work.targets.orders, window, SAMPLE))
        done = orders_window.Decision("complete", (run.after, run.before), self.seen.decision.why, run)
        facts = orders_facts.of_window(replace(self.seen, decision=done, summary=rows, sample=sample))
        facts |= self._this_call(ask) | {"completeness": ended.proof.facts() if ended.proof else None}
        if call.mode == checkpoint.RECONCILE:
            facts["found_missing"] = {"count": ended.found_count, "orders": list(ended.found)}
        warnings = orders_facts.warnings(run, found=ended.found_count)
        if run.source == source_v0.V0Source.name:
            warnings = (*warnings, source_v0.WARNING)
        return Outcome((self.item,), changed=True, facts=facts, warnings=warnings)

    def _this_call(self, ask: Asking) -> dict[str, Any]:
        return {
            "resumed": self.resumed,
            "plan": self.plan.facts(),
            "this_call": orders_facts.this_call(ask, self.work.loaded),
        }

    def _stopped(self, error: KeybuzzError, ask: Asking) -> Outcome:
        """What there is when an import stops: what was stored stays, and who has to act is in the item."""
        items: tuple[Item, ...] = (self.item, could_not_check(orders_window.CHECK, self.call.tenant, error))
        if isinstance(error, InvalidGrant):
            reauthorize = replace(
                self.item,
                status="blocked",
                action="reauthorize",
                reason=f"{error.answered}: the seller's authorization ended; {self.item.reason}",
                hint=f"{error.remedy} Then run again: the import goes on where it was.",
            )
            items = (reauthorize,)
        loaded = self.work.loaded
        return Outcome(
            items,
            changed=bool(loaded.fetched),
            remaining=items,
            facts=self._this_call(ask) | {"run_id": self.run.id if self.run else None},
        )


def _covered(run: Run, page: Page) -> float | None:
    """The share of the window that the pages so far cover, when they come oldest first."""
    created = orders_window.task_of(run).family == "created"
    times = [order.orderDate if created else order.lastUpdatedAt for order in page.orders]
    if not times or times != sorted(times):
        return None
    share = (times[-1] - run.after).total_seconds() / max(1.0, (run.before - run.after).total_seconds())
    return share if 0 < share <= 1 else None
