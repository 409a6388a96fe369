# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab with three environments of thousands of healthy tenants each, and an inventory for them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from lab import seed
from lab.world import World
from tests.bench.orders.peers import PROJECT
from tests.lab.amazon_process import FRANCE, Simulator, running_simulator

ENVIRONMENTS = ("dev", "staging", "prod")
WRITERS = 4


@dataclass(frozen=True)
class Fleet:
    """The running world. ``inventory`` is a folder whose hosts are the environments."""

    world: World
    amazon: Simulator
    inventory: Path


def tenants(environment: str, count: int) -> list[str]:
    """``dev-00001`` and so on."""
    return [f"{environment}-{at:05d}" for at in range(1, count + 1)]


def _seller(tenant: str, mark: str) -> dict[str, Any]:
    environment, number = tenant.split("-")
    return {
        "tenant": tenant,
        "seller_id": f"A{environment[:3].upper()}{int(number):09d}",
        "marketplace_ids": [FRANCE],
        "refresh_token": f"Atzr|CANARY-{mark}-{tenant}-{secrets.token_urlsafe(120)}",
        "fixture": None,
    }


@contextlib.contextmanager
def fleet(folder: Path, count: int) -> Iterator[Fleet]:
    """The lab with ``count`` tenants in each environment, ended with the block."""
    directory = folder / "lab"
    environment = {**os.environ, "LAB_DIR": str(directory)}
    lab = [sys.executable, "-m", "lab"]
    mark = secrets.token_hex(4)
    sellers = [_seller(tenant, mark) for name in ENVIRONMENTS for tenant in tenants(name, count)]
    try:
        subprocess.run([*lab, "up"], cwd=PROJECT, env=environment, check=True, stdout=subprocess.DEVNULL)
        world = World.load(directory)
        _import_once(folder, environment)
        root = world.vault.client("root")
        app = root.secrets.kv.v2.read_secret_version(seed.APP_PATH, mount_point=seed.MOUNT)["data"]["data"]
        own = {name: app[name] for name in ("client_id", "client_secret", "application_id", "redirect_uri")}
        (folder / "amazon").mkdir()
        with running_simulator(folder / "amazon", sellers, patience=120.0, **own) as simulator:
            _documents(world, sellers)
            _rows(world, sellers)
            yield Fleet(world, simulator, _inventory(folder, simulator))
    finally:
        subprocess.run([*lab, "down"], cwd=PROJECT, env=environment, check=True, stdout=subprocess.DEVNULL)


def _import_once(folder: Path, environment: dict[str, str]) -> None:
    """One tenant's orders and run as an import leaves them: what all the others are copies of."""
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "repair_amazon.yml",
        "-e",
        f"tenant={seed.TENANT}",
    ]
    subprocess.run(
        [*command, "-e", f"drift_report_directory={folder}"],
        cwd=PROJECT,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _documents(world: World, sellers: Sequence[dict[str, Any]]) -> None:
    """The tenants' documents in Vault, over a few connections."""
    vault = world.vault
    token = vault.client("root").token

    def write(part: Sequence[dict[str, Any]]) -> None:
        with requests.Session() as session:
            session.verify, session.trust_env = str(vault.ca_file), False
            session.headers["X-Vault-Token"] = str(token)
            for one in part:
                document = {
                    "refresh_token": one["refresh_token"],
                    "seller_id": one["seller_id"],
                    "marketplace_id": FRANCE,
                    "region": seed.REGION,
                    "created_at": "2026-01-12T12:00:00Z",
                }
                path = f"{seed.MOUNT}/data/{seed.TENANT_PATH.format(tenant=one['tenant'])}"
                session.post(f"{vault.addr}/v1/{path}", json={"data": document}, timeout=30).raise_for_status()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, [sellers[at::WRITERS] for at in range(WRITERS)]))


def _rows(world: World, sellers: Sequence[dict[str, Any]]) -> None:
    """Each tenant's row, its run, and three orders with their lines."""
    names = [one["tenant"] for one in sellers]
    with closing(world.database("admin")) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO tenants ("tenantId", "owner", "status", "displayName", "marketplaceId", "sellerId")'
            " SELECT t, %s, 'CONNECTED', 'Amazon Seller ' || s, %s, s FROM unnest(%s, %s) AS given(t, s)",
            (seed.OWNER, FRANCE, names, [one["seller_id"] for one in sellers]),
        )
        cursor.execute(
            'CREATE TEMPORARY TABLE three AS SELECT "externalOrderId" AS id FROM orders WHERE "tenantId" = %s'
            ' ORDER BY "orderDate" LIMIT 3',
            (seed.TENANT,),
        )
        for table, key in (("orders", True), ("order_items", True), ("amazon_backfill_runs", False)):
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'"
                " AND is_identity = 'NO' AND table_schema = 'public' ORDER BY ordinal_position",
                (table,),
            )
            columns = [name for (name,) in cursor.fetchall()]
            values = [_copied(name) for name in columns]
            quoted = ", ".join(f'"{name}"' for name in columns)
            only = ' AND source."externalOrderId" IN (SELECT id FROM three)' if key else ""
            cursor.execute(
                f"INSERT INTO {table} ({quoted}) SELECT {', '.join(values)} FROM {table} AS source,"
                f' unnest(%s) AS copies(tenant) WHERE source."tenantId" = %s{only}',
                (names, seed.TENANT),
            )
        cursor.execute(
            "UPDATE amazon_backfill_runs SET counters = counters || jsonb_build_object('rows_orders', 3, 'rows_items',"
            ' (SELECT count(*) FROM order_items WHERE "tenantId" = %s)) WHERE "tenantId" <> %s',
            (names[0], seed.TENANT),
        )
    with closing(world.database("admin")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def _copied(name: str) -> str:
    made = {"tenantId": "copies.tenant", "runId": "gen_random_uuid()"}
    return made.get(name, f'source."{name}"')


def _inventory(folder: Path, simulator: Simulator) -> Path:
    inventory = folder / "inventory"
    shutil.copytree(PROJECT / "inventories" / "lab" / "group_vars", inventory / "group_vars")
    (inventory / "hosts.yml").write_text(json.dumps({"all": {"hosts": dict.fromkeys(ENVIRONMENTS)}}))
    (inventory / "group_vars" / "all" / "zz_fleet.yml").write_text(
        json.dumps(
            {
                "amazon_endpoint": simulator.endpoint,
                "amazon_lwa_url": simulator.lwa_url,
                "amazon_ca_cert": str(simulator.ca_file),
                "amazon_tenant_refresh_token_file": "",
            }
        )
    )
    (inventory / "host_vars").mkdir()
    return inventory


def choose(found: Fleet, count: int) -> None:
    """Let the inventory name the first ``count`` tenants of each environment."""
    for name in ENVIRONMENTS:
        path = found.inventory / "host_vars" / f"{name}.json"
        path.write_text(json.dumps({"tenants": tenants(name, count)}))
