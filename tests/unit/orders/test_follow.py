# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modes behind a backfill: since when changes are missing, and whether a window was looked through twice."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_follow import (
    decide_catch_up,
    decide_reconcile,
    other_ways,
    plan_follow,
    watermark,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_sources import SOURCES
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import Wanted, settled, task_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import (
    ABANDONED,
    BACKFILL,
    CATCH_UP,
    COMPLETED,
    RECONCILE,
    REPLAY,
    RUNNING,
    Run,
)

FR = "A13V1IB3VIYZZH"
NOW = datetime(2026, 1, 12, 14, 0, 30, tzinfo=UTC)
UNTIL = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
CHANGES = Wanted("t", FR, 90, None, 86_400, mode=CATCH_UP)
SECOND_LOOK = Wanted("t", FR, 90, UNTIL, 86_400, mode=RECONCILE)


def run(mode: str, status: str, *, before: datetime = UNTIL, source: str = "search", **given: Any) -> Run:
    fields: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "tenant": "t",
        "marketplace_id": FR,
        "source": source,
        "days": 90,
        "after": before - timedelta(days=90),
        "before": before,
        "query": {},
        "status": status,
        "page_token": "token" if status == RUNNING else None,
        "page_token_at": NOW - timedelta(minutes=5) if status == RUNNING else None,
        "pages": 3,
        "restarts": 0,
        "counters": {"fetched": 300},
        "started_at": UNTIL,
        "updated_at": UNTIL,
        "completed_at": UNTIL + timedelta(minutes=1) if status == COMPLETED else None,
        "mode": mode,
    }
    made = Run(**{**fields, **given})
    return made if "query" in given else replace(made, query=SOURCES[source].query(task_of(made)))


DONE = run(BACKFILL, COMPLETED)


def test_the_watermark_is_the_end_of_the_newest_window_that_was_read_to_its_end() -> None:
    later = UNTIL + timedelta(hours=1)
    assert watermark([]) is None
    assert watermark([run(BACKFILL, RUNNING), run(CATCH_UP, RUNNING)]) is None
    assert watermark([DONE, run(CATCH_UP, COMPLETED, before=later)]) == later
    assert watermark([run(RECONCILE, COMPLETED, before=later), run(REPLAY, COMPLETED, before=later), DONE]) == UNTIL
    assert watermark([run(CATCH_UP, ABANDONED, before=later), DONE]) == UNTIL


def test_without_a_backfill_nobody_knows_since_when_changes_are_missing() -> None:
    decision = decide_catch_up(CHANGES, [run(BACKFILL, RUNNING)], NOW)
    item = plan_follow(CHANGES, decision, "orders", "db")
    assert (decision.kind, item.status, item.action) == ("refused", "blocked", "none")
    assert item.depends_on == ("amazon_orders/t/window",)
    assert "mode: backfill" in item.hint


def test_changes_are_read_from_the_watermark_minus_the_overlap_to_what_has_settled() -> None:
    decision = decide_catch_up(CHANGES, [DONE], NOW)
    assert decision.kind == "start"
    assert decision.window == (UNTIL - timedelta(minutes=10), settled(NOW))
    item = plan_follow(CHANGES, decision, "orders", "db")
    assert (item.id, item.status, item.action) == ("amazon_orders/t/updates", "stale", "update")
    assert "7230 s ago" in item.reason


@pytest.mark.parametrize(("lag", "kind"), [(900, "complete"), (901, "start"), (120, "complete")])
def test_a_watermark_that_lies_back_less_than_max_lag_is_in_sync(lag: int, kind: str) -> None:
    done = run(BACKFILL, COMPLETED, before=NOW - timedelta(seconds=lag))
    assert decide_catch_up(CHANGES, [done], NOW).kind == kind


def test_a_watermark_of_what_has_just_settled_leaves_nothing_to_read_whatever_max_lag_says() -> None:
    done = run(CATCH_UP, COMPLETED, before=settled(NOW))
    decision = decide_catch_up(replace(CHANGES, max_lag=0), [done], NOW)
    assert decision.kind == "complete"
    assert plan_follow(CHANGES, decision, "orders", "db").status == "in_sync"


def test_an_unfinished_catch_up_is_gone_on_with_and_older_ones_are_given_up() -> None:
    newest, older = run(CATCH_UP, RUNNING, before=NOW - timedelta(hours=1)), run(CATCH_UP, RUNNING)
    decision = decide_catch_up(CHANGES, [newest, older, DONE], NOW)
    assert (decision.kind, decision.run, decision.abandon) == ("resume", newest, (older.id,))
    assert decision.window == (newest.after, newest.before)
    assert "stopped after 3 pages and 300 orders" in decision.why


