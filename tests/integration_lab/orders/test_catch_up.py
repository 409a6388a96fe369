# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes after a backfill: catching up by the time of the last change, and looking a second time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import WaitBudgetSpent

from lab.amazon.oracle import rows_of
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.integration_lab.orders.tables import stored, versions

pytestmark = pytest.mark.lab


def recent(world: AmazonWorld, count: int = 40) -> list[str]:
    """A seller with orders of the last nine days, imported; returns their ids, oldest first."""
    now = datetime.now(UTC)
    world.own_tables()
    # Amazon's made-up orders change for up to four days after their creation: all of that lies back.
    world.amazon.admin.generate_orders(
        TENANT, count, start=now - timedelta(days=9), end=now - timedelta(days=5), replace=True
    )
    assert world.import_orders(until=None, days=10).facts["counts"]["inserted"] == count
    world.amazon.admin.clear_requests()
    return [order["orderId"] for order in world.amazon.admin.orders(TENANT)]


def as_amazon_has_them(world: AmazonWorld) -> bool:
    return stored(world) == rows_of(world.amazon.admin.orders(TENANT), TENANT)


def older_by(world: AmazonWorld, minutes: int) -> None:
    """As if the windows on record had been read that long ago."""
    world.query(
        'UPDATE amazon_backfill_runs SET "windowBefore" = "windowBefore" - make_interval(mins => %s)', (minutes,)
    )


def test_changes_and_new_orders_since_the_backfill_are_brought_and_nothing_else_is_rewritten(
    world: AmazonWorld,
) -> None:
    ids = recent(world)
    older_by(world, 60)
    settled = datetime.now(UTC) - timedelta(minutes=10)
    world.amazon.admin.change_order(TENANT, ids[3], "CANCELLED", at=settled)
    world.amazon.admin.generate_orders(TENANT, 5, start=settled - timedelta(minutes=1), end=settled, seed=7)
    for order in world.amazon.admin.orders(TENANT)[-5:]:
        world.amazon.admin.change_order(TENANT, order["orderId"], "SHIPPED", at=settled)
    checked = world.import_orders(mode="catch_up", role="audit", check_mode=True)
    assert [(item.id, item.status, item.action) for item in checked.items] == [
        (f"amazon_orders/{TENANT}/updates", "stale", "update")
    ]
    assert world.calls() == []
    outcome = world.import_orders(mode="catch_up")
    assert (outcome.facts["counts"]["updated"], outcome.facts["counts"]["inserted"]) == (1, 5)
    assert as_amazon_has_them(world)
    (call,) = world.calls("searchOrders")
    assert "lastUpdatedAfter" in call["parameters"]
    assert "createdAfter" not in call["parameters"]


def test_what_is_caught_up_is_not_read_again_before_it_lags(world: AmazonWorld) -> None:
    recent(world)
    older_by(world, 60)
    world.import_orders(mode="catch_up")
    before = versions(world)
    world.amazon.admin.clear_requests()
    again = world.import_orders(mode="catch_up")
    assert (again.changed, [item.status for item in again.items]) == (False, ["in_sync"])
    assert world.calls() == []
    assert versions(world) == before


def test_the_watermark_moves_only_with_the_last_page_and_overlaps_the_next_window(world: AmazonWorld) -> None:
    ids = recent(world)
    older_by(world, 60)
    at = datetime.now(UTC) - timedelta(minutes=20)
    for number, order_id in enumerate(ids[:30]):
        world.amazon.admin.change_order(TENANT, order_id, "CANCELLED", at=at + timedelta(seconds=number))
    world.amazon.admin.inject("throttle-storm", count=None, operation="searchOrders", skip=2)
    with pytest.raises(WaitBudgetSpent):
        world.import_orders(mode="catch_up", page_size=10, wait_budget=0)
    world.amazon.admin.clear()
    checked = world.import_orders(mode="catch_up", check_mode=True)
    assert "stopped after 2 pages and 20 orders" in checked.items[0].reason
    outcome = world.import_orders(mode="catch_up", page_size=10)
    assert outcome.facts["resumed"] is True
    assert as_amazon_has_them(world)
    ((after, before),) = world.query(
        'SELECT "windowAfter", "windowBefore" FROM amazon_backfill_runs WHERE mode = \'catch_up\''
    )
    older_by(world, 30)
    world.import_orders(mode="catch_up", overlap=300)
    ((next_after,),) = world.query("SELECT max(\"windowAfter\") FROM amazon_backfill_runs WHERE mode = 'catch_up'")
    assert next_after == before - timedelta(minutes=30) - timedelta(seconds=300)
    assert after < next_after


