# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No name is built in: a company that shares none with KeyBuzz is repaired, and KeyBuzz's own world is left alone."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import hvac
import pytest

from lab import seed
from lab.cluster.objects import API_NAMESPACE, BACKEND_NAMESPACE
from lab.openbao import BACKEND
from lab.world import World
from tests.e2e import other_names as acme
from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence, Marks
from tests.e2e.other_world import OtherWorld, document
from tests.e2e.playbooks import Playbooks

T = acme.TENANT
BROKEN = {
    "vault_token/policy",
    "vault_token/role",
    "vault_token/secret",
    "backend_access/env/ACME_VAULT_URL",
    "backend_access/env/NODE_EXTRA_CA_CERTS",
    "backend_access/forbidden/NODE_TLS_REJECT_UNAUTHORIZED",
    "backend_access/env_from/acme-vault-access",
    "backend_access/env_from/acme-lwa",
    "backend_access/config/acme-trust",
    "backend_access/mount/trusted",
    "amazon_app/document",
    f"amazon_tenant/{T}/document",
    f"amazon_tenant/{T}/row",
    f"amazon_orders/{T}/window",
}
KEYBUZZ_TABLES = (
    "tenants",
    "orders",
    "order_items",
    "order_import_errors",
    "amazon_backfill_runs",
    "amazon_quota",
)
# What nobody who asked for Acme may read. The lab's PostgreSQL roles and its kubeconfig's user are KeyBuzz's.
KEYBUZZ_NAMES = re.compile(
    r"keybuzz-(?:backend|api)|(?<![\w-])vault-(?:token|ca)(?![\w-])|amazon-spapi-creds|AMAZON_SPAPI_|VAULT_TOKEN"
    r"|keybuzz/(?:amazon|tenants)|secret/data/|/secret/|order_items|order_import_errors|amazon_backfill_runs"
    rf"|amazon_quota|{seed.MARKETPLACE}|{seed.TENANT}|CONNECTED"
)


@pytest.fixture
def other(healthy: Lab, tmp_path: Path) -> Iterator[OtherWorld]:
    built = OtherWorld(World.load(healthy.directory), tmp_path)
    try:
        built.build()
        yield built
    finally:
        built.remove()


def rows(world: World, query: str) -> list[tuple[object, ...]]:
    with closing(world.database()) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def row_versions(world: World, tables: tuple[str, ...]) -> list[tuple[object, ...]]:
    """Identity of every stored row version: equal lists mean that no row was written."""
    return [
        row
        for table in tables
        for row in rows(world, f"SELECT '{table}', ctid::text, xmin::text FROM {table} ORDER BY 2")
    ]


def objects_of(world: World, namespace: str) -> dict[str, object]:
    """Versions of what a repair could write in a namespace; a Deployment by generation, as its status moves."""
    api = world.kubernetes()
    written = {
        f"{resource}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
        for resource in ("secrets", "configmaps")
        for one in api.list(resource, namespace)["items"]
    }
    rolled_out = {
        f"{resource}/{one['metadata']['name']}": one["metadata"]["generation"]
        for resource in ("deployments", "replicasets")
        for one in api.list(resource, namespace)["items"]
    }
    return {**written, **rolled_out}


def keybuzz(world: World) -> dict[str, object]:
    """Everything of KeyBuzz's that a repair could write."""
    vault = world.vault.client("root")
    read = vault.secrets.kv.v2.read_secret_metadata
    paths = (seed.APP_PATH, seed.TENANT_PATH.format(tenant=seed.TENANT))
    return {
        "rows": row_versions(world, KEYBUZZ_TABLES),
        "documents": [read(path)["data"]["current_version"] for path in paths],
        "known": vault.secrets.kv.v2.list_secrets("keybuzz/tenants")["data"]["keys"],
        "policy": vault.sys.read_policy(BACKEND)["data"],
        "role": vault.read(f"auth/token/roles/{BACKEND}")["data"],
        "objects": [objects_of(world, namespace) for namespace in (BACKEND_NAMESPACE, API_NAMESPACE)],
    }


