# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that cannot be stored: counted, named, never lost in silence, and closed when they can be."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_import
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Counters, Targets
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_proof import Said
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import source_search, sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import Answer
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import checkpoint, schema, tables
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.load import Target
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.sessions import Sessions

from lab.amazon import fixture
from tests.integration_lab.amazon_world import FRANCE, TENANT, AmazonWorld
from tests.integration_lab.orders.tables import complete

pytestmark = pytest.mark.lab
BAD = "407-8949262-6149120"


def page(orders: list[Any], token: str | None = None) -> sources.Page:
    payload: dict[str, Any] = {"orders": orders, **({"pagination": {"nextToken": token}} if token else {})}
    return source_search.read_page("https://amazon.example", Answer(payload, None), 1)


def spoiled() -> list[dict[str, Any]]:
    orders = copy.deepcopy(fixture.orders())
    for order in orders:
        if order["orderId"] == BAD:
            order["orderItems"][0]["product"]["title"] = f"{fixture.CANARY}\x00"
    return orders


@contextmanager
def importing(world: AmazonWorld, ratio: float) -> Iterator[orders_import._Reading]:
    """A run on the real tables, before its first page."""
    world.own_tables()
    runs = tables.own_table("runs_table", "amazon_backfill_runs")
    errors = tables.own_table("errors_table", "order_import_errors")
    orders, items = tables.orders_table("orders", None), tables.items_table("order_items", None)
    window = fixture.SINCE, fixture.UNTIL
    task = sources.Task(FRANCE, *window)
    with closing(Sessions(lambda: world.database.connect("repair"), "db")) as sessions:
        with sessions.transaction("beginning in") as cursor:
            found = schema.inspect(cursor, (orders, items))
            targets = Targets(Target(orders, found[0].types), Target(items, found[1].types), errors, False)
            run = checkpoint.begin(
                cursor,
                runs,
                tenant=TENANT,
                marketplace_id=FRANCE,
                source="search",
                days=90,
                window=window,
                query=source_search.SearchSource().query(task),
                counters=asdict(Counters()),
            )
        work = orders_import.Import(sessions, runs, targets, 100, ratio)
        yield orders_import._Reading(work, run, Said(), window, [])


def store(reading: orders_import._Reading, page: sources.Page) -> Counters:
    """Store one page; what became of its rows."""
    before = reading.work.loaded
    orders_import._store(reading, page)
    return Counters(**{name: value - getattr(before, name) for name, value in asdict(reading.work.loaded).items()})


def errors(world: AmazonWorld) -> list[tuple[Any, ...]]:
    return world.query(
        'SELECT "externalOrderId", "reasonCode", "field", "attempts", "resolvedAt" IS NOT NULL FROM order_import_errors'
    )


def test_a_bad_row_is_noted_without_its_content_and_closed_when_it_can_be_stored(world: AmazonWorld) -> None:
    with importing(world, 0.05) as reading:
        counted = store(reading, page(spoiled(), "next"))
        assert (counted.fetched, counted.inserted, counted.quarantined) == (94, 93, 1)
        assert (counted.items_fetched, counted.items_quarantined) == (117, 1)
        assert errors(world) == [(BAD, "unstorable_character", "orderItems.product.title", 1, False)]
        store(reading, page(spoiled(), "next"))
        assert errors(world)[0][3] == 2
        counted = store(reading, page(fixture.orders()))
        assert (counted.inserted, counted.unchanged) == (1, 93)
        assert errors(world)[0][4] is True
    assert complete(world)
    assert fixture.CANARY not in str(world.query("SELECT to_json(t)::text FROM order_import_errors AS t"))


def test_more_bad_rows_than_allowed_do_not_count_as_a_complete_import(world: AmazonWorld) -> None:
    with importing(world, 0.01) as reading:
        store(reading, page(spoiled()))
        with pytest.raises(orders_import.TooManyRejected, match="1 of 94 orders"):
            orders_import._judge(reading.work, reading.run, last=True)
    assert world.query("SELECT status, pages FROM amazon_backfill_runs") == [("RUNNING", 1)]
    assert world.import_orders().facts["counts"]["inserted"] == 1
    assert complete(world)


def test_a_page_whose_sum_is_wrong_is_rolled_back_as_a_whole(world: AmazonWorld) -> None:
    good = page(fixture.orders())
    lying = replace(good, fetched=good.fetched + 1)
    with importing(world, 0.05) as reading:
        with pytest.raises(Exception, match="95 orders and 117 lines 94 and 117"):
            store(reading, lying)
        assert world.query("SELECT count(*) FROM orders") == [(0,)]


def test_a_run_that_somebody_else_moved_on_is_not_moved_by_us(world: AmazonWorld) -> None:
    with importing(world, 0.05) as reading:
        world.query("UPDATE amazon_backfill_runs SET pages = 7")
        with pytest.raises(Exception, match="somebody else has moved, taken over or ended the run"):
            store(reading, page(fixture.orders()))
        assert world.query("SELECT count(*) FROM orders") == [(0,)]


def test_any_order_of_versions_and_copies_ends_in_the_newest(world: AmazonWorld) -> None:
    newest = fixture.orders()
    older = copy.deepcopy(newest)
    for order in older:
        order["lastUpdatedTime"] = "2025-10-01T00:00:00Z"
        order["fulfillment"]["fulfillmentStatus"] = "PENDING"
    assert datetime(2025, 10, 1, tzinfo=UTC) < fixture.SINCE
    with importing(world, 0.05) as reading:
        for rows in (newest[:50] + older[:60], older + newest[40:], newest + older):
            assert store(reading, page(rows, "next")).fetched == len(rows)
    assert complete(world)
