# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural books: the same interface, the same orders in every process, a million of them in flat memory."""

from __future__ import annotations

import re
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lab.amazon.big_books import ProceduralBook
from lab.amazon.books import Order, OrderBook
from lab.amazon.clock import iso
from lab.amazon.generator import change
from lab.amazon.oracle import procedural_rows, rows_of
from lab.amazon.procedural import ProceduralOrders
from lab.amazon.report_text import order_lines, order_report_xml, order_xml
from lab.errors import LabError
from tests.lab.amazon_caller import Caller
from tests.lab.amazon_process import FRANCE, Simulator, running_simulator
from tests.lab.amazon_reports import NOW, Reporter, asked, read, text_of

START, END = NOW - timedelta(days=30), NOW - timedelta(days=1)
TENANT = "switaa-002"
FIELDS = ("createdTime", "lastUpdatedTime")


def everything(_order: Order) -> bool:
    return True


@pytest.mark.parametrize("count", [0, 1, 2, 94, 5_000, 40_000])
@pytest.mark.parametrize("field", FIELDS)
def test_positions_ascend_strictly_and_ranks_lead_back(count: int, field: Any) -> None:
    made = ProceduralOrders.between(count, 7, START, END)
    positions = [made.position(field, rank) for rank in range(count)]
    assert all(one < other for one, other in pairwise(positions))
    assert sorted(made.index(field, rank) for rank in range(count)) == list(range(count))
    for rank in range(0, count, 97):
        index = made.index(field, rank)
        assert made.rank(field, index) == rank
        assert made.index_of(made.order_id(index)) == index
        order = made.order(index)
        moment = datetime.fromisoformat(order[field]).timestamp()
        assert (moment, order["orderId"]) == made.position(field, rank)


def test_orders_by_creation_and_by_update_differ_in_a_dense_book() -> None:
    made = ProceduralOrders.between(40_000, 7, START, END)
    assert [made.index("lastUpdatedTime", rank) for rank in range(16)] != list(range(16))


def test_order_is_the_same_wherever_it_is_made_and_another_with_another_seed() -> None:
    one, same, other = (ProceduralOrders.between(500, seed, START, END) for seed in (3, 3, 4))
    assert [*one.orders(100, 110)] == [*same.orders(100, 110)]
    assert {order["orderId"] for order in one.orders()}.isdisjoint(order["orderId"] for order in other.orders())
    for order in one.orders():
        assert order["createdTime"] < order["lastUpdatedTime"]
        assert all(re.fullmatch(r"\d{14}", item["orderItemId"]) for item in order["orderItems"])
    items = [item["orderItemId"] for order in one.orders() for item in order["orderItems"]]
    assert len(set(items)) == len(items)
    statuses = Counter(order["fulfillment"]["fulfillmentStatus"] for order in one.orders())
    assert set(statuses) == {"SHIPPED", "CANCELLED", "UNSHIPPED", "PENDING", "PARTIALLY_SHIPPED"}
    assert 0.8 < statuses["SHIPPED"] / 500 < 0.9


def test_texts_by_substitution_are_those_of_the_order() -> None:
    made = ProceduralOrders.between(1_000, 9, START, END)
    for index in range(0, 1_000, 3):
        for render in (order_xml, order_report_xml, order_lines):
            assert made.text(index, render) == render(made.order(index))


def paged(book: OrderBook, field: Any, window: tuple[datetime, datetime], wanted: Any, size: int) -> list[Order]:
    rows: list[Order] = []
    start = None
    while True:
        page = book.page(field, *window, wanted=wanted, size=size, start=start)
        assert len(page.rows) == size or page.following is None
        rows += page.rows
        start = page.following
        if start is None:
            return rows


@pytest.mark.parametrize("field", FIELDS)
def test_procedural_book_lists_what_a_plain_one_of_the_same_orders_lists(field: Any) -> None:
    made = ProceduralOrders.between(6_000, 5, START, START + timedelta(days=3))
    big, plain = ProceduralBook(made), OrderBook(made.orders())
    extra = next(ProceduralOrders.between(1, 6, START, END).orders())
    for book in (big, plain):
        moved = [book.get(made.order_id(index)) for index in (0, 17, 3_000)]
        book.add([change(order, status="CANCELLED", at=START + timedelta(days=2)) for order in moved if order])
        book.add([extra])
    assert len(big) == len(plain) == 6_001
    assert big.all() == plain.all()
    window = (START + timedelta(hours=5), START + timedelta(days=2, hours=7))

    def cancelled(order: Order) -> bool:
        return bool(order["fulfillment"]["fulfillmentStatus"] == "CANCELLED")

    for wanted in (everything, cancelled):
        assert paged(big, field, window, wanted, 70) == paged(plain, field, window, wanted, 70)
        snapshots = [book.snapshot(field, *window, wanted) for book in (big, plain)]
        texts = [sorted(text for batch in one.batches(order_xml) for text in batch) for one in snapshots]
        assert len(snapshots[0]) == len(snapshots[1]) == len(texts[0])
        assert texts[0] == texts[1]
    assert big.get("111-1111111-1111111") is None


