# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts Kubernetes APIs for tests, and plays kubelet where a test needs a pod to become ready."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Api, Cluster, client, start
from lab.cluster.program import built
from lab.kubelet.status import ContainerState, now, pod_status
from lab.processes import Processes

Object = dict[str, Any]

KINDS = ["kube-apiserver", "emulator"]


def require(kind: str) -> None:
    """Ends the test as not run where the real API server is not built; as failed under LAB_REQUIRE_APISERVER=1."""
    if kind == "kube-apiserver" and built() is None:
        reason = "not run: the real API server is not built (make kube)"
        if os.environ.get("LAB_REQUIRE_APISERVER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@contextlib.contextmanager
def running_cluster(folder: Path, kind: str) -> Iterator[Cluster]:
    processes = Processes(folder)
    try:
        yield start(folder, processes, kind=kind)
    finally:
        processes.stop_everything()


@pytest.fixture(scope="module", params=KINDS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running API of each kind in turn; tests keep to namespaces of their own."""
    require(request.param)
    with running_cluster(tmp_path_factory.mktemp(request.param), request.param) as running:
        yield running


@pytest.fixture
def api(cluster: Cluster) -> Api:
    """The administrator's client."""
    return client(cluster)


@pytest.fixture
def namespace(api: Api) -> str:
    """A namespace no other test uses."""
    return new_namespace(api)


def new_namespace(api: Api) -> str:
    name = f"test-{secrets.token_hex(4)}"
    api.create("namespaces", {"metadata": {"name": name}})
    return name


def eventually(look: Callable[[], Any], *, seconds: float = 15.0) -> Any:
    """The first truthy answer of ``look``."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"still {found!r} after {seconds} s"
        time.sleep(0.05)
    return found


def deployment(name: str = "web", **spec: Any) -> Object:
    """A small Deployment; ``spec`` adds to its spec."""
    labels = {"app": name}
    container = {"name": "main", "image": "web:1", "env": [{"name": "FIRST", "value": "1"}]}
    return {
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
            },
            **spec,
        },
    }


def set_env(api: Api, namespace: str, name: str, value: str, deployment_name: str = "web") -> Object:
    """One variable of the Deployment's container, as a person would patch it."""
    container = {"name": "main", "env": [{"name": name, "value": value}]}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    return api.patch("deployments", deployment_name, body, namespace, kind="strategic")


def make_ready(api: Api, pod: Object, *, ready: bool = True) -> None:
    """What a kubelet reports of a pod whose one container runs."""
    metadata = pod["metadata"]
    if not pod["spec"].get("nodeName"):
        bind(api, pod)
    state = ContainerState("main", "web:1", waiting=None, running_since=now(), ready=ready)
    status = pod_status(pod, [state], now(), terminating=False)
    api.patch("pods", metadata["name"], {"status": status}, metadata["namespace"], subresource="status")


def bind(api: Api, pod: Object, node: str = "some-node") -> None:
    metadata = pod["metadata"]
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": metadata["name"]},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
    api.create("pods", body, metadata["namespace"], name=metadata["name"], subresource="binding")


def pods(api: Api, namespace: str) -> list[Object]:
    """Pods that are not on their way out, oldest first."""
    items = api.list("pods", namespace)["items"]
    alive = [item for item in items if "deletionTimestamp" not in item["metadata"]]
    return sorted(alive, key=lambda item: int(item["metadata"]["resourceVersion"]))


def condition(item: Object, kind: str) -> Object:
    found = [entry for entry in item.get("status", {}).get("conditions", []) if entry["type"] == kind]
    return found[0] if found else {}
