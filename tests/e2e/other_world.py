# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acme: a second company on the lab's servers that shares no name with KeyBuzz, built broken.

Its own namespaces, Deployment, Secrets, KV mount, policies, tables and columns. The repair's accounts get the rights
that its repair needs and no others.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lab import backend, seed
from lab.amazon.fixture import SINCE, UNTIL
from lab.amazon.oracle import rows_of
from lab.certificates import write_private
from lab.cluster import access, objects
from lab.kubelet import config as kubelet
from lab.processes import wait_until
from lab.world import World
from tests.e2e.other_names import (
    APP_PATH,
    CONTAINER,
    DEPLOYMENT,
    FOREIGN,
    IMAGES,
    LABELS,
    MAKER,
    MARKETPLACE,
    MOUNT,
    NAMESPACE,
    OLD_NAMESPACE,
    READER,
    RULES,
    SECRET_KEYS,
    SELLER,
    TABLES,
    TENANT,
    TENANT_PATH,
    inventory,
)


class OtherWorld:
    """Acme on a running lab; ``folder`` takes its tokens and its inventory."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.inventory = folder / "acme"
        self.tokens = {name: folder / f"acme-{name}.token" for name in ("bootstrap", "repair")}
        self._kubelet = world.directory / "secrets" / "kubelet.json"

    def build(self) -> None:
        """Everything that exists before a repair; nothing that a repair makes."""
        self._in_vault()
        with closing(self.world.database()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(TABLES)
        self._at_amazon()
        self._in_kubernetes()
        self._inventory()

    def remove(self) -> None:
        """The lab as it was. Each part goes also when the ones before it never came."""
        api = self.world.kubernetes()
        for namespace in (NAMESPACE, OLD_NAMESPACE):
            if api.find("namespaces", namespace):
                api.delete("namespaces", namespace)
        wait_until(
            "the end of Acme's namespaces",
            lambda: not any(api.find("namespaces", name) for name in (NAMESPACE, OLD_NAMESPACE)),
            timeout=60,
            log=None,
        )
        config = kubelet.read(self._kubelet)
        kept = {name: image for name, image in config.images.items() if name not in IMAGES}
        replace(config, images=kept).write(self._kubelet)
        with closing(self.world.database()) as connection, connection, connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS acme CASCADE")
        self.world.amazon.restore_orders(SELLER)
        vault = self.world.vault.client("root")
        for file in self.tokens.values():
            if file.exists():
                vault.auth.token.revoke(file.read_text())
        vault.adapter.delete(f"/v1/auth/token/roles/{MAKER}")
        for policy in (READER, "acme-bootstrap", "acme-repair"):
            vault.sys.delete_policy(policy)
        vault.sys.disable_secrets_engine(MOUNT)

    # -- what it holds afterwards ----------------------------------------------
    def document(self, path: str) -> tuple[int, dict[str, str]]:
        """Version and values of one of Acme's documents."""
        found = document(self.world, MOUNT, path)
        return found["metadata"]["version"], found["data"]

    def deployment(self) -> dict[str, Any]:
        return self.world.kubernetes().get("deployments", DEPLOYMENT, NAMESPACE)

    def expected(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of both tables by logical column: what Amazon has of the marketplace in the window."""
        wanted = [
            order
            for order in self.world.amazon.orders(SELLER)
            if order["salesChannel"]["marketplaceId"] == MARKETPLACE
            and SINCE <= datetime.fromisoformat(order["createdTime"]) <= UNTIL
        ]
        return rows_of(wanted, TENANT)

    # -- parts -----------------------------------------------------------------
    def _in_vault(self) -> None:
        vault = self.world.vault.client("root")
        vault.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})
        wait_until(
            "Acme's KV store",
            lambda: bool(vault.secrets.kv.v2.read_configuration(mount_point=MOUNT)),
            timeout=10,
            log=None,
        )
        vault.secrets.kv.v2.create_or_update_secret(TENANT_PATH.format(tenant=TENANT), FOREIGN, mount_point=MOUNT)
        policy, role = f"sys/policies/acl/{READER}", f"auth/token/roles/{MAKER}"
        rights: dict[str, dict[str, list[str]]] = {
            "acme-bootstrap": {policy: ["create", "update", "read"], role: ["create", "update", "read"]},
            "acme-repair": {
                policy: ["read"],
                role: ["read"],
                f"auth/token/create/{MAKER}": ["update"],
                "auth/token/lookup-self": ["read"],
                **{
                    f"{MOUNT}/{part}/{path}": rights
                    for path in (APP_PATH, TENANT_PATH.format(tenant=TENANT))
                    for part, rights in (("data", ["create", "read", "update", "patch"]), ("metadata", ["read"]))
                },
            },
        }
        for name, paths in rights.items():
            text = [f"path {json.dumps(path)} {{ capabilities = {json.dumps(may)} }}" for path, may in paths.items()]
            vault.sys.create_or_update_policy(name, "\n".join(text))
            born = vault.auth.token.create_orphan(policies=[name], ttl="1h", no_default_policy=True)
            write_private(self.tokens[name.removeprefix("acme-")], born["auth"]["client_token"])

    def _at_amazon(self) -> None:
        amazon = self.world.amazon
        for marketplace, count, number in ((MARKETPLACE, 130, 11), (seed.MARKETPLACE, 9, 12)):
            amazon.generate_orders(
                SELLER, count, start=SINCE, end=UNTIL, seed=number, marketplace_id=marketplace, replace=number == 11
            )
        amazon.generate_orders(
            SELLER,
            5,
            start=SINCE - timedelta(days=9),
            end=SINCE - timedelta(days=1),
            seed=13,
            marketplace_id=MARKETPLACE,
        )
        amazon.refill()
        token = self.world.directory / "secrets" / "refresh_tokens" / f"{SELLER}.token"
        write_private(self.folder / f"{TENANT}.acme", token.read_text())

    def _in_kubernetes(self) -> None:
        api, world = self.world.kubernetes(), self.world
        config = kubelet.read(self._kubelet)
        server = str(Path(__file__).with_name("other_backend.js"))
        documents = {"APP_DOCUMENT": APP_PATH, "TENANT_DOCUMENT": TENANT_PATH.format(tenant=TENANT)}
        portal = kubelet.Image(
            [str(backend.node_binary()), server], {name: f"{MOUNT}/data/{path}" for name, path in documents.items()}
        )
        metrics = kubelet.Image([sys.executable, "-c", "import time; time.sleep(86400)"])
        images = config.images | dict(zip(IMAGES, (portal, metrics), strict=True))
        replace(config, images=images).write(self._kubelet)
        app = document(world, seed.MOUNT, seed.APP_PATH)["data"]
        root = world.vault.token_files["root"].read_text()
        for namespace in (NAMESPACE, OLD_NAMESPACE):
            api.create("namespaces", objects.namespace(namespace))
            api.create("roles", access.role(namespace, "repair", RULES[namespace]))
            api.create("rolebindings", access.role_binding(namespace, "repair"))
        for namespace, name, values in (
            (NAMESPACE, "acme-ledger", {"LEDGER_HOST": "ledger.acme.example"}),
            (NAMESPACE, "acme-vault-access", {"ACME_VAULT_SECRET": ""}),
            (NAMESPACE, "acme-lwa", {own: app[field] for field, own in SECRET_KEYS.items()}),
            (OLD_NAMESPACE, "old-access", {"old.token": root}),
        ):
            api.create("secrets", objects.secret(namespace, name, values))
        api.create("deployments", _deployment(objects.SCHEDULER if world.cluster.kind == "external" else None))

    def _inventory(self) -> None:
        names = inventory(self.world.state, self.tokens)
        self.inventory.mkdir()
        # JSON is YAML.
        (self.inventory / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"acme": names}}}, indent=1))


def document(world: World, mount: str, path: str) -> dict[str, Any]:
    """The newest version of a document: its ``data`` and ``metadata``."""
    kv = world.vault.client("root").secrets.kv.v2
    found: dict[str, Any] = kv.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)["data"]
    return found


def _deployment(scheduler: str | None) -> dict[str, Any]:
    """No address, no trust, verification off, one Secret of three; and a container that comes first."""
    portal = {
        "name": CONTAINER,
        "image": IMAGES[0],
        "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0"}],
        "envFrom": [{"secretRef": {"name": "acme-ledger"}}],
        "ports": [{"name": "web", "containerPort": 9000}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "web"}, "periodSeconds": 1, "timeoutSeconds": 5},
    }
    metrics = {"name": "metrics", "image": IMAGES[1], "env": [{"name": "TARGET", "value": "portal"}]}
    pod: dict[str, Any] = {
        "containers": [metrics, portal],
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
    }
    if scheduler is not None:
        pod["schedulerName"] = scheduler
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": NAMESPACE, "name": DEPLOYMENT, "labels": LABELS},
        "spec": {
            "replicas": 1,
            "progressDeadlineSeconds": 60,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
        },
    }
