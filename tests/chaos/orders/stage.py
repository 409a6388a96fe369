# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of these proofs, a quick way back to their beginning, and what is asked of the tables."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from lab import seed
from lab.amazon import fixture, oracle
from lab.amazon.usage_plans import DEFAULT_PLANS
from lab.certificates import write_private
from tests.chaos.orders.imports import Nursery
from tests.integration_lab.amazon_world import OWN_TABLES, TENANT, AmazonWorld, amazon_world

RATE, BURST = 50.0, 1000
"""A usage plan that many imports fit into."""
SLOW_RATE = 4.0
"""One that has to be waited for."""
PARTS = 3
"""Reports of a window of ninety days."""
END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'keybuzz.amazon orders%'"
)
"""As an operator ends an import whose host is gone."""
COUNTERS = (
    *("fetched", "inserted", "updated", "unchanged", "stale", "quarantined", "elsewhere"),
    *("items_fetched", "items_inserted", "items_updated", "items_unchanged", "items_stale", "items_quarantined"),
    *("items_removed", "items_left"),
)


@dataclass(frozen=True)
class Scenario:
    """One way of importing.

    :param options: of the module.
    :param settings: of the child, see ``points.settings``.
    :param first_time: the import's own tables are not there yet.
    :param waits: the usage plan is empty, and gives a token every quarter of a second.
    """

    name: str
    source: oracle.Source
    options: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    first_time: bool = False
    waits: bool = False

    @property
    def page_operation(self) -> str:
        """Amazon's name of the call that brings a page, or a document."""
        return {"search": "searchOrders", "report": "reportDocument", "v0": "getOrders"}[self.source]


def search(page_size: int = 25, **given: Any) -> Scenario:
    """The default source, by small pages."""
    return Scenario("search", "search", {"source": "search", "page_size": page_size}, **given)


def report(bulk_page: int = 12) -> Scenario:
    """Reports, in small pages of our own, looked at often."""
    return Scenario("report", "report", {"source": "report"}, {"bulk_page": bulk_page, "first_look": 0.03})


def v0(page_size: int = 40) -> Scenario:
    """The old interface: one call more for each order."""
    return Scenario("v0", "v0", {"source": "v0", "page_size": page_size})


@dataclass(frozen=True)
class Standing:
    """What the database says between two imports.

    :param pages: of the run's row; ``reports`` were asked for and ``finished`` are read.
    :param counters: of the run's row.
    """

    statuses: tuple[str, ...]
    pages: int = 0
    reports: int = 0
    finished: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """The window was imported."""
        return "COMPLETED" in self.statuses


