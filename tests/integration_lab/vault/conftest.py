# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OpenBao server and a Kubernetes API for the tests of this folder, with the lab's policies and users."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import client as kube_client
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

from lab import cluster, openbao, seed
from lab.certificates import Authority, authority
from lab.processes import Processes
from tests.lab.amazon_process import Simulator, running_simulator

APP_PATH = seed.APP_PATH


@dataclass(frozen=True)
class Server:
    """The server, who may use it, and what its audit log says."""

    vault: openbao.Vault
    authority: Authority
    drawn: seed.Seed
    backend_token: str

    def client(self, holder: str = "repair", **options: Any) -> VaultClient:
        """Our client with the token of root, bootstrap, repair or audit."""
        return VaultClient(self.vault.addr, self.token(holder), **{"ca_cert": str(self.vault.ca_file), **options})

    def token(self, holder: str) -> str:
        return self.vault.token_files[holder].read_text()

    def root(self) -> Any:
        """hvac with the root token: to prepare and to look, never what is tested."""
        return self.vault.client("root")

    def forget(self, path: str) -> None:
        """Remove a document with all its versions."""
        self.root().secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=seed.MOUNT)

    def put(self, path: str, document: dict[str, Any]) -> int:
        """Write a document as somebody else would. Returns the version."""
        answer = self.root().secrets.kv.v2.create_or_update_secret(path, document, mount_point=seed.MOUNT)
        return int(answer["data"]["version"])

    def get(self, path: str) -> dict[str, Any]:
        answer = self.root().secrets.kv.v2.read_secret_version(
            path, mount_point=seed.MOUNT, raise_on_deleted_version=False
        )
        return dict(answer["data"])

    def make_token(self, **fields: Any) -> dict[str, Any]:
        """A token of any kind, made by root. Returns the answer's ``auth``.

        It ends within the test or outlasts all of them (an hour): one that ends between is missed by some other.
        """
        return dict(self.root().adapter.post("/v1/auth/token/create", json=fields)["auth"])

    def alive(self, accessor: str) -> bool:
        client = self.root()
        return accessor in client.adapter.list("/v1/auth/token/accessors")["data"]["keys"]

    def mark(self) -> int:
        """A place in the audit log, for :meth:`requests_since`."""
        return self.vault.audit_log.stat().st_size

    def requests_since(self, mark: int) -> list[tuple[str, str]]:
        """(operation, path) of every request since then, by the audit log."""
        with self.vault.audit_log.open(encoding="utf-8") as log:
            log.seek(mark)
            entries = [json.loads(line) for line in log]
        return [
            (entry["request"]["operation"], entry["request"]["path"]) for entry in entries if entry["type"] == "request"
        ]


@pytest.fixture(scope="session")
def vault_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("openbao")
    (directory / "secrets").mkdir(mode=0o700)
    (directory / "logs").mkdir(mode=0o700)
    return directory


@pytest.fixture(scope="session")
def vault_processes(vault_directory: Path) -> Iterator[Processes]:
    processes = Processes(vault_directory)
    yield processes
    processes.stop_everything()


@pytest.fixture(scope="session")
def server(vault_directory: Path, vault_processes: Processes) -> Server:
    signer = authority(vault_directory, "vault")
    vault = openbao.start(vault_directory, vault_processes, signer)
    drawn = seed.draw()
    return Server(vault, signer, drawn, openbao.furnish(vault, drawn))


@dataclass(frozen=True)
class Cluster:
    """A Kubernetes API with the lab's namespaces and users."""

    running: cluster.Cluster
    api: cluster.Api

    def client(self, user: str = "repair") -> KubeClient:
        return kube_client.connect({"kubeconfig": str(self.running.kubeconfigs[user])}, lambda secrets: None)

    def put(self, namespace: str, name: str, values: dict[str, str], **metadata: Any) -> None:
        """A Secret with exactly these values and no trace of earlier tests."""
        self.remove(namespace, name)
        body = {
            "metadata": {"namespace": namespace, "name": name, **metadata},
            "type": "Opaque",
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
        }
        self.api.create("secrets", body)

    def remove(self, namespace: str, name: str) -> None:
        if self.api.find("secrets", name, namespace):
            self.api.delete("secrets", name, namespace)

    def get(self, namespace: str, name: str) -> dict[str, Any]:
        return dict(self.api.get("secrets", name, namespace))

    def values(self, namespace: str, name: str) -> dict[str, str]:
        data = self.get(namespace, name).get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def annotations(self, namespace: str, name: str) -> dict[str, str]:
        return dict(self.get(namespace, name)["metadata"].get("annotations") or {})


@pytest.fixture(scope="session")
def kubernetes(vault_directory: Path, vault_processes: Processes, server: Server) -> Cluster:
    running = cluster.start(vault_directory, vault_processes)
    cluster.install(
        running,
        {
            "vault_addr": server.vault.addr,
            "vault_ca_pem": server.vault.ca_file.read_text(),
            "vault_token": server.backend_token,
            "root_token": server.token("root"),
            "spapi": server.drawn.app_document(),
            "database": dict.fromkeys(("host", "port", "dbname", "user", "password", "ca_pem"), "unused"),
        },
    )
    return Cluster(running, cluster.client(running))


@pytest.fixture(scope="session")
def amazon(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Simulator]:
    """A simulator of Amazon that knows the application of the lab's Vault."""
    drawn = server.drawn
    with running_simulator(
        tmp_path_factory.mktemp("amazon"),
        client_id=drawn.client_id,
        client_secret=drawn.client_secret,
        application_id=drawn.application_id,
    ) as running:
        yield running
