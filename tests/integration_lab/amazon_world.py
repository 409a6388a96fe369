# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vault, PostgreSQL and Amazon's simulator, started once for the tests of a tenant's connection and orders."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_orders_backfill
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import tables

from lab import openbao, postgres, seed
from lab.certificates import authority
from lab.processes import Processes
from tests.lab.amazon_process import FRANCE, Simulator, running_simulator

PROJECT = Path(__file__).resolve().parents[2]
TENANT, OTHER = seed.TENANT, seed.OTHER_TENANT
UNTIL = seed.UNTIL
OWN_TABLES = ("order_import_errors", "amazon_backfill_runs", "amazon_quota")


@dataclass
class AmazonWorld:
    """The three servers and what a module needs to reach them."""

    vault: openbao.Vault
    database: postgres.Postgres
    amazon: Simulator
    drawn: seed.Seed = field(repr=False)
    secrets_met: list[str] = field(default_factory=list, repr=False)

    def protect(self, values: Iterable[str | None]) -> None:
        """What a module masks; kept, so that a test can ask what was masked."""
        self.secrets_met += [value for value in values if value]

    def params(self, role: str = "repair", **given: Any) -> dict[str, Any]:
        """Options of both modules that differ from the defaults; the database's role is repair or audit."""
        return {
            "vault_addr": self.vault.addr,
            "vault_token_file": str(self.vault.token_files[role]),
            "vault_ca_cert": str(self.vault.ca_file),
            "pg_host": self.database.host,
            "pg_port": self.database.port,
            "pg_dbname": self.database.dbname,
            "pg_user": self.database.users[role],
            "pg_passfile": str(self.database.passfile),
            "pg_sslrootcert": str(self.database.ca_file),
            "amazon_endpoint": self.amazon.endpoint,
            "amazon_lwa_url": self.amazon.lwa_url,
            "amazon_ca_cert": str(self.amazon.ca_file),
            "tenant": TENANT,
            **given,
        }

    def import_orders(self, *, check_mode: bool = False, role: str = "repair", **given: Any) -> Outcome:
        """The module amazon_orders_backfill in this process, for the report's window unless told otherwise."""
        params = self.import_params(role, **given)
        return amazon_orders_backfill.run(params, self.protect, check_mode=check_mode)

    def import_params(self, role: str = "repair", **given: Any) -> dict[str, Any]:
        """All options of an import of the report's window."""
        from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.amazon_orders_backfill import OPTIONS

        options = {"until": UNTIL, "manage_schema": True, "progress_interval": 0.2, **given}
        return filled(OPTIONS, self.params(role, **options))

    def query(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Rows of a statement as the database's administrator."""
        return rows(self.database, statement, values)

    def kv(self) -> Any:
        """Vault's documents as the administrator."""
        return self.vault.client("root").secrets.kv.v2

    def own_tables(self) -> None:
        """The import's tables as the import makes them, and a bucket that holds enough for many runs."""
        connection = self.database.connect("repair")
        try:
            with connection, connection.cursor() as cursor:
                for option, name in (
                    ("errors_table", "order_import_errors"),
                    ("runs_table", "amazon_backfill_runs"),
                    ("quota_table", "amazon_quota"),
                ):
                    cursor.execute(tables.create_statement(tables.own_table(option, name)))
                cursor.execute(
                    "INSERT INTO amazon_quota VALUES (%s, %s, 'searchOrders', 5, 1000, 1000, now())",
                    (self.amazon.application_id, seed.SELLER_ID),
                )
        finally:
            connection.close()
        self.amazon.admin.buckets("searchOrders", rate=5, burst=1000)

    def reset(self) -> None:
        """Both documents and rows as in the healthy world, no orders, no import's tables, Amazon untouched."""
        self.amazon.admin.reset()
        self.query("TRUNCATE order_items, orders")
        for table in OWN_TABLES:
            self.query(f"DROP TABLE IF EXISTS {table}")
        self.query(
            'UPDATE tenants SET "status" = \'CONNECTED\', "displayName" = %s, "marketplaceId" = %s, "sellerId" = %s,'
            ' "owner" = %s WHERE "tenantId" = %s',
            (f"Amazon Seller {seed.SELLER_ID}", FRANCE, seed.SELLER_ID, seed.OWNER, TENANT),
        )
        for path, document in (
            (seed.APP_PATH, self.app_document()),
            (seed.TENANT_PATH.format(tenant=TENANT), self.tenant_document()),
        ):
            self.kv().delete_metadata_and_all_versions(path, mount_point=seed.MOUNT)
            self.kv().create_or_update_secret(path, document, cas=0, mount_point=seed.MOUNT)
        self.kv().delete_metadata_and_all_versions(seed.TENANT_PATH.format(tenant=OTHER), mount_point=seed.MOUNT)
        self.secrets_met.clear()

    def app_document(self) -> dict[str, str]:
        """The application's document, with the simulator's credentials."""
        return {
            "client_id": self.amazon.client_id,
            "client_secret": self.amazon.client_secret,
            "application_id": self.amazon.application_id,
            "redirect_uri": self.amazon.redirect_uri,
            "region": seed.REGION,
        }

    def tenant_document(self) -> dict[str, str]:
        """The connected tenant's document."""
        return {**self.drawn.tenant_document(), "refresh_token": self.amazon.refresh_tokens[TENANT]}

    def calls(self, operation: str | None = None) -> list[dict[str, Any]]:
        """What Amazon was asked."""
        return self.amazon.admin.requests(operation)


def filled(spec: dict[str, dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    """Options as AnsibleModule hands them over: every one of them, with its default."""
    unknown = set(given) - set(spec)
    assert not unknown, f"options that the module does not have: {unknown}"
    return {name: given.get(name, option.get("default")) for name, option in spec.items()}


def rows(database: postgres.Postgres, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    """Rows of a statement as the database's administrator."""
    with contextlib.closing(database.connect("admin")) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def stores(directory: Path) -> Iterator[tuple[openbao.Vault, postgres.Postgres, seed.Seed]]:
    """Vault and PostgreSQL of the healthy world, and what was drawn for it. They end with the block."""
    for name in ("secrets", "logs"):
        (directory / name).mkdir(mode=0o700, parents=True)
    processes = Processes(directory)
    drawn = seed.draw()
    try:
        vault = openbao.start(directory, processes, authority(directory, "vault"))
        openbao.furnish(vault, drawn)
        yield vault, postgres.start(directory, processes, authority(directory, "platform"), drawn), drawn
    finally:
        processes.stop_everything()
        remove_outside(directory)


@contextlib.contextmanager
def amazon_world(directory: Path) -> Iterator[AmazonWorld]:
    """The servers, ended with the block."""
    with stores(directory) as (vault, database, drawn), running_simulator(directory) as amazon:
        yield AmazonWorld(vault, database, amazon, drawn)


def remove_outside(directory: Path) -> None:
    """PostgreSQL's folder lies outside the test's own when the tests run as root."""
    import shutil

    shutil.rmtree(postgres.private_folder(directory), ignore_errors=True)


def import_process(params: dict[str, Any]) -> subprocess.Popen[str]:
    """The import in a process of its own, which can be killed. Its options come on its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration_lab.orders.import_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{PROJECT}:{PROJECT / '.collections'}"},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(params))
    process.stdin.close()
    return process