def acme_now(other: OtherWorld) -> dict[str, object]:
    """Everything of Acme's that a repair could write."""
    tables = ("merchants", "sales", "sale_lines", "rejects", "imports", "buckets")
    return {
        "rows": row_versions(other.world, tuple(f"acme.{table}" for table in tables)),
        "documents": [other.document(path)[0] for path in (acme.APP_PATH, acme.TENANT_PATH.format(tenant=T))],
        "objects": objects_of(other.world, acme.NAMESPACE),
    }


def written(evidence: Evidence, since: Marks) -> tuple[list[str], list[str], list[str]]:
    return evidence.vault_writes(since), evidence.kubernetes_writes(since), evidence.sql_writes(since)


def touched_of_keybuzz(evidence: Evidence, since: Marks) -> list[str]:
    """Requests and statements of the repair's accounts that name something of KeyBuzz's, reading ones, too."""
    with evidence.kubernetes_log.open() as log:
        log.seek(since.kubernetes)
        events = [json.loads(line) for line in log if line.endswith("\n")]
    asked = [
        event["requestURI"]
        for event in events
        if event["user"]["username"].endswith(("keybuzz-repair", "keybuzz-audit"))
        and (event.get("objectRef") or {}).get("namespace") in {BACKEND_NAMESPACE, API_NAMESPACE}
    ]
    named = re.compile(rf'"(?:{"|".join(KEYBUZZ_TABLES)})"')
    with evidence.postgres_log.open(errors="replace") as text:
        text.seek(since.postgres)
        asked += [line for line in text if evidence.repair_role in line and named.search(line)]
    return asked


def select(columns: Mapping[str, str], table: str) -> tuple[tuple[str, ...], str]:
    """Logical names of the columns that Acme has, and the query that reads them in that order."""
    # The database alone fills the time of its own last write.
    names = tuple(name for name, own in columns.items() if own and name != "updatedAt")
    return names, "SELECT " + ", ".join(f'"{columns[name]}"' for name in names) + f" FROM {table}"


def test_a_world_with_other_names_is_repaired_and_keybuzzs_is_left_alone(
    other: OtherWorld, evidence: Evidence, playbooks: Playbooks
) -> None:
    world, inventory = other.world, ("-i", str(other.inventory))
    untouched, first_generation = keybuzz(world), other.deployment()["metadata"]["generation"]
    start = evidence.mark()

    check = playbooks.repair("--check", "--diff", *inventory, tenant=T)
    assert check.code == 0, check.output
    assert check.pending() == BROKEN | {"backend_access/restart"}, check.output
    assert written(evidence, start) == ([], [], [])

    repair = playbooks.repair(*inventory, tenant=T)
    assert repair.code == 0, repair.output
    assert repair.report["verdict"] == "in_sync"
    assert repair.pending("found") == BROKEN | {"backend_access/restart"}

    audit = playbooks.audit(*inventory, tenant=T)
    assert audit.code == 0, audit.output

    state, mark = acme_now(other), evidence.mark()
    again = playbooks.repair(*inventory, tenant=T)
    assert (again.code, again.changed) == (0, 0), again.output
    assert acme_now(other) == state
    assert written(evidence, mark) == ([], [], [])
    assert evidence.amazon_calls(mark) == Counter({"token": 1})

    assert touched_of_keybuzz(evidence, start) == []
    assert keybuzz(world) == untouched
    for run in (check, repair, audit, again):
        said = [run.output, *(file.read_text() for file in run.folder.iterdir())]
        assert [found for text in said for found in KEYBUZZ_NAMES.findall(text)] == []
    report = (repair.folder / "repair_report.md").read_text()
    for name in ("acme/kv/data/shops/amazon-app", f"acme/kv/data/shops/amazon-{T}/grant", "acme-shop/acme-portal"):
        assert f"`{name}`" in report

    deployment_is_acmes(other, first_generation)
    documents_are_acmes(other)
    tables_are_acmes(other)


