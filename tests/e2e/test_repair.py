# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole job on the tenant of the report: see it, write nothing, repair it, and do nothing the second time."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing

import hvac
import jsonschema
import pytest

from lab.amazon.fixture import CANCELLED_COUNT, ITEM_COUNT, ORDER_COUNT, expected_rows, known_rows
from lab.world import World
from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence
from tests.e2e.playbooks import PROJECT, Playbooks

TENANT = "ecomlg-001"
SCHEMA = json.loads((PROJECT / "docs/schema/drift_report-1.0.schema.json").read_text())
NAMESPACE = "keybuzz-backend-dev"
# What each piece of the lab looks like to the collection when it is broken.
PIECES: dict[str, set[str]] = {
    "vault-token-secret": {"vault_token/secret", "backend_access/restart"},
    "vault-addr": {"backend_access/env/VAULT_ADDR"},
    "tls-trust": {
        "backend_access/env/NODE_EXTRA_CA_CERTS",
        "backend_access/config/vault-ca",
        "backend_access/mount/vault-ca",
    },
    "app-creds": {"amazon_app/document"},
    "tenant-connection": {f"amazon_tenant/{TENANT}/document", f"amazon_tenant/{TENANT}/row"},
    "orders": {f"amazon_orders/{TENANT}/window"},
}
# What a repair writes to be the only one at work. It is created without a name in the request's path.
LEASE = {"leases/keybuzz-amazon-repair", "leases/None"}
ALL_PIECES = set().union(*PIECES.values())


def rows(world: World, query: str) -> list[tuple[object, ...]]:
    with closing(world.database()) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def versions(world: World) -> list[tuple[object, ...]]:
    """Identity of every stored row version: equal lists mean that no row was rewritten."""
    return [
        row
        for table in ("tenants", "orders", "order_items", "amazon_backfill_runs")
        for row in rows(world, f"SELECT '{table}', ctid::text, xmin::text FROM {table} ORDER BY ctid")
    ]


def stored(world: World) -> dict[str, object]:
    """Everything outside PostgreSQL that a repair could write: document versions, object generations, ReplicaSets."""
    api = world.kubernetes()
    deployment = api.get("deployments", "keybuzz-backend", NAMESPACE)
    secret = api.get("secrets", "vault-token", NAMESPACE)
    vault = world.vault.client("root")
    return {
        "generation": deployment["metadata"]["generation"],
        "replicasets": sorted(one["metadata"]["name"] for one in api.list("replicasets", NAMESPACE)["items"]),
        "secret": secret["metadata"]["resourceVersion"],
        "app": document_version(vault, "keybuzz/amazon_spapi/app"),
        "tenant": document_version(vault, f"keybuzz/tenants/{TENANT}/amazon_spapi"),
    }


def document_version(vault: hvac.Client, path: str) -> int | None:
    try:
        return int(vault.secrets.kv.v2.read_secret_metadata(path)["data"]["current_version"])
    except hvac.exceptions.InvalidPath:
        return None


