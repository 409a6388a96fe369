# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants in drawn states: their rows, runs of every sort, orders in and around the windows of these."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_sources import SOURCES
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Task
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import checkpoint, tables
from psycopg2.extras import execute_values

from tests.integration_lab.amazon_world import FRANCE, AmazonWorld

ITALY = "APJ6JRA9NG5V4"
UNTIL = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
NOW = UNTIL + timedelta(minutes=5, seconds=30)
DAYS = 90
RUN = tuple(name for name in tables.RUNS if name != "heartbeatAt")


class Draw:
    """Rows for many tenants; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)  # noqa: S311 - the same each time, on purpose
        self.tenants: list[tuple[Any, ...]] = []
        self.runs: list[dict[str, Any]] = []
        self.orders: list[tuple[Any, ...]] = []
        self.items: list[tuple[Any, ...]] = []

    def tenant(self, name: str) -> str:
        """One more; a few have no row, or no marketplace that there is."""
        draw = self._draw
        market = draw.choices([FRANCE, ITALY, None, "A0NOWHERE"], [14, 3, 1, 1])[0]
        if draw.random() > 0.06:
            self.tenants.append((name, "o@x.example", market))
        runs = [self._run(name, market or FRANCE) for _ in range(draw.choice([0, 1, 1, 1, 2, 2, 3, 5]))]
        self._orders(name, market or FRANCE, runs)
        self.runs += runs
        return name

    def crowded(self, name: str, count: int) -> str:
        """A tenant with more completed catch-ups than are looked at, and a backfill before them."""
        self.tenants.append((name, "o@x.example", FRANCE))
        for at in range(count):
            mode = checkpoint.BACKFILL if at == count - 1 else checkpoint.CATCH_UP
            run = self._run(name, FRANCE)
            begun = NOW - timedelta(minutes=15 * at + 15)
            self.runs.append({**run, "mode": mode, "status": checkpoint.COMPLETED, "startedAt": begun})
        return name

    def _run(self, tenant: str, market: str) -> dict[str, Any]:
        draw = self._draw
        mode = draw.choices(["backfill", "catch_up", "reconcile", "replay"], [8, 3, 3, 1])[0]
        status = draw.choices(["COMPLETED", "RUNNING", "ABANDONED"], [5, 4, 1])[0]
        days = draw.choice([DAYS, DAYS, DAYS, 30])
        before = draw.choice([UNTIL, UNTIL, NOW - timedelta(minutes=draw.randint(3, 3000))])
        source = draw.choice(list(SOURCES))
        begun = NOW - timedelta(minutes=draw.randint(1, 4000))
        window = before - timedelta(days=days), before
        task = Task(market, *window, "created" if mode == "backfill" else "updated")
        token = draw.choice([None, "token"])
        return {
            "runId": str(uuid.UUID(int=draw.getrandbits(128))),
            "tenantId": tenant,
            "marketplaceId": draw.choices([market, ITALY], [9, 1])[0],
            "source": source,
            "days": days,
            "windowAfter": window[0],
            "windowBefore": window[1],
            "query": json.dumps(draw.choices([SOURCES[source].query(task), {"another": "one"}], [4, 1])[0]),
            "status": status,
            "pageToken": token,
            "pageTokenAt": NOW - timedelta(hours=draw.choice([1, 30])) if token else None,
            "pages": draw.randint(0, 3),
            "restarts": 0,
            "counters": {"fetched": draw.randint(0, 9), "said": {"days": {"2026-01-01": {"SHIPPED": 3}}}},
            "startedAt": begun,
            "updatedAt": begun,
            "completedAt": begun + timedelta(minutes=draw.randint(1, 9)) if status == "COMPLETED" else None,
            "mode": mode,
            "state": json.dumps(draw.choice([{}, {"part": 2}])),
            "holder": draw.choice([None, "somewhere/1"]),
        }

    def _orders(self, name: str, market: str, runs: Sequence[dict[str, Any]]) -> None:
        """Orders on, in and beside the windows; the runs say that there are as many, or more."""
        draw = self._draw
        edges = [
            UNTIL,
            UNTIL - timedelta(days=DAYS),
            *(run[end] for run in runs for end in ("windowAfter", "windowBefore")),
        ]
        stored = []
        for at in range(draw.randint(0, 6)):
            moved = draw.choice([timedelta(0), timedelta(seconds=1), timedelta(days=draw.randint(1, 200))])
            created = draw.choice(edges) + moved * draw.choice([-1, 1])
            where = draw.choices([market, ITALY], [6, 1])[0]
            lines = draw.randint(0, 2)
            stored.append((created, where, lines))
            self.orders.append((name, f"{name}-{at}", where, created))
            self.items += [(name, f"{name}-{at}", str(line)) for line in range(lines)]
        for run in runs:
            inside = [
                lines
                for created, where, lines in stored
                if run["windowAfter"] <= created <= run["windowBefore"] and where == run["marketplaceId"]
            ]
            lost = draw.choices([(0, 0), (1, 0), (0, 1), (2, 2)], [6, 1, 1, 1])[0]
            run["counters"] |= {"rows_orders": len(inside) + lost[0], "rows_items": sum(inside) + lost[1]}

    def store(self, world: AmazonWorld, *, young: Sequence[str] = ()) -> None:
        """Into the tables; the ``young`` tenants' unfinished runs have beaten just now."""
        connection = world.database.connect("admin")
        try:
            with connection, connection.cursor() as cursor:
                execute_values(
                    cursor, 'INSERT INTO tenants ("tenantId", "owner", "marketplaceId") VALUES %s', self.tenants
                )
                known = {tenant for tenant, *_rest in self.tenants}
                execute_values(
                    cursor,
                    'INSERT INTO orders ("tenantId", "externalOrderId", "orderRef", "marketplaceId", "orderDate",'
                    ' "orderStatus", "lastUpdatedAt") VALUES %s',
                    [(one[0], one[1], "#1", *one[2:], "SHIPPED", one[3]) for one in self.orders if one[0] in known],
                )
                execute_values(
                    cursor,
                    'INSERT INTO order_items ("tenantId", "externalOrderId", "externalItemId", "quantityOrdered",'
                    ' "lineStatus") VALUES %s',
                    [(*one, 1, "ACTIVE") for one in self.items if one[0] in known],
                )
                columns = ", ".join(f'"{name}"' for name in RUN)
                execute_values(
                    cursor,
                    f"INSERT INTO amazon_backfill_runs ({columns}) VALUES %s",
                    [
                        tuple(json.dumps(v) if isinstance(v := run[name], dict) else v for name in RUN)
                        for run in self.runs
                    ],
                )
                cursor.execute(
                    'UPDATE amazon_backfill_runs SET "holder" = \'elsewhere/2\', "heartbeatAt" = now()'
                    ' WHERE "tenantId" = ANY (%s) AND "status" = \'RUNNING\'',
                    (list(young),),
                )
        finally:
            connection.close()


def forget(world: AmazonWorld) -> None:
    """All of them are gone."""
    for table in ("order_items", "orders", "tenants"):
        world.query(f"DELETE FROM {table} WHERE \"tenantId\" LIKE 'drawn-%%'", ())
