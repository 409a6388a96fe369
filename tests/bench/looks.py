# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at thousands of tenants: ``python -m tests.bench.looks [--tenants 1000] [--environments 1] [--orders 20]``.

Each environment is a process of its own that looks at all tenants; all of them share one OpenBao, one PostgreSQL and
one simulator. Told are the seconds, the processor's time of each part, peak memory and connections.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from lab import openbao, postgres, seed
from lab.certificates import authority
from lab.processes import Processes
from tests.bench.orders.peer_process import peak_rss
from tests.bench.orders.tenants import names, sellers
from tests.lab.amazon_process import FRANCE, PROJECT, running_simulator

if TYPE_CHECKING:
    from tests.integration_lab.amazon_world import AmazonWorld

COLLECTIONS = PROJECT / ".collections"
OUTPUT = PROJECT / "build" / "bench" / "looks.json"
PARTS = ("tenants", "orders")
SAMPLED_EVERY = 0.2
"""Seconds between two looks at the connections of the processes."""
ORDERS = """
INSERT INTO orders ("tenantId", "externalOrderId", "orderRef", "marketplaceId", "orderDate", "orderStatus",
                    "lastUpdatedAt")
SELECT "tenantId", "tenantId" || '-' || at, '#' || at, "marketplaceId", now() - make_interval(days => 1 + at %% 88),
       'SHIPPED', now()
  FROM tenants, generate_series(1, %(orders)s) AS at WHERE "tenantId" LIKE 'bench-%%';
INSERT INTO order_items ("tenantId", "externalOrderId", "externalItemId", "quantityOrdered", "lineStatus")
SELECT "tenantId", "externalOrderId", '1', 1, 'ACTIVE' FROM orders;
INSERT INTO amazon_backfill_runs ("runId", "tenantId", "marketplaceId", "source", "days", "windowAfter", "windowBefore",
                                  "query", "status", "counters", "completedAt", "pages")
SELECT gen_random_uuid(), "tenantId", "marketplaceId", 'search', 90, ends - interval '90 days', ends, '{}', 'COMPLETED',
       jsonb_build_object('rows_orders', %(orders)s, 'rows_items', %(orders)s, 'fetched', %(orders)s), now(), 1
  FROM tenants, (SELECT date_trunc('minute', now()) - interval '3 minutes' AS ends) AS settled
 WHERE "tenantId" LIKE 'bench-%%';
ANALYZE
"""


def fill(world: AmazonWorld, count: int, orders: int) -> None:
    """Documents, rows, orders and runs of connected tenants whose orders are all there."""
    kv, people = world.kv(), sellers(count)
    kv.create_or_update_secret(seed.APP_PATH, world.app_document(), mount_point=seed.MOUNT)

    def put(one: dict[str, Any]) -> None:
        token = world.amazon.refresh_tokens[one["tenant"]]
        document = {**world.drawn.tenant_document(), "seller_id": one["seller_id"], "refresh_token": token}
        path = seed.TENANT_PATH.format(tenant=one["tenant"])
        kv.create_or_update_secret(path, {**document, "marketplace_id": FRANCE}, mount_point=seed.MOUNT)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, people))
    world.own_tables()
    world.query(
        'INSERT INTO tenants ("tenantId", "owner", "status", "displayName", "marketplaceId", "sellerId")'
        " SELECT tenant, %s, 'CONNECTED', 'Amazon Seller ' || seller, %s, seller"
        " FROM unnest(%s::text[], %s::text[]) AS one (tenant, seller)",
        (seed.OWNER, FRANCE, [one["tenant"] for one in people], [one["seller_id"] for one in people]),
    )
    world.query(ORDERS, {"orders": orders})


def options(world: AmazonWorld, count: int) -> dict[str, dict[str, Any]]:
    """The options of both modules, as an auditor gives them."""
    from ansible_collections.keybuzz.amazon.plugins.module_utils._spec import amazon_orders_backfill as orders
    from ansible_collections.keybuzz.amazon.plugins.module_utils._spec import amazon_tenant_connect as tenants

    from tests.integration_lab.amazon_world import filled

    given = {**world.params("audit"), "tenant": None, "tenants": names(count)}
    return {"tenants": filled(dict(tenants.OPTIONS), given), "orders": filled(dict(orders.OPTIONS), given)}


