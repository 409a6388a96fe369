# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``source: auto``: the source that ends first, found out with one page at most, and told with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import WaitBudgetSpent

from lab import seed
from lab.amazon import fixture, oracle
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.integration_lab.orders.tables import complete, stored, versions
from tests.integration_lab.orders.test_reports import as_amazon_has_them, at_once

pytestmark = pytest.mark.lab
MANY = 5000


def many_orders(world: AmazonWorld) -> None:
    """A seller with more orders in the window than the searchOrders bucket has pages for."""
    at_once(world)
    world.amazon.admin.generate_orders(
        TENANT, MANY, start=fixture.SINCE, end=fixture.UNTIL, replace=True, procedural=True
    )


def quota(world: AmazonWorld, operation: str, tokens: float) -> None:
    """What is left in one of our own accounts of Amazon's usage plan."""
    world.query(
        "INSERT INTO amazon_quota VALUES (%(app)s, %(seller)s, %(operation)s, 0.0056, 20, %(tokens)s, now())"
        ' ON CONFLICT ("applicationId", "sellerId", operation)'
        ' DO UPDATE SET rate = 0.0056, burst = 20, tokens = %(tokens)s, "updatedAt" = now()',
        {
            "app": world.amazon.application_id,
            "seller": seed.SELLER_ID,
            "operation": operation,
            "tokens": tokens,
        },
    )


