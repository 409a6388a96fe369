# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which source ends first: the arithmetic of Amazon's usage plans for full and for empty buckets."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_plan import (
    Plan,
    choose,
    expected_after,
    looks,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import quota
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.quota import Bucket
from hypothesis import given
from hypothesis import strategies as st

NINETY = timedelta(days=90)
TODAY = date(2026, 1, 12)
EMPTY = {name: Bucket(plan.rate, plan.burst, 0.0, 0.0) for name, plan in quota.PLANS.items()}
DAY, HOUR = 86_400.0, 3600.0
# Orders to seconds of waiting by search and v0, with full and with empty buckets: P pages of 100 at 0.0056/s behind
# 20, a list of lines for each order at 0.5/s behind 30 (Amazon: usage plans of both APIs).
LOWER_BOUNDS = {
    94: (0, 178.6, 128, 188),
    1_000: (0, 1785.7, 1940, 2000),
    10_000: (14_286, 17_857, 19_940, 20_000),
    100_000: (175_000, 178_571, 199_940, 200_000),
    1_000_000: (20.63 * DAY, 20.67 * DAY, 23.15 * DAY, 23.15 * DAY),
}


def waits(plan: Plan) -> dict[str, float]:
    return {one.source: one.waiting for one in plan.estimates}


@pytest.mark.parametrize("orders", LOWER_BOUNDS)
def test_the_waits_are_the_lower_bounds_of_the_usage_plan(orders: int) -> None:
    search, search_cold, v0, v0_cold = LOWER_BOUNDS[orders]
    warm = waits(choose({}, orders, "as given", NINETY, today=TODAY))
    cold = waits(choose(EMPTY, orders, "as given", NINETY, today=TODAY))
    assert (warm["search"], warm["v0"]) == (pytest.approx(search, rel=1e-3), pytest.approx(v0, rel=1e-3))
    assert (cold["search"], cold["v0"]) == (pytest.approx(search_cold, rel=1e-3), pytest.approx(v0_cold, rel=1e-3))
    assert warm["report"] == 0
    # Three reports from nothing are three tokens of createReport at 0.0167/s.
    assert cold["report"] == pytest.approx(3 / 0.0167)


@pytest.mark.parametrize(
    ("orders", "warm", "cold"),
    [
        (1, "search", "v0"),
        (94, "search", "search"),
        (1_000, "search", "report"),
        (2_000, "search", "report"),
        (10_000, "report", "report"),
        (100_000, "report", "report"),
        (1_000_000, "report", "report"),
    ],
)
def test_the_source_that_ends_first_is_taken(orders: int, warm: str, cold: str) -> None:
    assert choose({}, orders, "as given", NINETY, today=TODAY).source == warm
    assert choose(EMPTY, orders, "as given", NINETY, today=TODAY).source == cold


def test_search_is_taken_up_to_where_its_bucket_ends_and_a_report_soon_behind_it() -> None:
    taken = [choose({}, 100 * pages, "as given", NINETY, today=TODAY).source for pages in range(1, 40)]
    assert taken == sorted(taken, reverse=True)
    assert 20 <= taken.count("search") <= 23


def test_calls_are_counted_by_operation() -> None:
    plan = choose({}, 10_000, "as given", NINETY, today=TODAY)
    calls = {one.source: dict(one.calls) for one in plan.estimates}
    assert calls["search"] == {"searchOrders": 100}
    assert calls["v0"] == {"getOrders": 100, "getOrderItems": 10_000}
    assert (calls["report"]["createReport"], calls["report"]["getReportDocument"]) == (3, 3)
    assert 3 < calls["report"]["getReport"] < 120


@pytest.mark.parametrize(("days", "reports"), [(1, 1), (30, 1), (31, 2), (90, 3), (91, 4), (730, 25)])
def test_a_window_needs_a_report_for_every_thirty_days(days: int, reports: int) -> None:
    plan = choose({}, 94, "as given", timedelta(days=days), today=TODAY, among=["report"])
    (estimate,) = plan.estimates
    assert estimate.calls["createReport"] == reports
    # Two years are more reports than the bucket holds.
    assert estimate.waiting == pytest.approx(max(0, reports - 15) / 0.0167)


def test_v0_is_not_taken_any_more_from_the_day_on_which_amazon_removes_it() -> None:
    slow = {**EMPTY, "getOrderItems": Bucket(0.5, 30, 30, 0), "getOrders": Bucket(0.0167, 20, 20, 0)}
    assert choose(slow, 10, "as given", NINETY, today=date(2027, 3, 26)).source == "v0"
    plan = choose(slow, 10, "as given", NINETY, today=date(2027, 3, 27))
    assert plan.source == "search"
    assert "v0" not in waits(plan)