def test_without_a_backfill_there_is_nothing_to_catch_up_with(world: AmazonWorld) -> None:
    checked = world.import_orders(mode="catch_up", check_mode=True)
    assert (checked.items[0].status, checked.changed) == ("blocked", False)
    with pytest.raises(BlockedError, match="No backfill of this tenant has been completed"):
        world.import_orders(mode="catch_up")
    assert world.calls() == []


def test_an_older_change_than_the_stored_one_is_counted_as_stale(world: AmazonWorld) -> None:
    ids = recent(world)
    older_by(world, 60)
    world.amazon.admin.change_order(TENANT, ids[0], "CANCELLED", at=datetime.now(UTC) - timedelta(minutes=30))
    world.query('UPDATE orders SET "lastUpdatedAt" = now() WHERE "externalOrderId" = %s', (ids[0],))
    assert world.import_orders(mode="catch_up").facts["counts"]["stale"] == 1


@pytest.mark.parametrize("source", ["search", "report"])
def test_a_second_look_finds_the_orders_that_the_list_missed(world: AmazonWorld, source: str) -> None:
    ids = recent(world)
    world.query('DELETE FROM order_items WHERE "externalOrderId" = ANY (%s)', (ids[5:8],))
    world.query('DELETE FROM orders WHERE "externalOrderId" = ANY (%s)', (ids[5:8],))
    # As if Amazon's list had not had them: the run's record agrees with the tables.
    world.query(
        "UPDATE amazon_backfill_runs SET counters = counters || jsonb_build_object('rows_orders',"
        " (SELECT count(*) FROM orders), 'rows_items', (SELECT count(*) FROM order_items))"
    )
    assert world.import_orders(until=None, days=10, check_mode=True).items[0].status == "in_sync"
    checked = world.import_orders(until=None, days=10, mode="reconcile", check_mode=True)
    assert (checked.items[0].status, checked.items[0].action) == ("drifted", "update")
    outcome = world.import_orders(until=None, days=10, mode="reconcile", source=source)
    assert outcome.facts["found_missing"]["count"] == 3
    assert sorted(outcome.facts["found_missing"]["orders"]) == sorted(ids[5:8])
    assert "were missing although its import had ended" in outcome.warnings[0]
    assert world.query("SELECT count(*) FROM orders") == [(40,)]
    world.amazon.admin.clear_requests()
    assert not world.import_orders(until=None, days=10, mode="reconcile", source=source).changed
    assert world.calls() == []


def test_a_second_look_without_a_finding_says_so_and_changes_no_order(world: AmazonWorld) -> None:
    recent(world)
    before = world.query("SELECT ctid::text, xmin::text FROM orders ORDER BY 1")
    outcome = world.import_orders(until=None, days=10, mode="reconcile")
    assert outcome.facts["found_missing"] == {"count": 0, "orders": []}
    assert world.query("SELECT ctid::text, xmin::text FROM orders ORDER BY 1") == before


def test_a_window_that_was_not_imported_cannot_be_looked_through_a_second_time(world: AmazonWorld) -> None:
    with pytest.raises(BlockedError, match="nothing to look through"):
        world.import_orders(mode="reconcile")


def test_a_second_look_that_was_interrupted_goes_on_and_knows_what_it_found_before(world: AmazonWorld) -> None:
    ids = recent(world)
    missed = [ids[2], ids[35]]
    world.query('DELETE FROM order_items WHERE "externalOrderId" = ANY (%s)', (missed,))
    world.query('DELETE FROM orders WHERE "externalOrderId" = ANY (%s)', (missed,))
    world.query(
        "UPDATE amazon_backfill_runs SET counters = counters || jsonb_build_object('rows_orders',"
        " (SELECT count(*) FROM orders), 'rows_items', (SELECT count(*) FROM order_items))"
    )
    second = {"until": None, "days": 10, "mode": "reconcile", "source": "search", "page_size": 10}
    world.amazon.admin.inject("throttle-storm", count=None, operation="searchOrders", skip=2)
    with pytest.raises(WaitBudgetSpent):
        world.import_orders(**second, wait_budget=0)
    world.amazon.admin.clear()
    outcome = world.import_orders(**second)
    assert outcome.facts["resumed"] is True
    assert outcome.facts["found_missing"]["count"] == 2
    assert as_amazon_has_them(world)