def of_both(world: AmazonWorld, by_search: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of which the oldest so many were read by search, and the others from a report."""
    orders = world.amazon.admin.orders(TENANT)
    first, items = oracle.rows_of(orders[:by_search], TENANT, source="search")
    others, other_items = oracle.rows_of(orders[by_search:], TENANT, source="report")
    return (
        sorted([*first, *others], key=lambda row: str(row["externalOrderId"])),
        sorted([*items, *other_items], key=lambda row: (row["externalOrderId"], row["externalItemId"])),
    )


def estimated(plan: dict[str, Any]) -> list[str]:
    return [one["source"] for one in plan["estimates"]]


def test_few_orders_are_read_by_search_in_one_call(world: AmazonWorld) -> None:
    outcome = world.import_orders()
    assert complete(world)
    assert [call["operation"] for call in world.calls()] == ["token", "searchOrders"]
    plan = outcome.facts["plan"]
    assert (outcome.facts["source"], plan["source"], plan["expected_orders"]) == ("search", "search", None)
    assert "not known before its first page (1 call), then decides whether a report ends earlier" in plan["why"]


def test_many_orders_are_found_out_by_one_page_and_read_from_reports(world: AmazonWorld) -> None:
    many_orders(world)
    outcome = world.import_orders()
    assert stored(world) == of_both(world, 100)
    assert len(world.calls("searchOrders")) == 1
    assert len(world.calls("createReport")) == 3
    facts, plan = outcome.facts, outcome.facts["plan"]
    assert (facts["source"], plan["source"], facts["order_count"]) == ("report", "report", MANY)
    assert plan["calls_before"] == {"searchOrders": 1}
    assert MANY * 0.7 < plan["expected_orders"] < MANY * 1.4
    assert plan["expected_from"] == "to come, by the first page"
    assert plan["why"].startswith("source report ")
    assert "instead of search " in plan["why"]
    assert estimated(plan) == ["search", "report", "v0"]
    proof = facts["completeness"]
    assert (proof["named_by_amazon"], proof["stored"], proof["missing"], proof["doubtful"]) == (MANY, MANY, 0, 0)
    assert world.query("SELECT source, status FROM amazon_backfill_runs ORDER BY 1") == [
        ("report", "COMPLETED"),
        ("search", "ABANDONED"),
    ]
    bases = dict(world.query('SELECT "amountBasis", count(*) FROM orders WHERE "amountBasis" IS NOT NULL GROUP BY 1'))
    assert 0 < bases["GRAND_TOTAL"] <= 100 < bases["REPORT_COMPONENTS"]
    before = versions(world)
    world.amazon.admin.clear_requests()
    assert not world.import_orders().changed
    assert world.calls() == []
    assert versions(world) == before


def test_an_expected_number_makes_the_first_page_needless(world: AmazonWorld) -> None:
    many_orders(world)
    outcome = world.import_orders(expected_orders=MANY)
    assert stored(world) == of_both(world, 0)
    assert world.calls("searchOrders") == []
    plan = outcome.facts["plan"]
    assert (plan["source"], plan["expected_orders"], plan["expected_from"]) == ("report", MANY, "as given")
    assert plan["calls_before"] == {}


def test_an_expected_number_that_is_too_low_is_corrected_by_the_pages(world: AmazonWorld) -> None:
    many_orders(world)
    outcome = world.import_orders(expected_orders=50)
    assert (outcome.facts["source"], outcome.facts["order_count"]) == ("report", MANY)
    assert stored(world) == of_both(world, 100)


def test_a_change_of_source_that_is_interrupted_goes_on_with_the_reports(world: AmazonWorld) -> None:
    many_orders(world)
    world.amazon.admin.inject("report-stuck", count=None)
    with pytest.raises(WaitBudgetSpent, match="Amazon prepares") as caught:
        world.import_orders(wait_budget=0)
    assert caught.value.outcome.facts["plan"]["source"] == "report"  # type: ignore[attr-defined]
    world.amazon.admin.clear()
    world.amazon.admin.clear_requests()
    outcome = world.import_orders()
    assert outcome.facts["resumed"] is True
    assert world.calls("searchOrders") == world.calls("createReport") == []
    assert stored(world) == of_both(world, 100)


def test_check_mode_answers_with_a_plan_and_asks_nobody(world: AmazonWorld) -> None:
    many_orders(world)
    plan = world.import_orders(check_mode=True, role="audit").facts["plan"]
    assert (plan["source"], plan["expected_orders"], estimated(plan)) == ("search", None, ["search"])
    plan = world.import_orders(check_mode=True, role="audit", expected_orders=MANY).facts["plan"]
    assert (plan["source"], plan["expected_orders"]) == ("report", MANY)
    by_source = {one["source"]: one for one in plan["estimates"]}
    # Amazon: 50 pages, of which 20 at once and then one in 178.6 s; a call a line list at 0.5/s behind the first 30.
    assert by_source["search"]["calls"] == {"searchOrders": 50}
    assert by_source["search"]["waiting_seconds"] == pytest.approx(30 / 0.0056, abs=0.1)
    assert by_source["v0"]["waiting_seconds"] == (MANY - 30) / 0.5
    assert by_source["report"]["waiting_seconds"] == 0
    assert by_source["report"]["making_seconds"] == 303
    assert world.calls() == []
    assert world.query("SELECT to_regclass('amazon_backfill_runs')") == [(None,)]


@pytest.mark.parametrize("source", ["search", "report", "v0"])
def test_check_mode_of_a_chosen_source_estimates_that_one_alone(world: AmazonWorld, source: str) -> None:
    plan = world.import_orders(check_mode=True, source=source, expected_orders=94).facts["plan"]
    assert (plan["source"], estimated(plan)) == (source, [source])


def test_the_check_of_a_finished_import_asks_nobody_and_plans_nothing(world: AmazonWorld) -> None:
    world.import_orders()
    world.amazon.admin.clear_requests()
    checked = world.import_orders(check_mode=True, role="audit")
    assert ([item.status for item in checked.items], checked.facts["plan"]) == (["in_sync"], None)
    assert world.calls() == []


def test_the_next_window_is_planned_by_how_dense_the_last_one_was(world: AmazonWorld) -> None:
    many_orders(world)
    world.import_orders(source="report")
    plan = world.import_orders(check_mode=True, days=45).facts["plan"]
    assert (plan["expected_orders"], plan["expected_from"]) == (MANY // 2, "as many a day as the last time")


def test_an_empty_searchorders_bucket_leads_to_another_source(world: AmazonWorld) -> None:
    world.own_tables()
    few: dict[str, Any] = {"days": 5, "expected_orders": 12}
    quota(world, "searchOrders", 20)
    assert world.import_orders(check_mode=True, **few).facts["plan"]["source"] == "search"
    quota(world, "searchOrders", 0)
    plan = world.import_orders(check_mode=True, **few).facts["plan"]
    assert plan["source"] == "v0"
    assert {one["source"]: one["waiting_seconds"] for one in plan["estimates"]}["search"] == pytest.approx(178.6, abs=1)
    assert world.calls() == []
    outcome = world.import_orders(**few)
    assert outcome.facts["source"] == "v0"
    assert world.calls("searchOrders") == []
    assert any("2027-03-27" in warning for warning in outcome.warnings)
    ((stored_orders,),) = world.query("SELECT count(*) FROM orders")
    assert stored_orders == outcome.facts["order_count"] > 0


def test_with_two_empty_buckets_it_is_the_report(world: AmazonWorld) -> None:
    world.own_tables()
    at_once(world)
    # Ten pages of searchOrders from nothing are half an hour, and so is v0.
    quota(world, "searchOrders", 0)
    quota(world, "getOrderItems", 0)
    outcome = world.import_orders(expected_orders=1000)
    assert outcome.facts["source"] == "report"
    assert as_amazon_has_them(world, "report")


def test_a_report_that_was_made_quickly_the_last_time_is_preferred_earlier(world: AmazonWorld) -> None:
    world.own_tables()
    quota(world, "searchOrders", 0)
    world.import_orders(source="report", days=30)
    plan = world.import_orders(check_mode=True, expected_orders=94).facts["plan"]
    making = {one["source"]: one["making_seconds"] for one in plan["estimates"]}["report"]
    assert 1 <= making <= 10
    assert plan["source"] == "report"
