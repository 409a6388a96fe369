# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's cluster of each kind with the healthy world in it, and somebody who plays the kubelet."""

from __future__ import annotations

import contextlib
import copy
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import FIELD_MANAGER, KubeClient, connect
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.options import desired
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.k8s_deployment_env import run

from lab.cluster import Api, Cluster, client, install
from lab.cluster.objects import BACKEND_NAMESPACE, DEPLOYMENT
from lab.kubelet.status import ContainerState, now, pod_status
from tests.lab.kubernetes_world import KINDS, bind, eventually, require, running_cluster
from tests.unit.kube.tls_servers import Site

NAMESPACE, NAME = BACKEND_NAMESPACE, DEPLOYMENT
PLAYED_EVERY = 0.05  # seconds


def nothing(secrets: object) -> None:
    """For tests that do not look at masking."""


class Kubelet:
    """Makes pods run: ready, or waiting for a reason when ``waiting`` is set."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.waiting: tuple[str, str] | None = None
        self.ignore = ""
        """Pods of this Deployment are left pending."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.wait(PLAYED_EVERY):
            for pod in self.api.list("pods", NAMESPACE)["items"]:
                with contextlib.suppress(Exception):  # pods come and go while they are played
                    self._play(pod)

    def _play(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        if "deletionTimestamp" in metadata:
            self.api.delete("pods", metadata["name"], NAMESPACE, grace_seconds=0)
            return
        if pod.get("status", {}).get("containerStatuses") or (self.ignore and metadata["name"].startswith(self.ignore)):
            return
        if not pod["spec"].get("nodeName"):
            bind(self.api, pod)
        name = pod["spec"]["containers"][0]["name"]
        running = None if self.waiting else now()
        state = ContainerState(name, "backend:1", waiting=self.waiting, running_since=running, ready=not self.waiting)
        status = pod_status(pod, [state], now(), terminating=False)
        self.api.patch("pods", metadata["name"], {"status": status}, NAMESPACE, subresource="status")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@dataclass
class World:
    """A cluster with the healthy world, restored by the fixture ``world`` before each test."""

    cluster: Cluster
    api: Api
    kubelet: Kubelet
    vault: Site
    healthy: dict[str, Any]

    def client(self, user: str = "repair") -> KubeClient:
        return connect({"kubeconfig": str(self.cluster.kubeconfigs[user]), "kubernetes_timeout": 10.0}, nothing)

    def wanted(self, **changes: Any) -> Desired:
        """What the playbook wants of the backend."""
        options: dict[str, Any] = {
            "namespace": NAMESPACE,
            "deployment": NAME,
            "env": [
                {"name": "VAULT_ADDR", "value": self.vault.url},
                {"name": "NODE_EXTRA_CA_CERTS", "value": "/etc/vault-ca/ca.crt"},
            ],
            "env_from": [{"secret": name} for name in ("keybuzz-backend-db", "vault-token", "amazon-spapi-creds")],
            "forbidden": [{"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0"}, {"name": "VAULT_SKIP_VERIFY"}],
            "config_mounts": [self.mount()],
            "restart_for": [{"secret": "vault-token"}],
            "wait_timeout": 20.0,
            **changes,
        }
        return desired(options)

    def mount(self, **changes: Any) -> dict[str, Any]:
        return {
            "volume": "vault-ca",
            "config_map": "vault-ca",
            "key": "ca.crt",
            "mount_path": "/etc/vault-ca",
            "content": self.vault.ca_pem,
            "verify_url": self.vault.url,
            **changes,
        }

    def check(self, wanted: Desired | None = None, user: str = "repair") -> Outcome:
        return run(self.client(user), wanted or self.wanted(), nothing, check_mode=True)

    def repair(self, wanted: Desired | None = None, user: str = "repair") -> Outcome:
        return run(self.client(user), wanted or self.wanted(), nothing, check_mode=False)

    def deployment(self) -> dict[str, Any]:
        return self.api.get("deployments", NAME, NAMESPACE)

    def container(self) -> dict[str, Any]:
        return dict(self.deployment()["spec"]["template"]["spec"]["containers"][0])

    def template(self) -> dict[str, Any]:
        return dict(self.deployment()["spec"]["template"])

    def change(self, *operations: dict[str, Any]) -> None:
        """Patch the Deployment as somebody else would, and let it roll out."""
        self.api.patch("deployments", NAME, list(operations), NAMESPACE, kind="json", fieldManager="somebody")
        self.settle()

    def settle(self) -> None:
        def quiet() -> bool:
            found = self.deployment()
            status = found.get("status", {})
            return (
                status.get("observedGeneration") == found["metadata"]["generation"]
                and status.get("updatedReplicas") == status.get("replicas") == status.get("availableReplicas") == 1
            )

        eventually(quiet)

    def replica_sets(self) -> int:
        return len(self.api.list("replicasets", NAMESPACE)["items"])

    def requests(self, user: str, since: int) -> list[tuple[str, str]]:
        """(verb, URI) of the requests by that service account since ``since`` (see :meth:`mark`)."""
        assert self.cluster.audit_log is not None
        with self.cluster.audit_log.open() as log:
            log.seek(since)
            events = [json.loads(line) for line in log if line.endswith("\n")]
        found = {}
        for event in events:
            if self._by(event, user):
                found[event["auditID"]] = (event["verb"], event["requestURI"])
        return list(found.values())

    @staticmethod
    def _by(event: dict[str, Any], user: str) -> bool:
        """The administrator plays the kubelet too: the collection's own requests bear its name."""
        if user == "admin":
            return str(event.get("userAgent")).startswith(FIELD_MANAGER)
        return bool(event["user"]["username"].endswith(f"keybuzz-{user}"))

    def mark(self) -> int:
        assert self.cluster.audit_log is not None
        return self.cluster.audit_log.stat().st_size

    def restore(self) -> None:
        for name in ("vault-token", "keybuzz-backend-db", "amazon-spapi-creds"):
            self.api.ensure("secrets", self.healthy[name])
        if self.api.find("configmaps", "vault-ca", NAMESPACE):
            self.api.delete("configmaps", "vault-ca", NAMESPACE)
        self.api.create("configmaps", self.healthy["vault-ca"])
        if self.api.find("deployments", NAME, NAMESPACE):
            self.api.delete("deployments", NAME, NAMESPACE)
            eventually(lambda: not self.api.list("pods", NAMESPACE)["items"] and not self.replica_sets())
        self.kubelet.waiting, self.kubelet.ignore = None, ""
        self.api.create("deployments", copy.deepcopy(self.healthy[NAME]))
        self.settle()


def item(outcome: Outcome | tuple[Item, ...], name: str) -> Item:
    """The item ``backend_access/NAME``."""
    items = outcome.items if isinstance(outcome, Outcome) else outcome
    return next(one for one in items if one.id == f"backend_access/{name}")


def acting(outcome: Outcome) -> set[str]:
    """Ids, without the check's name, of the items with an action."""
    return {one.id.removeprefix("backend_access/") for one in outcome.items if one.action != "none"}


@pytest.fixture(scope="session", params=KINDS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    require(request.param)
    folder: Path = tmp_path_factory.mktemp(request.param)
    with running_cluster(folder, request.param) as cluster, Site.running() as vault:
        install(
            cluster,
            {
                "vault_addr": vault.url,
                "vault_ca_pem": vault.ca_pem,
                "vault_token": "s.scoped",
                "root_token": "s.root",
                "spapi": dict.fromkeys(
                    ("client_id", "client_secret", "application_id", "redirect_uri", "region"), "value"
                ),
                "database": {"host": "db", "port": 5432, "dbname": "d", "user": "u", "password": "p", "ca_pem": ""},
            },
        )
        api = client(cluster)
        healthy = {
            name: _bare(api.get(resource, name, NAMESPACE))
            for resource, name in (
                ("secrets", "vault-token"),
                ("secrets", "keybuzz-backend-db"),
                ("secrets", "amazon-spapi-creds"),
                ("configmaps", "vault-ca"),
                ("deployments", NAME),
            )
        }
        kubelet = Kubelet(api)
        try:
            yield World(cluster, api, kubelet, vault, healthy)
        finally:
            kubelet.stop()


@pytest.fixture
def world(running: World) -> World:
    running.restore()
    return replace(running)


def _bare(found: dict[str, Any]) -> dict[str, Any]:
    """An object as a manifest: without what the server adds."""
    kept = {key: value for key, value in found.items() if key != "status"}
    kept["metadata"] = {
        key: found["metadata"][key] for key in ("name", "namespace", "labels") if key in found["metadata"]
    }
    return kept
