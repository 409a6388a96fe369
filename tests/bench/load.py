# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast orders get into PostgreSQL: ``python -m tests.bench.load``.

Three ways in one run, taken in turns, on the lab's server and tables (primary and foreign keys): the import's own
load, raw COPY, and one statement a row. Ratios are medians over the rounds, each of two neighbours in time. The
lab's log of statements is off for the role, as it is in production: COPY's rows would not be in it.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Targets, store_page
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Order
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Page
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import schema, tables
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.load import Target

from lab import postgres, seed
from lab.certificates import authority
from lab.processes import Processes
from tests.bench.load_peers import copy, row_by_row
from tests.bench.load_rows import orders, pages

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

RESULT = Path(__file__).resolve().parents[2] / "build" / "bench" / "orders-load.json"
RUN = "00000000-0000-0000-0000-000000000001"
BULK, PAGE = 5000, 100
"""Orders a transaction: what a report is loaded in, and a page of searchOrders."""
SAMPLE = 3000
"""Orders that the row-by-row peer loads; its speed does not depend on their number."""
LEAST_OF_COPY, LEAST_TIMES_ROWS, AS_GOOD_AS_COPY = 0.5, 20.0, 0.9
SETTINGS = ("server_version", "synchronous_commit", "fsync", "shared_buffers")


@contextlib.contextmanager
def database() -> Iterator[postgres.Postgres]:
    """The lab's PostgreSQL with the backend's tables and the import's table of errors."""
    with tempfile.TemporaryDirectory(prefix="keybuzz-bench-") as name:
        directory = Path(name)
        (directory / "secrets").mkdir(mode=0o700)
        (directory / "logs").mkdir(mode=0o700)
        processes = Processes(directory)
        try:
            server = postgres.start(directory, processes, authority(directory, "platform"), seed.draw())
            as_admin(server, "ALTER ROLE keybuzz_repair SET log_statement = 'none'")
            with server.connect("repair") as connection, connection.cursor() as cursor:
                cursor.execute(tables.create_statement(tables.own_table("errors_table", "order_import_errors")))
            connection.close()
            yield server
        finally:
            processes.stop_everything()
            shutil.rmtree(postgres.private_folder(directory), ignore_errors=True)


def as_admin(server: postgres.Postgres, statement: str) -> list[tuple[Any, ...]]:
    """Rows of one statement as the administrator."""
    connection = server.connect("admin")
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def targets_of(connection: Connection) -> Targets:
    """The import's tables as it finds them."""
    own = tables.own_table("errors_table", "order_import_errors")
    both = tables.orders_table("orders", None), tables.items_table("order_items", None)
    with connection, connection.cursor() as cursor:
        found = schema.inspect(cursor, both)
    return Targets(Target(both[0], found[0].types), Target(both[1], found[1].types), own, may_delete_items=False)


def store(connection: Connection, targets: Targets, source: Iterable[Page]) -> int:
    """Load pages as the import does, one transaction each. Returns the number of orders."""
    total = 0
    for number, page in enumerate(source, start=1):
        with connection, connection.cursor() as cursor:
            stored = store_page(cursor, targets, seed.TENANT, page, run_id=RUN, number=number)
            stored.counted.check("the benchmark's database")
            total += len(stored.standing)
    return total


def seconds(server: postgres.Postgres, load: Callable[[Connection], object], expected: int | None) -> float:
    """How long a load takes on a connection of its own.

    :param expected: orders that must be there afterwards, in tables that are emptied first; ``None``: the tables are
        left as they are.
    """
    if expected is not None:
        as_admin(server, "TRUNCATE order_items, orders")
    connection = server.connect("repair")
    try:
        started = time.perf_counter()
        load(connection)
        taken = time.perf_counter() - started
    finally:
        connection.close()
    if expected is not None:
        assert as_admin(server, "SELECT count(*) FROM orders") == [(expected,)]
    return taken


def one_round(server: postgres.Postgres, rows: list[Order], targets: Targets) -> dict[str, float]:
    """Seconds an order of every way."""
    sample = rows[:SAMPLE]
    bulk, small = list(pages(rows, BULK)), list(pages(rows, PAGE))
    count = len(rows)
    return {
        "page": seconds(server, lambda c: store(c, targets, small), count) / count,
        "row": seconds(server, lambda c: row_by_row(c, seed.TENANT, sample), len(sample)) / len(sample),
        "bulk": seconds(server, lambda c: store(c, targets, bulk), count) / count,
        "again": seconds(server, lambda c: store(c, targets, bulk), None) / count,
        "copy": seconds(server, lambda c: copy(c, seed.TENANT, rows), count) / count,
    }