def test_the_whole_job_from_broken_to_proven(lab: Lab, evidence: Evidence, playbooks: Playbooks) -> None:
    world = World.load(lab.directory)
    lab("break", "all")

    before = evidence.mark()
    check = playbooks.repair("--check", "--diff")
    assert check.code == 0, check.output
    assert check.pending() == ALL_PIECES
    jsonschema.validate(check.report, SCHEMA)
    assert evidence.vault_writes(before) == []
    assert evidence.kubernetes_writes(before) == []
    assert evidence.sql_writes(before) == []
    assert set(evidence.amazon_calls(before)) <= {"token"}

    audit = playbooks.audit()
    assert audit.code == 2, "an audit of a broken environment has to fail"
    assert audit.pending() == ALL_PIECES
    assert (evidence.vault_writes(before), evidence.kubernetes_writes(before), evidence.sql_writes(before)) == (
        [],
        [],
        [],
    )

    repair = playbooks.repair()
    assert repair.code == 0, repair.output
    assert repair.report["verdict"] == "in_sync"
    assert repair.pending("found") == ALL_PIECES
    jsonschema.validate(repair.report, SCHEMA)
    assert world.backend()[0] == 200

    orders, items = expected_rows()
    assert (len(orders), len(items)) == (ORDER_COUNT, ITEM_COUNT) and ORDER_COUNT == 94
    columns = ("externalOrderId", "orderRef", "orderDate", "totalAmount", "currency", "orderStatus")
    order_names = ", ".join(f'"{name}"' for name in columns)
    assert Counter(rows(world, f"SELECT {order_names} FROM orders")) == Counter(
        tuple(order[name] for name in columns) for order in orders
    )
    item_columns = (
        "externalOrderId",
        "externalItemId",
        "sku",
        "quantityOrdered",
        "unitPrice",
        "lineTotal",
        "lineStatus",
    )
    names = ", ".join(f'"{name}"' for name in item_columns)
    assert Counter(rows(world, f"SELECT {names} FROM order_items")) == Counter(
        tuple(item[name] for name in item_columns) for item in items
    )
    stored_orders = {
        row[0]: dict(zip(columns, row, strict=True)) for row in rows(world, f"SELECT {order_names} FROM orders")
    }
    for known in known_rows():
        assert {name: stored_orders[known["externalOrderId"]][name] for name in known} == known
    assert rows(world, "SELECT count(*) FROM orders WHERE \"orderStatus\" = 'CANCELLED'") == [(CANCELLED_COUNT,)]

    state, row_versions, mark = stored(world), versions(world), evidence.mark()
    again = playbooks.repair()
    assert again.code == 0, again.output
    assert again.changed == 0
    assert stored(world) == state
    assert versions(world) == row_versions
    assert (evidence.vault_writes(mark), evidence.kubernetes_writes(mark), evidence.sql_writes(mark)) == ([], [], [])
    assert evidence.amazon_calls(mark) == Counter({"token": 1}), "the tenant's grant is proven once, nothing else"

    report = (repair.folder / "repair_report.md").read_text()
    assert "94" in report and TENANT in report
    for heading in (
        "### Target tenant",
        "### Problems found, and how each was solved",
        "### Vault paths and key names",
        "### Import results",
        "### Final backend configuration",
        "### Résumé",
    ):
        assert heading in report


@pytest.mark.parametrize("piece", sorted(PIECES))
def test_one_broken_piece_is_named_alone_and_repaired_alone(
    piece: str, healthy: Lab, evidence: Evidence, playbooks: Playbooks
) -> None:
    world = World.load(healthy.directory)
    healthy("break", piece)
    broken = stored(world)

    check = playbooks.repair("--check", "--diff")
    assert check.code in {0, 2}
    assert check.pending() == PIECES[piece], check.output

    mark = evidence.mark()
    repair = playbooks.repair()
    assert repair.code == 0, repair.output
    assert repair.report["verdict"] == "in_sync"
    assert world.backend()[0] == 200

    after = stored(world)
    untouched = {
        "vault-token-secret": {"app", "tenant"},
        "vault-addr": {"app", "tenant", "secret"},
        "tls-trust": {"app", "tenant", "secret"},
        "app-creds": {"tenant", "secret", "generation", "replicasets"},
        "tenant-connection": {"app", "secret", "generation", "replicasets"},
        "orders": {"app", "tenant", "secret", "generation", "replicasets"},
    }[piece]
    assert {key: after[key] for key in untouched} == {key: broken[key] for key in untouched}
    if piece not in {"orders", "tenant-connection"}:
        assert evidence.sql_writes(mark) == []
    if piece in {"orders", "app-creds", "tenant-connection"}:
        assert {write.split()[1] for write in evidence.kubernetes_writes(mark)} <= LEASE
