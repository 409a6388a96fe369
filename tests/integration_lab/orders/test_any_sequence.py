# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any sequence of pages, crashes, restarts, stale and repeated orders ends in the same tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_import, orders_sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Targets, counters_from
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_progress import Progress
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Item, Order, Rejected, reference
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Asking, Page, Place, Task
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import checkpoint, schema, tables
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.load import Target
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.sessions import Sessions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration_lab.amazon_world import FRANCE, TENANT, AmazonWorld

pytestmark = pytest.mark.lab

AFTER, BEFORE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 11, tzinfo=UTC)
ORDERS, VERSIONS = 6, 3
STATUSES = ("PENDING", "UNSHIPPED", "SHIPPED")


class Crash(Exception):
    """Stands for a process that ends here."""


def order(number: int, version: int) -> Order:
    """One of a few orders in one of its versions; later versions have another status, total and number of lines."""
    order_id = f"404-0000000-000000{number}"
    items = tuple(
        Item(f"{number}-{line}", "SKU", "ASIN", "Titre", 1 + version, version, None, Decimal(line), "EUR", "ACTIVE")
        for line in range(1 + (number + version) % 3)
    )
    return Order(
        externalOrderId=order_id,
        orderRef=reference(order_id),
        marketplaceId=FRANCE,
        orderDate=AFTER + timedelta(days=number),
        totalAmount=Decimal(version) if version else None,
        currency="EUR" if version else None,
        amountBasis="GRAND_TOTAL" if version else None,
        orderStatus=STATUSES[version],
        fulfillmentChannel="AMAZON",
        lastUpdatedAt=AFTER + timedelta(days=number, hours=version),
        items=items,
    )


@dataclass
class Scripted:
    """A source that gives these pages, and ends where it is told to, once for each place."""

    pages: list[tuple[tuple[int, int], ...]]
    crashes: dict[int, str]
    name: str = "scripted"
    token_life: float | None = None
    bulk: bool = False
    rejected: tuple[Rejected, ...] = field(default_factory=tuple)

    def query(self, _task: Task) -> dict[str, str]:
        return {}

    def again(self, _state: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def read(self, _query: Mapping[str, str], place: Place, _ask: Asking, *, page_size: int) -> Iterator[Page]:
        for at in range(int(place.state.get("at", 0)), len(self.pages)):
            if self.crashes.get(at) == "before":
                del self.crashes[at]
                raise Crash
            rows = tuple(order(*row) for row in self.pages[at])
            last = at == len(self.pages) - 1
            yield Page(len(rows), rows, (), None, last=last, state={"at": at + 1})


class Ending(Progress):
    """A process that ends right after a page was stored, before it knows."""

    def __init__(self, source: Scripted) -> None:
        super().__init__(None)
        self._source = source

    def page(self, done: int, pages: int) -> None:
        if self._source.crashes.get(pages - 1) == "after":
            del self._source.crashes[pages - 1]
            raise Crash


ROW = st.tuples(st.integers(0, ORDERS - 1), st.integers(0, VERSIONS - 1))
PAGES = st.lists(st.lists(ROW, max_size=5).map(tuple), min_size=1, max_size=6)
CRASHES = st.dictionaries(st.integers(0, 8), st.sampled_from(["before", "inside", "after", "restart"]), max_size=5)


def work_on(world: AmazonWorld, sessions: Sessions) -> orders_import.Import:
    orders, items = tables.orders_table("orders", None), tables.items_table("order_items", None)
    errors, runs = (
        tables.own_table("errors_table", "order_import_errors"),
        tables.own_table("runs_table", "amazon_backfill_runs"),
    )
    with sessions.transaction("looking in") as cursor:
        found = schema.inspect(cursor, (orders, items))
    targets = Targets(Target(orders, found[0].types), Target(items, found[1].types), errors, may_delete_items=True)
    return orders_import.Import(sessions, runs, targets, 100, 0.05)


def to_the_end(work: orders_import.Import, source: Scripted) -> checkpoint.Run:
    """Processes that go on where the one before ended, until one comes to the end."""
    with work.sessions.transaction("beginning in") as cursor:
        cursor.execute("TRUNCATE order_items, orders, amazon_backfill_runs, order_import_errors")
        task = Task(FRANCE, AFTER, BEFORE)
        checkpoint.begin(
            cursor,
            work.runs,
            tenant=TENANT,
            marketplace_id=FRANCE,
            source=source.name,
            days=10,
            window=(AFTER, BEFORE),
            query={},
            counters=orders_import.first_counters(cursor, work.targets, task, TENANT),
        )
    for _process in range(2 * len(source.crashes) + 2):
        with work.sessions.transaction("looking in") as cursor:
            (run,) = checkpoint.runs(cursor, work.runs, TENANT, FRANCE)
        if run.status == checkpoint.COMPLETED:
            return run
        if source.crashes.get(run.pages) == "restart":
            del source.crashes[run.pages]
            run = orders_import.from_start(work, run)
        ask: Any = None
        try:
            return orders_import.complete(work, run, ask, Ending(source)).run
        except Crash:
            continue
    raise AssertionError("it does not come to an end")


def as_newest(world: AmazonWorld, named: dict[int, int]) -> bool:
    """Whether the tables hold exactly the newest version of each order that was named."""
    newest = [order(number, version) for number, version in sorted(named.items())]
    orders = world.query(
        'SELECT "externalOrderId", "orderStatus", "totalAmount", "lastUpdatedAt" FROM orders ORDER BY 1'
    )
    items = world.query('SELECT "externalOrderId", "externalItemId", "quantityOrdered" FROM order_items ORDER BY 1, 2')
    return orders == [
        (one.externalOrderId, one.orderStatus, one.totalAmount, one.lastUpdatedAt) for one in newest
    ] and items == [
        (one.externalOrderId, item.externalItemId, item.quantityOrdered) for one in newest for item in one.items
    ]


def test_any_sequence_of_pages_and_crashes_ends_in_the_newest_of_everything(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.own_tables()
    genuine = checkpoint.advance
    scripts: list[Scripted] = []

    def advance(cursor: Any, table: Any, run: checkpoint.Run, **given: Any) -> None:
        genuine(cursor, table, run, **given)
        if scripts[-1].crashes.get(run.pages) == "inside":
            del scripts[-1].crashes[run.pages]
            raise Crash

    monkeypatch.setattr(checkpoint, "advance", advance)

    @given(pages=PAGES, crashes=CRASHES)
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def check(pages: list[tuple[tuple[int, int], ...]], crashes: dict[int, str]) -> None:
        source = Scripted(pages, dict(crashes))
        scripts.append(source)
        monkeypatch.setitem(orders_sources.SOURCES, source.name, source)  # type: ignore[arg-type]
        run = to_the_end(work, source)
        named: dict[int, int] = {}
        for number, version in (row for page in pages for row in page):
            named[number] = max(version, named.get(number, 0))
        assert run.status == checkpoint.COMPLETED
        assert as_newest(world, named)
        counted = counters_from(run.counters)
        counted.check("here")
        assert counted.fetched == sum(len(page) for page in pages)
        assert (run.counters["rows_orders"], run.counters["rows_items"]) == world.query(
            "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_items)"
        )[0]

    with closing(Sessions(lambda: world.database.connect("admin"), "here")) as sessions:
        work = work_on(world, sessions)
        check()