def test_oracles_chunks_are_the_rows_of_all_orders() -> None:
    made = ProceduralOrders.between(250, 8, START, END)
    for source in ("search", "report", "v0"):
        chunks = list(procedural_rows(made, TENANT, source, chunk=100))
        assert len(chunks) == 3
        expected = rows_of(made.orders(), TENANT, source)
        assert ([row for one in chunks for row in one[0]], [row for one in chunks for row in one[1]]) == expected


@pytest.fixture
def admin(simulator: Simulator) -> Any:
    simulator.admin.reset()
    simulator.admin.clock(speed=0, at=NOW)
    return simulator.admin


def test_another_process_knows_the_orders_of_a_running_simulator(simulator: Simulator, admin: Any) -> None:
    arguments = {"start": START, "end": END, "seed": 12}
    assert admin.generate_orders(TENANT, 300, **arguments, procedural=True) == 300
    made = ProceduralOrders.between(300, 12, START, END)
    assert admin.orders(TENANT) == list(made.orders())
    document = Reporter(Caller(simulator, TENANT)).text(asked((START, END)))
    assert read([document], TENANT) == rows_of(made.orders(), TENANT, "report")
    admin.change_order(TENANT, made.order_id(5), "CANCELLED")
    with pytest.raises(LabError, match="procedural already"):
        admin.generate_orders(TENANT, 300, **arguments, procedural=True)
    assert admin.generate_orders(TENANT, 10, start=START, end=END, seed=99) == 310
    assert admin.generate_orders(TENANT, 300, **arguments, procedural=True, replace=True) == 300
    assert admin.restore_orders(TENANT) == 0


def resident(simulator: Simulator) -> int:
    """Megabytes that the simulator's process holds."""
    status = Path(f"/proc/{simulator.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) // 1024


def orders_in(simulator: Simulator, url: str) -> Iterator[int]:
    reader, rest = zlib.decompressobj(wbits=31), b""
    with Caller(simulator, TENANT).http.stream("GET", url) as answer:
        for piece in answer.iter_raw():
            content = rest + reader.decompress(piece)
            rest = content[-7:]
            yield content.count(b"</Order>") - rest.count(b"</Order>")
    yield rest.count(b"</Order>")


def test_a_million_orders_take_no_memory_and_their_pages_and_documents_no_time(
    simulator: Simulator, admin: Any
) -> None:
    before = resident(simulator)
    admin.generate_orders(TENANT, 1_000_000, start=START - timedelta(days=60), end=END, seed=2, procedural=True)
    with pytest.raises(LabError, match="at most 100000"):
        admin.orders(TENANT)
    caller = Caller(simulator, TENANT)
    query = {"lastUpdatedAfter": iso(START), "createdAfter": None, "createdBefore": None, "includedData": "PROCEEDS"}
    page = caller.search(**query)
    token = page.json()["pagination"]["nextToken"]
    times = []
    for _ in range(10):
        begin = time.monotonic()
        page = caller.search(**query, paginationToken=token)
        times.append(time.monotonic() - begin)
        token = page.json()["pagination"]["nextToken"]
    # The aim is 10 ms in the simulator; this includes TLS, the client and a busy machine.
    assert min(times) < 0.1
    reporter = Reporter(caller)
    window = (START, START + timedelta(days=8, hours=21))
    url = reporter.url(asked(window))
    begin = time.monotonic()
    count = sum(orders_in(simulator, url))
    assert time.monotonic() - begin < 15
    assert 90_000 < count < 110_000
    assert resident(simulator) - before < 60


def test_a_hundred_sellers_have_their_own_orders_tokens_and_buckets(tmp_path: Path) -> None:
    sellers: list[dict[str, Any]] = [
        {
            "tenant": f"tenant-{number:03d}",
            "seller_id": f"A2TENANT{number:06d}",
            "marketplace_ids": [FRANCE],
            "refresh_token": f"Atzr|CANARY-{number}",
        }
        for number in range(100)
    ]
    with running_simulator(tmp_path, sellers) as simulator:
        simulator.admin.clock(speed=0, at=NOW)
        for number, seller in enumerate(sellers):
            simulator.admin.generate_orders(seller["tenant"], 100, start=START, end=END, seed=number, procedural=True)
        assert [one["orders"] for one in simulator.admin.state()["sellers"]] == [100] * 100
        seen: set[str] = set()
        for seller in sellers:
            page = Caller(simulator, seller["tenant"]).search(createdAfter=iso(START), createdBefore=iso(END)).json()
            assert len(page["orders"]) == 100
            seen |= {order["orderId"] for order in page["orders"]}
        assert len(seen) == 10_000
        assert len(simulator.admin.state()["buckets"]) == 100


def test_more_than_a_million_is_refused(admin: Any) -> None:
    with pytest.raises(LabError, match="at most 1000000"):
        admin.generate_orders(TENANT, 1_000_001, start=START, end=END, procedural=True)


def test_text_of_a_download_is_whole(simulator: Simulator, admin: Any) -> None:
    admin.generate_orders(TENANT, 20_000, start=START, end=END, procedural=True)
    reporter = Reporter(Caller(simulator, TENANT))
    text = text_of(reporter.download(reporter.url(asked((START, END)))))
    assert text.count("<Order>") == 20_000
    assert text.endswith("</AmazonEnvelope>\n")
    (entry,) = admin.requests("reportDocument")
    assert (entry["rows"], entry["complete"]) == (20_000, True)


assert START.tzinfo is UTC
