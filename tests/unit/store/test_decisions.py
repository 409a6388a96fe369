# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which window is wanted and whether it is there; names of tables; what is missing of a table."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Counters
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import (
    Wanted,
    check_wanted,
    decide,
    plan,
    wanted_window,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.source_search import SearchSource
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Task
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import schema, tables
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import COMPLETED, RUNNING, Run
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.schema import Found
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 12, 12, 5, 30, tzinfo=UTC)
UNTIL = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
FR = "A13V1IB3VIYZZH"
EXACT = Wanted("t", FR, 90, UNTIL, 86400)
LATEST = replace(EXACT, until=None)


def run(status: str, *, before: datetime = UNTIL, days: int = 90, **given: Any) -> Run:
    after = before - timedelta(days=days)
    fields: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "tenant": "t",
        "marketplace_id": FR,
        "source": "search",
        "days": days,
        "after": after,
        "before": before,
        "query": SearchSource().query(Task(FR, after, before)),
        "status": status,
        "page_token": "token" if status == RUNNING else None,
        "page_token_at": NOW - timedelta(minutes=5) if status == RUNNING else None,
        "pages": 3,
        "restarts": 0,
        "counters": {"rows_orders": 94, "rows_items": 117, "fetched": 94},
        "started_at": NOW,
        "updated_at": NOW,
        "completed_at": None,
    }
    return Run(**{**fields, **given})


def test_a_window_ends_at_the_last_full_minute_that_has_settled() -> None:
    assert wanted_window(LATEST, NOW)[1] == datetime(2026, 1, 12, 12, 3, tzinfo=UTC)


def test_nothing_on_record_is_missing() -> None:
    decision = decide(EXACT, (), {}, NOW)
    item = plan(EXACT, decision, "orders", "db")
    assert (decision.kind, item.status, item.action) == ("start", "missing", "create")
    assert item.depends_on == ("amazon_tenant/t/grant",)


def test_a_completed_window_with_its_rows_is_in_sync() -> None:
    done = run(COMPLETED)
    decision = decide(EXACT, (done,), {done.id: (94, 117)}, NOW)
    assert plan(EXACT, decision, "orders", "db").status == "in_sync"
    assert decide(LATEST, (done,), {done.id: (100, 120)}, NOW).kind == "complete"


@pytest.mark.parametrize("rows", [(93, 117), (94, 116), (0, 0)])
def test_a_completed_window_without_all_its_rows_has_drifted(rows: tuple[int, int]) -> None:
    done = run(COMPLETED)
    decision = decide(EXACT, (done,), {done.id: rows}, NOW)
    assert decision.kind == "rows_missing"
    assert decision.window == wanted_window(EXACT, NOW)


def test_an_unfinished_run_that_brings_lost_rows_back_is_gone_on_with() -> None:
    done = run(COMPLETED, started_at=NOW - timedelta(hours=3))
    again = run(RUNNING, started_at=NOW - timedelta(hours=1), counters={"rows_orders": 50, "rows_items": 60})
    decision = decide(EXACT, (again, done), {done.id: (50, 60), again.id: (50, 60)}, NOW)
    assert (decision.kind, decision.run, decision.from_start) == ("resume", again, False)
    other = replace(again, days=30)
    assert decide(EXACT, (other, done), {done.id: (50, 60), again.id: (50, 60)}, NOW).kind == "refused"
    older = replace(again, started_at=NOW - timedelta(hours=5))
    assert decide(EXACT, (done, older), {done.id: (50, 60)}, NOW).abandon == (older.id,)


def test_an_unfinished_run_whose_rows_are_gone_begins_its_window_again() -> None:
    unfinished = run(RUNNING)
    decision = decide(EXACT, (unfinished,), {unfinished.id: (94, 116)}, NOW)
    assert (decision.kind, decision.from_start) == ("resume", True)
    assert "94 and 116" in decision.why
    assert not decide(EXACT, (unfinished,), {unfinished.id: (94, 117)}, NOW).from_start


def test_a_window_of_other_days_or_another_end_does_not_count() -> None:
    other = run(COMPLETED, days=30), run(COMPLETED, before=UNTIL - timedelta(minutes=1))
    assert decide(EXACT, other, {}, NOW).kind == "start"


