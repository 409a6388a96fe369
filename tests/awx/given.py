# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody who has the lab gives the lists: its addresses as variables, its secrets as credentials."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.world import World
from tests.awx.injecting import inject
from tests.awx.lists import AWX, Lists, load, named
from tests.awx.runner import PROGRAMS

ENVIRONMENT = "lab"
TENANT = "ecomlg-001"
OTHER = "switaa-002"


def password(world: World, role: str) -> str:
    """The password of a role of the lab's database."""
    return world.canaries()[f"postgres-{role}"]


def application(world: World) -> dict[str, Any]:
    """The application's credentials, for AWX to keep: those of the Secret in Kubernetes."""
    data = world.kubernetes().get("secrets", "amazon-spapi-creds", "keybuzz-backend-dev")["data"]
    held = {
        name: base64.b64decode(data[f"AMAZON_SPAPI_{name.upper()}"]).decode() for name in ("client_id", "client_secret")
    }
    return {"awx_lwa_in_awx": True, **{f"awx_lwa_{name}": value for name, value in held.items()}}


def variables(world: World) -> dict[str, Any]:
    """Of defaults.yml, for the lab."""
    state = world.state
    vault, postgres, amazon = state["vault"], state["postgres"], state["amazon"]
    tokens = {who: Path(vault["token_files"][who]).read_text().strip() for who in ("audit", "repair", "bootstrap")}
    kubeconfigs = {who: Path(state["kubernetes"]["kubeconfigs"][who]).read_text() for who in ("audit", "repair")}
    return {
        "awx_environment": ENVIRONMENT,
        "awx_environment_variables": {
            "vault_mount": vault["mount"],
            "backend_vault_addr": vault["addr"],
            "amazon_endpoint": amazon["endpoint"],
            "amazon_lwa_url": amazon["lwa_url"],
            "amazon_ca_cert": amazon["ca_file"],
            "amazon_tenant_seller_central": amazon["seller_central"],
            "amazon_tenant_seller_ids": {TENANT: "A12BCIS2R7HD4D", OTHER: "A3SWITAA00LAB2"},
            "amazon_orders_manage_schema": True,
            "amazon_orders_until": state["until"],
        },
        "awx_vault_addr": vault["addr"],
        "awx_vault_ca_pem": Path(vault["ca_file"]).read_text(),
        "awx_vault_audit_token": tokens["audit"],
        "awx_vault_repair_token": tokens["repair"],
        "awx_vault_bootstrap_token": tokens["bootstrap"],
        "awx_kubernetes_audit_kubeconfig": kubeconfigs["audit"],
        "awx_kubernetes_repair_kubeconfig": kubeconfigs["repair"],
        "awx_postgresql_host": postgres["host"],
        "awx_postgresql_port": str(postgres["port"]),
        "awx_postgresql_dbname": postgres["dbname"],
        "awx_postgresql_ca_pem": Path(postgres["ca_file"]).read_text(),
        "awx_postgresql_audit_user": postgres["users"]["audit"],
        "awx_postgresql_audit_password": password(world, "audit"),
        "awx_postgresql_repair_user": postgres["users"]["repair"],
        "awx_postgresql_repair_password": password(world, "repair"),
    }


def inventories(lists: Lists, tenants: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each inventory as AWX hands it to a job: what its source has found, and what is of the lists.

    :param tenants: of ``ansible-inventory --list`` on the source.
    """
    found = {}
    for one in lists["controller_inventories"]:
        own = {
            host["name"]: host["variables"] for host in lists["controller_hosts"] if host["inventory"] == one["name"]
        }
        hostvars = {**tenants["_meta"]["hostvars"], **own}
        found[one["name"]] = {
            **tenants,
            "all": {"hosts": sorted(hostvars), "vars": one["variables"]},
            "_meta": {"hostvars": hostvars},
        }
    return found


def sliced(inventory: Mapping[str, Any], number: int, count: int) -> dict[str, Any]:
    """The part of an inventory that a slice of a job gets: each ``count``-th host, and its groups of these alone."""
    hosts = sorted(inventory["all"]["hosts"])[number::count]
    groups = {
        name: {**group, "hosts": [host for host in group.get("hosts", []) if host in hosts]}
        for name, group in inventory.items()
        if name != "_meta"
    }
    return {**groups, "_meta": {"hostvars": {host: inventory["_meta"]["hostvars"][host] for host in hosts}}}


def found_by_source(lists: Lists, place: Path) -> dict[str, Any]:
    """What an update of the inventory finds, with nothing but the source's own credential.

    The file of the repository says prod; this one is the same for the lab's name.

    :raises RuntimeError: it finds nothing; with what it said.
    """
    source = lists["controller_inventory_sources"][0]
    text = load(AWX / "inventories" / "prod.yml")
    (place / "env").mkdir(parents=True)
    file = place / "tenants.yml"
    file.write_text(json.dumps({**text, "environments": {ENVIRONMENT: None}}), encoding="utf-8")
    types = {item["name"]: item for item in lists["controller_credential_types"]}
    credential = named(lists["controller_credentials"], source["credential"])
    environment, _ = inject([credential], types, place / "env", place / "env")
    finished = subprocess.run(
        [str(PROGRAMS / "ansible-inventory"), "-i", str(file), "--list", "--export"],
        cwd=place,
        env={
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": str(place),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(AWX.parents[1] / ".collections"),
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(finished.stderr)
    found: dict[str, Any] = json.loads(finished.stdout)
    return found