def measure(server: postgres.Postgres, count: int, rounds: int) -> dict[str, Any]:
    """The benchmark's result as it is written."""
    connection = server.connect("repair")
    targets = targets_of(connection)
    connection.close()
    rows = list(orders(count))
    gc.freeze()  # the collector would look through all of them again and again, which a stream would spare it
    taken = [one_round(server, rows, targets) for _ in range(rounds)]

    def ratio(peer: str, ours: str) -> float:
        return round(statistics.median(one[peer] / one[ours] for one in taken), 2)

    return {
        "orders": count,
        "items": sum(len(order.items) for order in rows),
        "rounds": rounds,
        "batch": {"bulk": BULK, "page": PAGE, "row_by_row_page": 100},
        "row_by_row_sample": SAMPLE,
        "settings": {name: as_admin(server, f"SHOW {name}")[0][0] for name in SETTINGS},
        "speed_of_copy": {way: ratio("copy", way) for way in ("bulk", "page", "again")},
        "times_row_by_row": {way: ratio("row", way) for way in ("bulk", "page", "again", "copy")},
        "orders_per_second": {way: round(1 / statistics.median(one[way] for one in taken)) for way in taken[0]},
        "seconds": [{way: round(value * count, 2) for way, value in one.items()} for one in taken],
    }


def memory(server: postgres.Postgres, count: int) -> dict[str, Any]:
    """Peak memory of this process (KiB) and speed, after each quarter of a load from a source that keeps nothing."""
    as_admin(server, "TRUNCATE order_items, orders")
    connection = server.connect("repair")
    targets = targets_of(connection)
    peaks, speeds = [], []
    source = pages(orders(count), BULK)
    try:
        for _ in range(4):
            started, loaded = time.perf_counter(), 0
            while loaded < count // 4:
                loaded += store(connection, targets, [next(source)])
            speeds.append(round(loaded / (time.perf_counter() - started)))
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    finally:
        connection.close()
    return {"orders": count, "peak_kib_after_each_quarter": peaks, "orders_per_second_with_making_them": speeds}


def show(result: dict[str, Any]) -> str:
    """The table for people."""
    names = {
        "bulk": f"import, {BULK:,} orders a transaction",
        "page": f"import, {PAGE} orders a transaction",
        "again": f"import, {BULK:,}, rows that are there",
        "copy": "raw COPY, one transaction",
        "row": "one statement a row",
    }
    lines = [f"{'':38}{'of COPY':>9}{'x row by row':>14}{'orders/s':>10}"]
    for way, name in names.items():
        share = result["speed_of_copy"].get(way, 1.0 if way == "copy" else 1 / result["times_row_by_row"]["copy"])
        times = result["times_row_by_row"].get(way, 1.0)
        lines.append(f"{name:38}{share:>9.2f}{times:>14.1f}{result['orders_per_second'][way]:>10,}")
    lines.append(f"{result['orders']:,} orders, {result['items']:,} lines, median of {result['rounds']} rounds")
    return "\n".join(lines)


def missed(result: dict[str, Any]) -> list[str]:
    """A sentence for each target that is missed."""
    of_copy, times = result["speed_of_copy"]["bulk"], result["times_row_by_row"]
    found = []
    if of_copy < LEAST_OF_COPY:
        found.append(f"{of_copy} of the speed of COPY, not {LEAST_OF_COPY}")
    # Where raw COPY itself is not that much faster than single rows, nothing that guards its rows can be.
    if times["bulk"] < min(LEAST_TIMES_ROWS, AS_GOOD_AS_COPY * times["copy"]):
        found.append(f"{times['bulk']} times as fast as row by row (COPY: {times['copy']}), not {LEAST_TIMES_ROWS:.0f}")
    return found


def main() -> int:
    """Measure, print and write; ends with 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, metavar="ORDERS", help="measure peak memory of such a load instead")
    given = parser.parse_args()
    with database() as server:
        if given.memory:
            print(json.dumps(memory(server, given.memory), indent=2))
            return 0
        result = {**measure(server, given.orders, given.rounds), "cpus": os.cpu_count()}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(show(result))
    for sentence in missed(result):
        print(f"MISSED: {sentence}")
    return 1 if missed(result) else 0


if __name__ == "__main__":
    sys.exit(main())
