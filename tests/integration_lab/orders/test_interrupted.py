# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports that are killed, that lose their page token, or that meet another one."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import WaitBudgetSpent
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import lock

from lab.amazon import fixture
from tests.integration_lab.amazon_world import TENANT, UNTIL, AmazonWorld, import_process
from tests.integration_lab.orders.tables import complete

pytestmark = pytest.mark.lab


def wait_for(what: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def pages(world: AmazonWorld) -> int:
    rows = world.query("SELECT coalesce(max(pages), 0) FROM amazon_backfill_runs")
    return int(rows[0][0])


def killed_while_asking_for_page(world: AmazonWorld, page: int, page_size: int = 10) -> None:
    """An import that is killed with SIGKILL while Amazon is slow to answer for this page."""
    world.own_tables()
    world.amazon.admin.inject("slow", count=1, operation="searchOrders", skip=page - 1, seconds=1.5)
    process = import_process(world.import_params(page_size=page_size))
    wait_for(lambda: pages(world) == page - 1)
    time.sleep(0.2)
    process.kill()
    process.wait()
    # The server notices the broken connection, and the lock goes with it.
    wait_for(
        lambda: not world.query("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'keybuzz.amazon orders%'")
    )
    # Amazon answers, and notes the request, after the client has gone.
    wait_for(lambda: any(call["fault"] == "slow" for call in world.calls("searchOrders")))
    world.amazon.admin.clear()


def test_a_killed_import_goes_on_where_it_stopped_and_nothing_is_there_twice(world: AmazonWorld) -> None:
    killed_while_asking_for_page(world, 4)
    assert world.query("SELECT count(*) FROM orders") == [(30,)]
    world.amazon.admin.clear_requests()
    outcome = world.import_orders(page_size=10)
    assert complete(world)
    assert outcome.facts["resumed"] is True
    assert outcome.facts["counts"]["inserted"] == 94
    assert outcome.facts["counts"]["unchanged"] == 0
    assert outcome.facts["this_call"]["fetched"] == 64
    assert len(world.calls("searchOrders")) == 7


def stopped_after(world: AmazonWorld, pages: int) -> None:
    """An import that has run out of its budget behind this page."""
    world.amazon.admin.inject("throttle-storm", count=None, operation="searchOrders", skip=pages)
    with pytest.raises(WaitBudgetSpent):
        world.import_orders(page_size=10, wait_budget=0)
    world.amazon.admin.clear()
    world.amazon.admin.clear_requests()


def test_rows_that_vanish_while_an_import_is_interrupted_are_read_again(world: AmazonWorld) -> None:
    world.own_tables()
    stopped_after(world, 4)
    world.query('DELETE FROM order_items WHERE "externalOrderId" IN (SELECT "externalOrderId" FROM orders LIMIT 5)')
    (item,) = world.import_orders(check_mode=True, page_size=10).items
    assert re.search("of its 40 orders and .* its window is read from the start again", item.reason)
    world.import_orders(page_size=10)
    assert complete(world)
    assert not world.import_orders(page_size=10).changed


def test_an_import_that_brings_lost_rows_back_is_gone_on_with_too(world: AmazonWorld) -> None:
    world.own_tables()
    world.import_orders(page_size=10)
    world.query("TRUNCATE order_items, orders")
    stopped_after(world, 4)
    outcome = world.import_orders(page_size=10)
    assert outcome.facts["resumed"] is True
    assert len(world.calls("searchOrders")) == 6
    assert complete(world)
    assert not world.import_orders(page_size=10).changed


def test_check_mode_says_how_far_a_killed_import_came(world: AmazonWorld) -> None:
    killed_while_asking_for_page(world, 3)
    checked = world.import_orders(check_mode=True, role="audit", page_size=10)
    (item,) = checked.items
    assert (item.status, item.action) == ("drifted", "update")
    assert "stopped after 2 pages and 20 orders" in item.reason


def test_an_import_that_is_killed_at_any_time_ends_complete_and_exact(world: AmazonWorld) -> None:
    world.own_tables()
    params = world.import_params(page_size=9)
    rng = random.Random(7)  # noqa: S311 - the same pauses each time
    kills = 0
    for _ in range(8):
        process = import_process(params)
        time.sleep(0.1 + rng.random() * 0.6)
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
    wait_for(lambda: not world.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"))
    outcome = world.import_orders(page_size=9)
    assert kills
    assert complete(world)
    counts = outcome.facts["counts"]
    assert counts["fetched"] == counts["inserted"] == fixture.ORDER_COUNT
    assert counts["items_inserted"] == fixture.ITEM_COUNT


def test_a_page_token_that_amazon_does_not_take_any_more_restarts_the_window(world: AmazonWorld) -> None:
    killed_while_asking_for_page(world, 4)
    world.amazon.admin.clock(advance=25 * 3600)
    outcome = world.import_orders(page_size=10)
    assert complete(world)
    assert outcome.facts["counts"]["unchanged"] == 30
    assert outcome.facts["counts"]["inserted"] == 64


def test_a_page_token_older_than_a_day_is_not_even_tried(world: AmazonWorld) -> None:
    killed_while_asking_for_page(world, 4)
    world.query("UPDATE amazon_backfill_runs SET \"pageTokenAt\" = now() - interval '24 hours'")
    world.amazon.admin.clear_requests()
    world.import_orders(page_size=10)
    assert complete(world)
    assert [call["status"] for call in world.calls("searchOrders")] == [200] * 10


def test_other_parameters_than_those_of_the_unfinished_run_are_refused_until_restart(world: AmazonWorld) -> None:
    killed_while_asking_for_page(world, 3)
    world.amazon.admin.clear_requests()
    with pytest.raises(BadInputError, match="restart: true"):
        world.import_orders(days=89)
    checked = world.import_orders(days=89, check_mode=True)
    assert checked.items[0].status == "blocked"
    assert world.calls() == []
    assert world.import_orders(days=90, restart=True).facts["resumed"] is False
    assert complete(world)
    assert world.query("SELECT status, count(*) FROM amazon_backfill_runs GROUP BY 1 ORDER BY 1") == [
        ("ABANDONED", 1),
        ("COMPLETED", 1),
    ]


def test_a_second_import_of_the_same_tenant_is_refused_and_told_who_has_the_lock(world: AmazonWorld) -> None:
    holder = world.database.connect("repair")
    try:
        with holder, holder.cursor() as cursor:
            lock.hold(cursor, TENANT, "here")
        pid = holder.info.backend_pid
        with pytest.raises(BlockedError, match=f"pid {pid}, keybuzz-lab, connected since 20"):
            world.import_orders()
        assert world.import_orders(check_mode=True).items[0].status == "blocked"
        with holder, holder.cursor() as cursor:
            lock.hold(cursor, "another-tenant", "here")
    finally:
        holder.close()
    assert world.calls() == []
    wait_for(lambda: not world.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"))
    world.import_orders()
    assert complete(world)


def test_without_until_a_window_stays_fresh_and_then_a_new_one_is_imported(world: AmazonWorld) -> None:
    now = datetime.now(UTC)
    world.amazon.admin.generate_orders(
        TENANT, 30, start=now - timedelta(days=9), end=now - timedelta(hours=1), replace=True
    )
    first = world.import_orders(until=None, days=10)
    assert first.facts["counts"]["inserted"] == 30
    world.amazon.admin.clear_requests()
    assert not world.import_orders(until=None, days=10).changed
    assert world.calls() == []
    world.query("UPDATE amazon_backfill_runs SET \"windowBefore\" = now() - interval '25 hours'")
    again = world.import_orders(until=None, days=10)
    assert again.changed
    assert again.facts["counts"]["unchanged"] == 30
    # An exact window is another matter: it was never imported as such.
    assert world.import_orders(until=UNTIL, check_mode=True).items[0].status == "missing"