def test_who_insists_on_v0_gets_a_plan_for_it_even_then() -> None:
    assert choose({}, 10, "as given", NINETY, today=date(2027, 4, 1), among=["v0"]).source == "v0"


def test_a_report_that_was_made_lately_counts_instead_of_what_is_assumed() -> None:
    assert choose({}, 94, "as given", NINETY, today=TODAY).estimates[1].making == pytest.approx(300, abs=1)
    reports = {name: Bucket(0.0167, 15, 15, 0) for name in ("createReport", "getReportDocument")}
    quick = choose(EMPTY | reports, 94, "as given", NINETY, today=TODAY, making=12)
    assert (quick.source, quick.estimates[1].making) == ("report", 12)


def test_a_number_that_nobody_knows_is_found_out_with_one_page() -> None:
    plan = choose({}, None, "", NINETY, today=TODAY)
    assert (plan.source, plan.orders) == ("search", None)
    assert [dict(one.calls) for one in plan.estimates] == [{"searchOrders": 1}]
    assert "20 pages of 100 orders can be read at once, then one in 179 s" in plan.why
    assert "then decides whether a report ends earlier" in plan.why
    alone = choose({}, None, "", NINETY, today=TODAY, among=["search"])
    assert "then decides" not in alone.why


@pytest.mark.parametrize("source", ["report", "v0"])
def test_without_search_there_is_nothing_to_find_out(source: str) -> None:
    plan = choose({}, None, "", NINETY, today=TODAY, among=[source])
    assert (plan.source, plan.estimates) == (source, ())
    assert plan.why.startswith(f"source {source}, the only one to choose from;")


def test_the_reason_names_what_it_is_instead_of() -> None:
    why = choose({}, 10_000, "as many a day as the last time", NINETY, today=TODAY).why
    assert why.startswith("source report ")
    assert "for 10000 orders (as many a day as the last time); instead of search 100 calls, 14286 s of waiting" in why
    assert why.endswith("v0 10100 calls, 19940 s of waiting.")
    assert "1 order (as given)" in choose({}, 1, "as given", NINETY, today=TODAY).why


def test_the_facts_of_a_plan_are_plain() -> None:
    facts = choose({}, 94, "as given", NINETY, today=TODAY).facts()
    assert (facts["source"], facts["expected_orders"], facts["expected_from"]) == ("search", 94, "as given")
    assert facts["calls_before"] == {}
    estimates = facts["estimates"]
    assert isinstance(estimates, list)
    assert estimates[0] == {
        "source": "search",
        "calls": {"searchOrders": 1},
        "waiting_seconds": 0.0,
        "making_seconds": 0.0,
        "seconds": 0.5,
    }


@given(
    st.integers(1, 2_000_000),
    st.dictionaries(st.sampled_from(sorted(quota.PLANS)), st.floats(0, 1)),
    st.sets(st.sampled_from(["search", "report", "v0"]), min_size=1),
    st.integers(1, 730),
)
def test_no_other_source_would_end_earlier(orders: int, full: dict[str, float], among: set[str], days: int) -> None:
    buckets = {
        name: Bucket(quota.PLANS[name].rate, quota.PLANS[name].burst, quota.PLANS[name].burst * share, 0.0)
        for name, share in full.items()
    }
    plan = choose(buckets, orders, "as given", timedelta(days=days), today=TODAY, among=sorted(among))
    taken = next(one for one in plan.estimates if one.source == plan.source)
    assert {one.source for one in plan.estimates} == among
    assert all(taken.seconds <= one.seconds for one in plan.estimates)
    assert all(one.waiting >= 0 and all(count >= 1 for count in one.calls.values()) for one in plan.estimates)


@pytest.mark.parametrize(
    ("fetched", "covered", "expected"),
    [(100, 1.0, 100), (100, 0.02, 5000), (100, 0.33, 304), (2000, 0.5, 4000), (100, None, 200), (1, 1.0, 1)],
)
def test_the_pages_so_far_tell_how_many_orders_there_are(fetched: int, covered: float | None, expected: int) -> None:
    assert expected_after(fetched, covered) == expected


def test_a_page_that_covers_nothing_does_not_divide_by_zero() -> None:
    assert 100 <= expected_after(100, 0.0) <= 10**9


@pytest.mark.parametrize(("seconds", "at_most"), [(0, 1), (1, 2), (20, 21), (300, 80), (3600, 150)])
def test_a_report_is_looked_at_seldom_and_its_end_is_noticed_a_twentieth_late(seconds: float, at_most: int) -> None:
    assert 1 <= looks(seconds) <= at_most
    assert orders_plan.source_report.PAUSE_SHARE == 0.05