def deployment_is_acmes(other: OtherWorld, first_generation: int) -> None:
    deployment = other.deployment()
    assert deployment["metadata"]["generation"] == first_generation + 1, "one patch, one rollout"
    assert deployment["status"]["readyReplicas"] == 1
    pod = deployment["spec"]["template"]["spec"]
    metrics, portal = pod["containers"]
    assert (metrics["name"], metrics["env"]) == ("metrics", [{"name": "TARGET", "value": "portal"}])
    assert not metrics.keys() & {"envFrom", "volumeMounts"}
    assert portal["env"] == [
        {"name": "LOG_LEVEL", "value": "info"},
        {"name": "ACME_VAULT_URL", "value": other.world.vault.addr},
        {"name": "NODE_EXTRA_CA_CERTS", "value": "/opt/acme/trust/bundle.pem"},
    ]
    sources = [source["secretRef"]["name"] for source in portal["envFrom"]]
    assert sources == ["acme-ledger", "acme-vault-access", "acme-lwa"]
    assert [(one["name"], one["configMap"]["name"]) for one in pod["volumes"]] == [("trusted", "acme-trust")]
    assert [(one["name"], one["mountPath"]) for one in portal["volumeMounts"]] == [("trusted", "/opt/acme/trust")]
    trust = other.world.kubernetes().get("configmaps", "acme-trust", acme.NAMESPACE)
    assert trust["data"] == {"bundle.pem": other.world.vault.ca_file.read_text()}


def documents_are_acmes(other: OtherWorld) -> None:
    keybuzz_app = document(other.world, seed.MOUNT, seed.APP_PATH)["data"]
    assert other.document(acme.APP_PATH) == (1, {own: keybuzz_app[field] for field, own in acme.APP_KEYS.items()})
    version, tenant = other.document(acme.TENANT_PATH.format(tenant=T))
    assert (version, tenant.pop("since") != "") == (2, True)
    assert tenant == {
        **acme.FOREIGN,
        "grant": (other.folder / f"{T}.acme").read_text(),
        "partner": seed.OTHER_SELLER_ID,
        "shop": acme.MARKETPLACE,
        "zone": seed.REGION,
    }
    token = backend_token(other)
    found = hvac.Client(url=other.world.vault.addr, token=token, verify=str(other.world.vault.ca_file)).lookup_token()[
        "data"
    ]
    assert (found["policies"], found["orphan"], found["role"]) == ([acme.READER], True, acme.MAKER)


def backend_token(other: OtherWorld) -> str:
    """The token in Acme's Secret, read as a pod reads it."""
    secret: dict[str, Any] = other.world.kubernetes().get("secrets", "acme-vault-access", acme.NAMESPACE)
    assert list(secret["data"]) == ["ACME_VAULT_SECRET"]
    return base64.b64decode(secret["data"]["ACME_VAULT_SECRET"]).decode()


def tables_are_acmes(other: OtherWorld) -> None:
    orders, items = other.expected()
    assert len(orders) == 130
    for columns, table, expected in (
        (acme.ORDER_COLUMNS, "acme.sales", orders),
        (acme.ITEM_COLUMNS, "acme.sale_lines", items),
    ):
        names, query = select(columns, table)
        assert Counter(rows(other.world, query)) == Counter(tuple(row[name] for name in names) for row in expected)
    names, query = select(acme.TENANT_COLUMNS, "acme.merchants")
    merchant = dict.fromkeys(names) | {"tenantId": T, "status": "LIVE", "displayName": "Nordlicht"}
    merchant |= {"marketplaceId": acme.MARKETPLACE, "sellerId": seed.OTHER_SELLER_ID}
    other_merchant = {**dict.fromkeys(names), "tenantId": "sued.7", "status": "NEW"}
    assert Counter(rows(other.world, query)) == Counter(
        tuple(one[name] for name in names) for one in (merchant, other_merchant)
    )
    assert rows(other.world, "SELECT count(*) FROM acme.rejects") == [(0,)]
    assert rows(other.world, "SELECT status FROM acme.imports") == [("COMPLETED",)]