class Stage:
    """The three servers and a nursery."""

    def __init__(self, world: AmazonWorld, directory: Path) -> None:
        self.world = world
        self.directory = directory
        self.nursery = Nursery()
        # One for every port: there are proxies before the server.
        self.passfile = directory / "secrets" / "any-port-pgpass"
        known = Path(world.database.passfile).read_text()
        write_private(self.passfile, known.replace(f"*:{world.database.port}:", "*:*:"))
        self._expected = {
            source: oracle.rows_of(fixture.orders(), TENANT, source) for source in ("search", "report", "v0")
        }
        self._admin: Any = None

    def query(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Rows of a statement as the administrator, each a transaction of its own."""
        if self._admin is None or self._admin.closed:
            self._admin = self.world.database.connect("admin")
            self._admin.autocommit = True
            with self._admin.cursor() as cursor:
                cursor.execute("SET log_statement = 'none'; SET timezone = 'UTC'")
        try:
            with self._admin.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.OperationalError:
            self._admin.close()
            raise

    def forget_connection(self) -> None:
        """The server was stopped meanwhile."""
        if self._admin is not None:
            self._admin.close()

    def versions(self) -> list[tuple[Any, ...]]:
        """Place and version of every row but those of the usage plan."""
        return self.query(
            "SELECT 'o', ctid::text, xmin::text FROM orders UNION ALL"
            " SELECT 'i', ctid::text, xmin::text FROM order_items UNION ALL"
            " SELECT 'r', ctid::text, xmin::text FROM amazon_backfill_runs ORDER BY 1, 2"
        )

    def params(self, scenario: Scenario, **given: Any) -> dict[str, Any]:
        """The options of an import."""
        options = {"pg_passfile": str(self.passfile), "progress_interval": 0.1, **scenario.options, **given}
        return self.world.import_params(**options)

    def begin(self, scenario: Scenario) -> None:
        """Nothing imported, Amazon as at its start, a usage plan that holds enough."""
        amazon = self.world.amazon.admin
        amazon.reset()
        amazon.reports(queue=0.02, progress=0.04)
        self.query("TRUNCATE order_items, orders")
        if scenario.first_time:
            self.query(f"DROP TABLE IF EXISTS {', '.join(OWN_TABLES)}")
            return
        for operation in DEFAULT_PLANS:
            amazon.buckets(operation, rate=SLOW_RATE if scenario.waits else RATE, burst=BURST)
        if not self.query("SELECT to_regclass('amazon_quota')")[0][0]:
            self.query(f"DROP TABLE IF EXISTS {', '.join(OWN_TABLES)}")
            self.world.own_tables()
        self.query(f"TRUNCATE {', '.join(OWN_TABLES)}")
        plan = (SLOW_RATE, 1.0, 0.0) if scenario.waits else (RATE, BURST, BURST)
        for operation in DEFAULT_PLANS:
            self.query(
                "INSERT INTO amazon_quota VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp())",
                (self.world.amazon.application_id, seed.SELLER_ID, operation, *plan),
            )

    def alone(self, seconds: float = 40.0) -> None:
        """Wait until the server has noticed that the last import's connections are gone: its lock goes with them."""
        deadline = time.monotonic() + seconds
        while self.query("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'keybuzz.amazon orders%'"):
            assert time.monotonic() < deadline, "a session of an import that is gone does not end"
            time.sleep(0.002)

    def standing(self) -> Standing:
        """Where the runs stand."""
        if not self.query("SELECT to_regclass('amazon_backfill_runs')")[0][0]:
            return Standing(())
        rows = self.query('SELECT status, pages, state, counters FROM amazon_backfill_runs ORDER BY "startedAt"')
        if not rows:
            return Standing(())
        _, pages, state, counters = rows[-1]
        parts = state.get("parts", ())
        return Standing(
            tuple(row[0] for row in rows),
            pages,
            sum(1 for part in parts if part["report"]),
            sum(1 for part in parts if part["finished"]),
            {name: int(counters.get(name, 0)) for name in COUNTERS},
        )

    def calls(self) -> Counter[str]:
        """Calls that Amazon answered well, by operation."""
        return Counter(row["operation"] for row in self.world.calls() if row["status"] in (200, 202))

    def tables(self, source: oracle.Source) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Both tables with all columns that the oracle knows, in its order."""
        found = []
        for table, example, key in zip(("orders", "order_items"), self._expected[source], (1, 2), strict=True):
            names = list(example[0])
            order = '"externalOrderId"' if key == 1 else '"externalOrderId", "externalItemId"'
            columns = ", ".join(f'"{name}"' for name in names)
            rows = self.query(f"SELECT {columns} FROM {table} ORDER BY {order}")
            found.append([dict(zip(names, row, strict=True)) for row in rows])
        return found[0], found[1]

    def whole(self, source: oracle.Source) -> list[str]:
        """What the tables lack of the oracle's rows, or have beyond them; empty when they are equal."""
        wrong = []
        for name, stored, expected in zip(
            ("orders", "lines"), self.tables(source), self._expected[source], strict=True
        ):
            if stored != expected:
                wrong.append(f"{len(stored)} {name} stored of {len(expected)}, or with other values")
        # Both have one default: a row that was written once has equal stamps.
        (rewritten,) = self.query('SELECT count(*) FROM orders WHERE "updatedAt" <> "createdAt"')
        if rewritten[0]:
            wrong.append(f"{rewritten[0]} orders were written twice")
        return wrong

    def partly(self, source: oracle.Source, standing: Standing) -> list[str]:
        """The same of an import that is not at its end: what is stored is right, and its run knows exactly of it."""
        wrong = []
        counted = (standing.counters.get("inserted", 0), standing.counters.get("items_inserted", 0))
        for name, stored, expected, known in zip(
            ("orders", "lines"), self.tables(source), self._expected[source], counted, strict=True
        ):
            if any(row not in expected for row in stored):
                wrong.append(f"{name} with other values")
            if len(stored) != known:
                wrong.append(f"{len(stored)} {name} are stored and the run knows of {known}")
        return wrong

    def balanced(self, standing: Standing) -> list[str]:
        """Whether every row that was fetched is accounted for."""
        counters = standing.counters
        wrong = []
        for mark in ("", "items_"):
            parts = sum(
                counters[f"{mark}{name}"] for name in ("inserted", "updated", "unchanged", "stale", "quarantined")
            )
            if counters[f"{mark}fetched"] != parts:
                wrong.append(f"{mark}fetched {counters[f'{mark}fetched']} and {parts} accounted for")
        return wrong

    def close(self) -> None:
        """End what is not the world's."""
        self.nursery.close()
        if self._admin is not None:
            self._admin.close()


@contextlib.contextmanager
def on_stage() -> Iterator[Stage]:
    """All of it, ended with the block."""
    folder = Path(tempfile.mkdtemp(prefix="keybuzz-orders-"))
    try:
        with amazon_world(folder) as world:
            world.reset()
            world.own_tables()
            stage = Stage(world, folder)
            try:
                yield stage
            finally:
                stage.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
