# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This project's importer against the simulator, with Vault and PostgreSQL beside it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.processes import COLLECTIONS
from tests.bench.orders import bounds, database_clock, measure
from tests.bench.orders.measure import Measured
from tests.bench.orders.peers import PROJECT

if TYPE_CHECKING:
    from tests.integration_lab.amazon_world import AmazonWorld

GENERATION_QUEUE = 60.0
"""Of the assumed time of a report (bounds.GENERATION_BASE), what it spends in IN_QUEUE."""
WAIT_BUDGET = 40 * 86_400.0
"""Seconds the importer may wait: more than any source needs for a million orders."""


@contextlib.contextmanager
def world(directory: Path, sellers: list[dict[str, Any]] | None = None) -> Iterator[AmazonWorld]:
    """Vault, PostgreSQL on virtual time and a standing simulator, ended with the block."""
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    # Not at the top: the peers are measured without the importer.
    from tests.integration_lab.amazon_world import AmazonWorld, stores

    with stores(directory) as (vault, database, drawn):
        admin = database.connect("admin")
        database_clock.install(admin, [database.users["repair"]])
        admin.close()
        with measure.standing_simulator(directory, sellers) as simulator:
            yield AmazonWorld(vault, database, simulator, drawn)


def source(facts: dict[str, Any]) -> str:
    """Which source an import ended with."""
    return str(facts.get("source"))


def planned_calls(facts: dict[str, Any], size: int) -> int:
    """Calls that the importer's last plan foresaw, with those made before it.

    A plan that does not know the number of orders foresees nothing: then it is what a perfect client makes.
    """
    plan = facts.get("plan") or {}
    if plan.get("expected_orders") is None:
        return bounds.calls(source(facts), size)
    (chosen,) = (one for one in plan["estimates"] if one["source"] == plan["source"])
    return int(sum(chosen["calls"].values()) + sum(plan["calls_before"].values()))


def run(bench: AmazonWorld, size: int, *, limit: float, wanted: str | None) -> Measured | str:
    """One import of a book of ``size`` orders into empty tables; a sentence where it did not end by itself.

    :param wanted: the option ``source``; None leaves it at its default.
    """
    bench.reset()
    bench.amazon.admin.reports(
        queue=GENERATION_QUEUE,
        progress=bounds.GENERATION_BASE - GENERATION_QUEUE,
        per_100k=bounds.GENERATION_PER_100_000,
    )
    measure.fill(bench.amazon, size)
    measure.fresh(bench.amazon)
    # Every line of progress ends a sleep and begins another: few of them.
    options: dict[str, Any] = {"wait_budget": WAIT_BUDGET, "progress_interval": 3600.0}
    if wanted:
        options["source"] = wanted
    try:
        params = bench.import_params(**options)
    except AssertionError as missing:
        return str(missing)
    found = child(bench, params, limit=limit, threads=True)
    if isinstance(found, str):
        return found
    facts = found["facts"]
    calls, refused = measure.journal(bench.amazon)
    orders, items = counted(bench)
    throttle = float((facts.get("this_call") or {}).get("throttled_seconds", 0.0))
    how = f"gave up: {found['error']}" if found["error"] else "complete"
    if not found["error"] and orders < size:
        how = f"lost {size - orders} orders"
    return Measured(
        size=size,
        orders=orders,
        items=items,
        ended=how,
        complete=how == "complete",
        throttle=throttle,
        generation=round(max(0.0, found["virtual_seconds"] - throttle), 3),
        real_seconds=found["real_seconds"],
        peak_rss=found["peak_rss"],
        calls=calls,
        refused=refused,
        details={
            "source": source(facts),
            "planned_calls": None if found["error"] else planned_calls(facts, size),
            "plan": facts.get("plan"),
            "this_call": facts.get("this_call"),
            "completeness": facts.get("completeness"),
            "threads": found["threads"],
        },
    )


def child(bench: AmazonWorld, params: dict[str, Any], *, limit: float, threads: bool) -> dict[str, Any] | str:
    """The importer's own process; what it printed, or why there is nothing."""
    log = bench.amazon.log.with_name("importer.log")
    database = bench.database
    given = {
        "params": params,
        "admin_url": bench.amazon.admin_url,
        "threads": threads,
        "admin": {
            "host": database.host,
            "port": database.port,
            "dbname": database.dbname,
            "user": database.users["admin"],
            "passfile": str(database.passfile),
            "sslmode": "verify-full",
            "sslrootcert": str(database.ca_file),
        },
    }
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.orders.ours_process"],
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{PROJECT}:{COLLECTIONS}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            answer, _ = process.communicate(json.dumps(given), timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return f"ended by the bench after {limit:.0f} s"
    if process.returncode != 0 or not answer:
        return f"its process ended with {process.returncode}: {measure.last_line(log)}"
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    if found["error"]:
        found["error"] += f" [{measure.last_line(log)}]"
    return found


def counted(bench: AmazonWorld) -> tuple[int, int]:
    """Orders and items in the database."""
    ((orders, items),) = bench.query("SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_items)")
    return orders, items