def test_without_until_a_window_counts_for_as_long_as_it_is_fresh() -> None:
    old = run(COMPLETED, before=NOW - timedelta(hours=25))
    assert decide(LATEST, (old,), {old.id: (94, 117)}, NOW).kind == "start"
    assert decide(replace(LATEST, fresh_for=90000 + 60), (old,), {old.id: (94, 117)}, NOW).kind == "complete"


def test_an_unfinished_run_is_gone_on_with() -> None:
    unfinished = run(RUNNING)
    decision = decide(EXACT, (unfinished,), {}, NOW)
    assert (decision.kind, decision.run, decision.from_start) == ("resume", unfinished, False)
    assert decide(LATEST, (unfinished,), {}, NOW).kind == "resume"


@pytest.mark.parametrize(
    "given", [{"page_token_at": NOW - timedelta(hours=24)}, {"page_token": None, "page_token_at": None}]
)
def test_an_unfinished_run_whose_token_is_dead_begins_its_window_again(given: dict[str, Any]) -> None:
    assert decide(EXACT, (run(RUNNING, **given),), {}, NOW).from_start


def test_a_run_that_never_got_a_page_needs_no_token() -> None:
    assert not decide(EXACT, (run(RUNNING, pages=0, page_token=None),), {}, NOW).from_start


def test_other_parameters_are_refused_unless_restart_is_set() -> None:
    unfinished = run(RUNNING, days=30)
    assert decide(EXACT, (unfinished,), {}, NOW).kind == "refused"
    decision = decide(replace(EXACT, restart=True), (unfinished,), {}, NOW)
    assert (decision.kind, decision.abandon) == ("start", (unfinished.id,))


def test_an_old_unfinished_run_is_given_up_when_only_a_fresh_window_counts() -> None:
    old = run(RUNNING, before=NOW - timedelta(days=3))
    assert decide(LATEST, (old,), {}, NOW).abandon == (old.id,)


@pytest.mark.parametrize(
    "until", ["2026-01-12", "2026-01-12T12:00:00", "noon", "2026-01-12T12:04:00Z", "2027-01-01T00:00:00Z"]
)
def test_an_end_without_zone_or_too_near_is_refused(until: str) -> None:
    with pytest.raises(BadInputError):
        check_wanted(90, until, NOW)


@pytest.mark.parametrize("days", [0, -1, 731])
def test_days_beyond_amazons_history_are_refused(days: int) -> None:
    with pytest.raises(BadInputError, match="two years"):
        check_wanted(days, None, NOW)


def test_a_sum_that_does_not_come_out_is_an_error() -> None:
    Counters(fetched=3, inserted=1, stale=1, quarantined=1).check("db")
    for wrong in (Counters(fetched=1), Counters(inserted=1), Counters(items_fetched=2, items_stale=1)):
        with pytest.raises(UnexpectedAnswerError, match="accounted for"):
            wrong.check("db")


@given(st.text(min_size=1, max_size=30))
def test_no_name_of_a_table_can_leave_its_quotes(name: str) -> None:
    try:
        table = tables.orders_table(name, None)
    except BadInputError:
        return
    inner = ".".join(part[1:-1].replace('""', "") for part in table.quoted.split("."))
    assert '"' not in inner.replace(".", "")


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("a.b.c", {}),
        (".orders", {}),
        ("orders", {"orderDate": ""}),
        ("orders", {"orderdate": "x"}),
        ("orders", {"orderRef": "x", "currency": "x"}),
        ("orders", {"orderRef": "10%"}),
    ],
)
def test_names_that_cannot_work_are_refused(name: str, columns: dict[str, str]) -> None:
    with pytest.raises(BadInputError):
        tables.orders_table(name, columns)


def test_a_table_that_has_everything_has_no_problem() -> None:
    table = tables.tenants_table("tenants", None)
    found = Found(True, dict.fromkeys(tables.TENANTS, "text"), frozenset({"SELECT"}))
    assert schema.problems(table, found, "r") == ()


def test_a_missing_unique_key_is_named() -> None:
    table = tables.orders_table("orders", None)
    found = Found(True, dict.fromkeys(tables.ORDERS, "text"), frozenset({"SELECT", "INSERT", "UPDATE"}))
    (problem,) = schema.problems(table, found, "r")
    assert problem.ddl == 'CREATE UNIQUE INDEX ON "orders" ("tenantId", "externalOrderId");'