def child() -> int:
    """One environment: the options on standard input, what came out on standard output."""
    from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_stream, tenants_stream

    given = json.load(sys.stdin)
    looks = {"tenants": tenants_stream.looks, "orders": orders_stream.looks}[given["part"]]
    statuses: Counter[str] = Counter()

    def protect(_secrets: Iterable[str | None]) -> None:
        """Nothing is shown here that would have to be masked."""

    used, began = time.process_time(), time.perf_counter()
    for _name, outcome in looks(given["options"], protect, given["options"]["tenants"]):
        statuses.update(item.status for item in outcome.items)
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - began,
                "processor": time.process_time() - used,
                "peak_rss": peak_rss(),
                "statuses": statuses,
            }
        )
    )
    return 0


def measured(world: AmazonWorld, servers: dict[str, list[psutil.Process]], part: str, given: Any, count: int) -> Any:
    """All environments side by side, once."""
    before = {name: _processor(found) for name, found in servers.items()}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{PROJECT}:{COLLECTIONS}"}
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.looks", "--child"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    with ConnectionWatch([one.pid for one in running]) as most, ThreadPoolExecutor(count) as pool:
        said = list(pool.map(lambda one: one.communicate(json.dumps({"part": part, "options": given}))[0], running))
    found = [json.loads(one) for one in said]
    looked_at = len(given["tenants"]) * count
    spent = {name: _processor(one) - before[name] for name, one in servers.items()}
    spent["client"] = sum(one["processor"] for one in found)
    return {
        "part": part,
        "tenants": len(given["tenants"]),
        "environments": count,
        "seconds": round(time.perf_counter() - began, 2),
        "milliseconds_of_processor_a_tenant": {
            name: round(seconds / looked_at * 1e3, 3) for name, seconds in sorted(spent.items())
        },
        "peak_rss": max(one["peak_rss"] for one in found),
        "connections_a_process": most.most,
        "statuses": found[0]["statuses"],
    }


class ConnectionWatch:
    """The most connections at once of one of these processes, looked at while the block runs."""

    def __init__(self, pids: list[int]) -> None:
        self.most = 0
        self._pids = pids
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> ConnectionWatch:
        self._watch.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._done.wait(SAMPLED_EVERY):
            for pid in self._pids:
                try:
                    open_ones = [one for one in psutil.Process(pid).net_connections() if one.status == "ESTABLISHED"]
                except psutil.Error:
                    continue
                self.most = max(self.most, len(open_ones))


def _processor(processes: list[psutil.Process]) -> float:
    total = 0.0
    for one in processes:
        for each in (one, *one.children(recursive=True)):
            try:
                spent = each.cpu_times()
            except psutil.Error:
                continue
            total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


def main() -> int:
    """The command; ends with 1 where a tenant was not in sync."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.looks", description=__doc__)
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--environments", type=int, default=1, help="processes that look at all tenants side by side")
    parser.add_argument("--orders", type=int, default=20, help="orders of each tenant")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    if given.child:
        return child()
    from tests.integration_lab.amazon_world import AmazonWorld, remove_outside

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for name in ("secrets", "logs"):
            (directory / name).mkdir(mode=0o700)
        processes, drawn = Processes(directory), seed.draw()
        try:
            vault = openbao.start(directory, processes, authority(directory, "vault"))
            openbao.furnish(vault, drawn)
            database = postgres.start(directory, processes, authority(directory, "platform"), drawn)
            with running_simulator(directory, sellers(given.tenants)) as amazon:
                world = AmazonWorld(vault, database, amazon, drawn)
                fill(world, given.tenants, given.orders)
                servers = {record.name: [psutil.Process(record.pid)] for record in processes.records()}
                servers["amazon"] = [psutil.Process(amazon.process.pid)]
                asked = options(world, given.tenants)
                found = [measured(world, servers, part, asked[part], given.environments) for part in PARTS]
        finally:
            processes.stop_everything()
            remove_outside(directory)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for one in found:
        spent = ", ".join(f"{name} {much}" for name, much in one["milliseconds_of_processor_a_tenant"].items())
        print(
            f"{one['part']}: {one['environments']} x {one['tenants']:,} tenants in {one['seconds']} s;"
            f" ms of processor a tenant: {spent}; {one['peak_rss'] / 1e6:.0f} MB,"
            f" {one['connections_a_process']} connections a process"
        )
    return 0 if all(set(one["statuses"]) == {"in_sync"} for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