def test_a_catch_up_whose_page_token_has_died_is_read_from_the_start_again() -> None:
    dead = run(CATCH_UP, RUNNING, page_token_at=NOW - timedelta(hours=24))
    decision = decide_catch_up(CHANGES, [dead, DONE], NOW)
    assert (decision.kind, decision.from_start) == ("resume", True)
    assert "page token has died" in decision.why


@pytest.mark.parametrize(
    "changes",
    [
        {"wanted": replace(CHANGES, restart=True)},
        {"wanted": replace(CHANGES, source="report")},
        {"query": {"of": "another release"}},
    ],
    ids=["restart", "source", "query"],
)
def test_an_unfinished_catch_up_that_is_of_no_use_is_given_up(changes: dict[str, Any]) -> None:
    unfinished = run(CATCH_UP, RUNNING, **{name: value for name, value in changes.items() if name == "query"})
    decision = decide_catch_up(changes.get("wanted", CHANGES), [unfinished, DONE], NOW)
    assert (decision.kind, decision.abandon) == ("start", (unfinished.id,))
    # Nothing between the watermark and now is left out by giving it up.
    assert decision.window == (UNTIL - timedelta(minutes=10), settled(NOW))


def test_a_window_that_was_never_imported_cannot_be_looked_through_a_second_time() -> None:
    assert decide_reconcile(SECOND_LOOK, [run(BACKFILL, RUNNING)], NOW).kind == "refused"
    assert decide_reconcile(SECOND_LOOK, [run(BACKFILL, COMPLETED, days=30)], NOW).kind == "refused"


def test_a_window_that_was_read_once_is_looked_through_up_to_now() -> None:
    decision = decide_reconcile(SECOND_LOOK, [DONE], NOW)
    assert (decision.kind, decision.looked_through) == ("start", DONE)
    assert decision.window == (DONE.after, settled(NOW))
    item = plan_follow(SECOND_LOOK, decision, "orders", "db")
    assert (item.id, item.severity, item.status) == ("amazon_orders/t/reconciled", "low", "drifted")
    assert "read once (by search)" in item.reason


def test_a_window_that_was_looked_through_since_it_was_imported_is_in_sync() -> None:
    again = run(RECONCILE, COMPLETED, before=NOW, after=DONE.after, completed_at=NOW)
    assert decide_reconcile(SECOND_LOOK, [again, DONE], NOW).kind == "complete"


@pytest.mark.parametrize(
    "given",
    [
        {"completed_at": UNTIL - timedelta(hours=1)},
        {"completed_at": None},
        {"after": UNTIL - timedelta(days=30)},
    ],
    ids=["before the import", "never ended", "another window"],
)
def test_another_look_than_that_does_not_count(given: dict[str, Any]) -> None:
    fields = {"completed_at": NOW, "after": DONE.after, **given}
    again = run(RECONCILE, COMPLETED, before=NOW, **fields)
    assert decide_reconcile(SECOND_LOOK, [again, DONE], NOW).kind == "start"


def test_an_unfinished_second_look_is_gone_on_with() -> None:
    unfinished = run(RECONCILE, RUNNING, before=NOW, after=DONE.after)
    decision = decide_reconcile(SECOND_LOOK, [unfinished, DONE], NOW)
    assert (decision.kind, decision.run) == ("resume", unfinished)
    assert decision.why.startswith("A reconciliation stopped after 3 pages")


def test_the_second_look_goes_another_way_than_the_first() -> None:
    assert other_ways(run(BACKFILL, COMPLETED, source="report")) == ("search",)
    assert other_ways(DONE) == ("search", "report")
    assert other_ways(None) == ("search", "report")


@pytest.mark.parametrize("wanted", [CHANGES, SECOND_LOOK], ids=["catch_up", "reconcile"])
def test_somebody_elses_import_is_waited_for(wanted: Wanted) -> None:
    decide = decide_catch_up if wanted is CHANGES else decide_reconcile
    item = plan_follow(wanted, decide(wanted, [DONE], NOW), "orders", "db", importer="pid 7")
    assert (item.status, item.action, item.depends_on) == ("blocked", "none", ())
    assert "(pid 7)" in item.reason
