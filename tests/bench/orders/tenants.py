# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hundred tenants in one process: ``python -m tests.bench.orders.tenants [--tenants 100] [--orders 1000]``.

Measures real seconds, threads, peak memory and connections to PostgreSQL of one call with ``tenants: [...]``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import seed
from tests.bench.orders import measure, ours
from tests.bench.orders.peers import PROJECT
from tests.lab.amazon_caller import SINCE, UNTIL
from tests.lab.amazon_process import FRANCE

if TYPE_CHECKING:
    from tests.integration_lab.amazon_world import AmazonWorld

OUTPUT = PROJECT / "build" / "bench" / "orders-tenants.json"
LOOK_EVERY = 0.05
"""Real seconds between two looks at the database's sessions."""


@dataclass(frozen=True)
class Together:
    """One call for many tenants; ``connections`` are the most at once of the importer's role."""

    tenants: int
    orders_each: int
    orders: int
    ended: str
    real_seconds: float
    virtual_seconds: float
    peak_rss: int
    threads: int
    connections: int
    calls: dict[str, int]
    refused: dict[str, int]


def names(count: int) -> list[str]:
    """``bench-000`` and so on."""
    return [f"bench-{at:03d}" for at in range(count)]


def sellers(count: int) -> list[dict[str, Any]]:
    """The simulator's sellers, one a tenant, each with a refresh token of his own."""
    mark = secrets.token_hex(4)
    return [
        {
            "tenant": tenant,
            "seller_id": f"ABENCH{at:08d}",
            "marketplace_ids": [FRANCE],
            "refresh_token": f"Atzr|CANARY-{mark}-{tenant}",
            "fixture": None,
        }
        for at, tenant in enumerate(names(count))
    ]


def connect_all(bench: AmazonWorld, count: int) -> None:
    """Vault's documents and the backend's rows: every tenant is connected."""
    vault = bench.kv()
    app = {**bench.app_document()}
    vault.create_or_update_secret(seed.APP_PATH, app, mount_point=seed.MOUNT)
    for one in sellers(count):
        tenant, seller_id = one["tenant"], one["seller_id"]
        document = {
            **bench.drawn.tenant_document(),
            "seller_id": seller_id,
            "marketplace_id": FRANCE,
            "refresh_token": bench.amazon.refresh_tokens[tenant],
        }
        path = seed.TENANT_PATH.format(tenant=tenant)
        vault.create_or_update_secret(path, document, mount_point=seed.MOUNT)
        bench.query(
            'INSERT INTO tenants ("tenantId", "owner", "status", "displayName", "marketplaceId", "sellerId")'
            " VALUES (%s, %s, 'CONNECTED', %s, %s, %s)",
            (tenant, seed.OWNER, f"Amazon Seller {seller_id}", FRANCE, seller_id),
        )


@contextlib.contextmanager
def sessions_watched(bench: AmazonWorld) -> Iterator[list[int]]:
    """The numbers of sessions of the importer's role, looked at while the block runs."""
    seen = [0]
    done = threading.Event()

    def look() -> None:
        with contextlib.closing(bench.database.connect("admin")) as admin:
            admin.autocommit = True
            while not done.wait(LOOK_EVERY):
                with admin.cursor() as cursor:
                    cursor.execute(
                        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (bench.database.users["repair"],)
                    )
                    row = cursor.fetchone()
                    seen.append(row[0] if row else 0)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def run(bench: AmazonWorld, count: int, orders: int, *, limit: float) -> Together | str:
    """All tenants in one call into empty tables; a sentence where it was not measured."""
    connect_all(bench, count)
    start, end = datetime.fromisoformat(SINCE), datetime.fromisoformat(UNTIL)
    for at, tenant in enumerate(names(count)):
        bench.amazon.admin.generate_orders(
            tenant, orders, start=start, end=end, seed=at + 1, replace=True, procedural=True
        )
    measure.fresh(bench.amazon)
    params = bench.import_params(tenants=names(count), wait_budget=ours.WAIT_BUDGET, progress_interval=3600.0)
    params["tenant"] = None
    with sessions_watched(bench) as sessions:
        found = ours.child(bench, params, limit=limit, threads=True)
    if isinstance(found, str):
        return found
    calls, refused = measure.journal(bench.amazon)
    stored, _items = ours.counted(bench)
    how = "complete" if stored == count * orders else f"lost {count * orders - stored} orders"
    return Together(
        tenants=count,
        orders_each=orders,
        orders=stored,
        ended=f"gave up: {found['error']}" if found["error"] else how,
        real_seconds=found["real_seconds"],
        virtual_seconds=found["virtual_seconds"],
        peak_rss=found["peak_rss"],
        threads=found["threads"],
        connections=max(sessions),
        calls=calls,
        refused=refused,
    )


def main() -> int:
    """The command; ends with 1 where not every order arrived."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.orders.tenants", description=__doc__)
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--orders", type=int, default=1_000, help="orders of each tenant")
    parser.add_argument("--limit", type=float, default=1200.0, help="real seconds")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        ours.world(Path(folder) / "world", sellers(given.tenants)) as bench,
    ):
        found = run(bench, given.tenants, given.orders, limit=given.limit)
    if isinstance(found, str):
        print(f"{given.tenants} tenants: not measured: {found}")
        return 1
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    print(
        f"{found.tenants} tenants of {found.orders_each:,} orders in one process: {found.ended},"
        f" {found.real_seconds:.1f} s real, {found.threads} threads, {found.peak_rss / 1e6:.0f} MB,"
        f" {found.connections} connections, {sum(found.refused.values())} answers 429"
    )
    return 0 if found.ended == "complete" else 1


if __name__ == "__main__":
    sys.exit(main())
