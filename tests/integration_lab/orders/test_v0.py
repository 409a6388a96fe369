# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders API v0, as long as there is one: a call more for each order, and a page that is whole or not there."""

from __future__ import annotations

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_asking
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import WaitBudgetSpent
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import AccessRefused

from lab import seed
from tests.integration_lab.amazon_world import AmazonWorld
from tests.integration_lab.orders.tables import complete, forget_runs, stored, versions
from tests.integration_lab.orders.test_reports import as_amazon_has_them, rows_of_orders

pytestmark = pytest.mark.lab


def generous(world: AmazonWorld) -> None:
    """A usage plan of v0 by which 94 orders do not take two minutes, at Amazon and in our own accounts."""
    world.own_tables()
    for operation, rate, burst in (("getOrders", 5, 100), ("getOrderItems", 50, 1000)):
        world.query(
            "INSERT INTO amazon_quota VALUES (%s, %s, %s, %s, %s, %s, now())",
            (world.amazon.application_id, seed.SELLER_ID, operation, rate, burst, burst),
        )
        world.amazon.admin.buckets(operation, rate=rate, burst=burst)


def test_the_tables_hold_what_v0_says_and_the_warning_names_its_last_day(world: AmazonWorld) -> None:
    generous(world)
    outcome = world.import_orders(source="v0")
    assert as_amazon_has_them(world, "v0")
    assert any("2027-03-27" in warning and "source v0" in warning for warning in outcome.warnings)
    assert outcome.facts["counts"]["inserted"] == outcome.facts["counts"]["fetched"] == 94
    assert outcome.facts["completeness"]["missing"] == 0
    assert (len(world.calls("getOrders")), len(world.calls("getOrderItems"))) == (1, 94)
    assert world.calls("searchOrders") == []


def test_a_second_run_asks_nothing_and_changes_no_row(world: AmazonWorld) -> None:
    generous(world)
    world.import_orders(source="v0")
    before = versions(world)
    world.amazon.admin.clear_requests()
    assert not world.import_orders(source="v0").changed
    assert world.calls() == []
    assert versions(world) == before


def test_94_orders_wait_for_the_real_usage_plan_and_the_plan_says_so(world: AmazonWorld) -> None:
    checked = world.import_orders(source="v0", check_mode=True, expected_orders=94)
    (estimate,) = checked.facts["plan"]["estimates"]
    assert estimate["waiting_seconds"] == 128
    assert estimate["calls"] == {"getOrders": 1, "getOrderItems": 94}
    with pytest.raises(WaitBudgetSpent, match=r"usage plan \(getOrderItems\)"):
        world.import_orders(source="v0", wait_budget=0)
    assert len(world.calls("getOrderItems")) == 30
    assert world.query("SELECT count(*) FROM orders") == [(0,)]


def test_a_page_that_is_interrupted_in_its_middle_is_read_again_as_a_whole(world: AmazonWorld) -> None:
    generous(world)
    world.amazon.admin.inject("throttle-storm", count=None, operation="getOrderItems", skip=25)
    with pytest.raises(WaitBudgetSpent):
        world.import_orders(source="v0", page_size=10, wait_budget=0)
    # Two pages are in with all their lines, and nothing of the third.
    assert world.query("SELECT pages FROM amazon_backfill_runs") == [(2,)]
    assert world.query("SELECT count(*) FROM orders") == [(20,)]
    lines = 'SELECT count(DISTINCT "externalOrderId") FROM order_items'
    assert world.query(lines) == [(20,)]
    world.amazon.admin.clear()
    world.amazon.admin.clear_requests()
    outcome = world.import_orders(source="v0", page_size=10)
    assert as_amazon_has_them(world, "v0")
    assert outcome.facts["resumed"] is True
    assert (outcome.facts["this_call"]["fetched"], outcome.facts["counts"]["fetched"]) == (74, 94)
    assert (len(world.calls("getOrders")), len(world.calls("getOrderItems"))) == (8, 74)


def test_throttled_lines_are_waited_for(world: AmazonWorld) -> None:
    generous(world)
    world.amazon.admin.inject("throttle-storm", count=3, operation="getOrderItems", skip=40)
    outcome = world.import_orders(source="v0")
    assert as_amazon_has_them(world, "v0")
    assert outcome.facts["this_call"]["calls_by_operation"]["getOrderItems"] == 97
    assert outcome.facts["this_call"]["throttled_seconds"] > 0


@pytest.mark.parametrize("fault", ["truncated-200", "missing-payload-key", "html-503", "not-json-200", "reset"])
@pytest.mark.parametrize("operation", ["getOrders", "getOrderItems"])
def test_one_bad_answer_is_asked_for_again_and_loses_nothing(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch, operation: str, fault: str
) -> None:
    monkeypatch.setattr(orders_asking, "LONGEST_PAUSE", 0.05)
    generous(world)
    world.amazon.admin.inject(fault, count=1, operation=operation, skip=1)
    world.import_orders(source="v0", page_size=50)
    assert as_amazon_has_them(world, "v0")
    assert len(world.calls()) == 1 + 2 + 94 + 1


@pytest.mark.parametrize("fault", ["truncated-200", "missing-payload-key"])
def test_lines_that_stay_bad_are_an_error_and_never_an_order_without_lines(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(orders_asking, "FAILURES", 1)
    generous(world)
    world.amazon.admin.inject(fault, count=None, operation="getOrderItems", skip=3)
    with pytest.raises(UnreachableError):
        world.import_orders(source="v0")
    assert world.query("SELECT count(*) FROM orders") == [(0,)]
    world.amazon.admin.clear()
    world.import_orders(source="v0")
    assert as_amazon_has_them(world, "v0")


def test_an_application_that_may_not_read_v0_is_told_about_its_roles(world: AmazonWorld) -> None:
    generous(world)
    world.amazon.admin.inject("forbidden-403", count=None, operation="getOrderItems")
    with pytest.raises(AccessRefused, match="roles, that region and marketplace_id"):
        world.import_orders(source="v0")


def test_duplicate_rows_of_v0_are_counted_and_stored_once(world: AmazonWorld) -> None:
    generous(world)
    world.amazon.admin.inject("duplicate-rows", count=None)
    counts = world.import_orders(source="v0", page_size=40).facts["counts"]
    assert as_amazon_has_them(world, "v0")
    assert counts["inserted"] == 94
    assert counts["fetched"] == counts["inserted"] + counts["unchanged"] > 94


def test_totals_of_v0_never_overwrite_the_grand_total_and_are_replaced_by_it(world: AmazonWorld) -> None:
    generous(world)
    world.import_orders(source="search")
    # Whole seconds, so that v0 names the very same version.
    world.query('UPDATE orders SET "lastUpdatedAt" = date_trunc(\'second\', "lastUpdatedAt")')
    before, rows = rows_of_orders(world), stored(world)
    counts = world.import_orders(source="v0").facts["counts"]
    assert (counts["unchanged"], counts["updated"], counts["stale"]) == (94, 0, 0)
    assert rows_of_orders(world) == before
    assert stored(world) == rows
    world.query("TRUNCATE order_items, orders")
    forget_runs(world)
    world.import_orders(source="v0")
    assert as_amazon_has_them(world, "v0")
    world.import_orders(source="search")
    assert complete(world)
