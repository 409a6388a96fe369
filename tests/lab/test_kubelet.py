# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet stand-in: pods of either Kubernetes API run as processes, and say what keeps them from it."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from lab.cluster import Api, ApiError, Cluster
from lab.kubelet.config import Config, Image, Service
from lab.kubelet.environment import ConfigError, expand, resolve
from lab.kubelet.pod import Pod
from lab.kubelet.volumes import within
from lab.processes import Processes, free_port, wait_until
from tests.lab import kubernetes_world as world
from tests.lab.kubernetes_world import condition, deployment, eventually

cluster, api, namespace = world.cluster, world.api, world.namespace
pytestmark = pytest.mark.lab

Object = dict[str, Any]

# Serves its environment at /env, a file at /file?<path>, and is healthy once the file $READY is there.
SERVER = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        good = os.path.exists(os.environ.get("READY", "/"))
        if path == "/env": code, body = 200, json.dumps(dict(os.environ))
        elif path == "/file": code, body = 200, open(query).read()
        else: code, body = (200, "up") if good else (503, "not ready: READY is missing")
        self.send_response(code); self.end_headers(); self.wfile.write(body.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
IMAGES = {
    "server:1": Image([sys.executable, "-c", SERVER], {"FROM_IMAGE": "image", "OVER": "image"}),
    "shell:1": Image(["/bin/sh", "-c"]),
}


@dataclass(frozen=True)
class Running:
    """A kubelet and the port in front of the pods with the label ``app=web``."""

    api: Api
    namespace: str
    processes: Processes
    folder: Path
    port: int

    def get(self, path: str = "/") -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def start(self) -> None:
        self.processes.spawn(
            "kubelet", [sys.executable, "-m", "lab.kubelet", "--config", str(self.folder / "kubelet.json")]
        )
        wait_until(
            "the kubelet",
            lambda: "ready" in self.processes.log("kubelet").read_text(),
            timeout=20,
            log=self.processes.log("kubelet"),
            alive=lambda: self.processes.alive("kubelet"),
        )

    def deploy(self, container: Object, **pod: Any) -> None:
        body = deployment()
        probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
        body["spec"]["template"]["spec"] = {
            "containers": [{"name": "main", "image": "server:1", "readinessProbe": probe, **container}],
            "terminationGracePeriodSeconds": 2,
            **pod,
        }
        self.api.create("deployments", body, self.namespace)

    def pod(self) -> Object:
        found: Object = eventually(lambda: (world.pods(self.api, self.namespace) or [{}])[-1])
        return found

    def waiting(self, reason: str) -> str:
        """The message of a pod that waits for that reason."""

        def message() -> str | None:
            for status in self.pod()["status"].get("containerStatuses", []):
                waiting = status["state"].get("waiting", {})
                if waiting.get("reason") == reason:  # the first report of all has no message yet
                    return str(waiting.get("message", ""))
            return None

        found: str = eventually(message)
        return found

    def environment(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(
            eventually(lambda: text if (answer := self.get("/env"))[0] == 200 and (text := answer[1]) else "")
        )
        return found

    def workers(self) -> list[psutil.Process]:
        """The containers' processes, by the mark each carries."""
        mark = str(self.folder)
        kubelet = self.processes.record("kubelet")
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("KEYBUZZ_LAB") == mark and kubelet and process.pid != kubelet.pid:
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture
def kubelet(cluster: Cluster, api: Api, namespace: str, tmp_path: Path) -> Iterator[Running]:
    running = Running(api, namespace, Processes(tmp_path), tmp_path, free_port())
    # Each test's kubelet has the cluster for itself: pods of earlier tests are gone with their Deployments.
    for item in api.list("deployments")["items"]:
        api.delete("deployments", item["metadata"]["name"], item["metadata"]["namespace"])
    eventually(lambda: not api.list("replicasets")["items"])
    for item in api.list("pods")["items"]:
        api.delete("pods", item["metadata"]["name"], item["metadata"]["namespace"], grace_seconds=0)
    Config(
        cluster.kubeconfigs["kubelet"],
        tmp_path / "pods",
        tmp_path / "logs",
        IMAGES,
        [Service(running.port, namespace, {"app": "web"})],
    ).write(tmp_path / "kubelet.json")
    running.start()
    try:
        yield running
    finally:
        running.processes.stop_everything()


# -- without any server -------------------------------------------------------------------------------------------

POD: Object = {"metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"app": "web"}}, "spec": {}}


def read(resource: str, name: str) -> Object | None:
    return {
        ("secrets", "first"): {"data": {"A": "MQ==", "B": "MQ=="}},
        ("secrets", "second"): {"data": {"B": "Mg=="}},
        ("configmaps", "plain"): {"data": {"C": "$(A)"}},
    }.get((resource, name))


def test_the_last_source_wins_and_a_variable_wins_over_all_sources() -> None:
    container = {
        "envFrom": [
            {"secretRef": {"name": "first"}},
            {"secretRef": {"name": "second"}},
            {"prefix": "P_", "configMapRef": {"name": "plain"}},
        ],
        "env": [{"name": "A", "value": "mine"}],
    }
    env = resolve(container, POD, {"A": "image", "Z": "image"}, read)
    assert env == {"A": "mine", "B": "2", "P_C": "$(A)", "Z": "image"}


def test_references_expand_only_to_what_came_before() -> None:
    container = {
        "envFrom": [{"secretRef": {"name": "first"}}],
        "env": [
            {"name": "X", "value": "$(A)-$(LATER)-$$(A)"},
            {"name": "LATER", "value": "$(X)"},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
    }
    env = resolve(container, POD, {"A": "image"}, read)
    assert (env["X"], env["LATER"], env["NAME"]) == ("1-$(LATER)-$(A)", "1-$(LATER)-$(A)", "p")
    assert expand("$(NO) $$ $", {}) == "$(NO) $ $"


def test_optional_references_may_lead_nowhere_and_others_may_not() -> None:
    def one(resource: str, name: str, key: str, **more: bool) -> dict[str, str]:
        source = {resource: {"name": name, "key": key, **more}}
        return resolve({"env": [{"name": "V", "valueFrom": source}]}, POD, {}, read)

    assert one("secretKeyRef", "gone", "A", optional=True) == {}
    assert one("secretKeyRef", "second", "A", optional=True) == {}
    with pytest.raises(ConfigError, match=r'^secret "gone" not found$'):
        one("secretKeyRef", "gone", "A")
    with pytest.raises(ConfigError, match=r"^couldn't find key A in Secret n/second$"):
        one("secretKeyRef", "second", "A")
    with pytest.raises(ConfigError, match=r'^configmap "gone" not found$'):
        resolve({"envFrom": [{"configMapRef": {"name": "gone"}}]}, POD, {}, read)


def test_paths_below_a_mount_become_real_and_others_stay() -> None:
    real = {"/etc/ca": Path("/pod/volumes/ca"), "/etc/ca/deep": Path("/pod/volumes/deep")}
    env = {"A": "/etc/ca/ca.crt", "B": "/etc/ca/deep/x", "C": "/etc/cave/x", "D": "see /etc/ca/x"}
    assert within(env, real) == {
        "A": "/pod/volumes/ca/ca.crt",
        "B": "/pod/volumes/deep/x",
        "C": "/etc/cave/x",
        "D": "see /etc/ca/x",
    }


# -- on both Kubernetes APIs --------------------------------------------------------------------------------------


def test_a_pod_runs_with_the_environment_of_its_spec(kubelet: Running) -> None:
    value = 'a"b\\c+/= \n$HOME é'
    kubelet.api.create("secrets", {"metadata": {"name": "s"}, "stringData": {"FROM": value}}, kubelet.namespace)
    kubelet.deploy({"env": [{"name": "OVER", "value": "spec"}], "envFrom": [{"secretRef": {"name": "s"}}]})
    env = kubelet.environment()
    assert (env["FROM"], env["OVER"], env["FROM_IMAGE"]) == (value, "spec", "image")
    pod = eventually(lambda: found if condition(found := kubelet.pod(), "Ready").get("status") == "True" else None)
    assert pod["status"]["phase"] == "Running"
    assert pod["spec"]["nodeName"] == "keybuzz-lab"
    (status,) = pod["status"]["containerStatuses"]
    assert status["ready"]
    assert status["restartCount"] == 0
    done = kubelet.api.get("deployments", "web", kubelet.namespace)
    eventually(
        lambda: condition(kubelet.api.get("deployments", "web", kubelet.namespace), "Available").get("status") == "True"
    )
    assert done["spec"]["replicas"] == 1


def test_a_missing_secret_holds_the_container_until_it_is_there(kubelet: Running) -> None:
    kubelet.deploy({"envFrom": [{"secretRef": {"name": "late"}}]})
    assert kubelet.waiting("CreateContainerConfigError") == 'secret "late" not found'
    code, body = kubelet.get("/healthz")
    assert code == 503
    assert json.loads(body)["fault"] == 'CreateContainerConfigError: secret "late" not found'
    kubelet.api.create("secrets", {"metadata": {"name": "late"}, "stringData": {"K": "v"}}, kubelet.namespace)
    assert kubelet.environment()["K"] == "v"


def test_a_missing_key_is_named(kubelet: Running) -> None:
    kubelet.api.create("secrets", {"metadata": {"name": "s"}, "stringData": {"OTHER": "1"}}, kubelet.namespace)
    source = {"secretKeyRef": {"name": "s", "key": "WANTED"}}
    kubelet.deploy({"env": [{"name": "V", "valueFrom": source}]})
    message = f"couldn't find key WANTED in Secret {kubelet.namespace}/s"
    assert kubelet.waiting("CreateContainerConfigError") == message


def test_a_volume_follows_its_config_map_and_the_environment_does_not(kubelet: Running) -> None:
    kubelet.api.create(
        "configmaps", {"metadata": {"name": "c"}, "data": {"ca.crt": "one", "E": "one"}}, kubelet.namespace
    )
    kubelet.deploy(
        {
            "volumeMounts": [{"name": "v", "mountPath": "/etc/c"}],
            "envFrom": [{"configMapRef": {"name": "c"}}],
            "env": [{"name": "CA_FILE", "value": "/etc/c/ca.crt"}],
        },
        volumes=[{"name": "v", "configMap": {"name": "c"}}],
    )
    env = kubelet.environment()
    assert kubelet.get(f"/file?{env['CA_FILE']}") == (200, "one")
    kubelet.api.patch("configmaps", "c", {"data": {"ca.crt": "two", "E": "two"}}, kubelet.namespace)
    eventually(lambda: kubelet.get(f"/file?{env['CA_FILE']}") == (200, "two"))
    assert kubelet.environment()["E"] == "one"


def test_a_volume_without_its_config_map_keeps_the_pod_from_starting(kubelet: Running) -> None:
    kubelet.deploy(
        {"volumeMounts": [{"name": "v", "mountPath": "/etc/c"}]}, volumes=[{"name": "v", "configMap": {"name": "gone"}}]
    )
    assert kubelet.waiting("ContainerCreating") == (
        'MountVolume.SetUp failed for volume "v" : configmap "gone" not found'
    )


def test_a_process_that_ends_is_started_again_ever_later(kubelet: Running) -> None:
    kubelet.deploy({"image": "shell:1", "args": ["exit 3"]})
    assert kubelet.waiting("CrashLoopBackOff").startswith("back-off ")
    status = eventually(
        lambda: found if (found := kubelet.pod()["status"]["containerStatuses"][0])["restartCount"] >= 2 else None
    )
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert json.loads(kubelet.get("/healthz")[1])["fault"].startswith("CrashLoopBackOff: back-off ")


def test_an_image_the_node_does_not_have_is_a_pull_back_off(kubelet: Running) -> None:
    kubelet.deploy({"image": "nobody/has:this"})
    assert kubelet.waiting("ImagePullBackOff").startswith('Back-off pulling image "nobody/has:this"')


def test_only_healthz_reaches_a_pod_that_is_not_ready(kubelet: Running) -> None:
    ready = kubelet.folder / "ready"
    kubelet.deploy({"env": [{"name": "READY", "value": str(ready)}]})
    eventually(lambda: kubelet.get("/healthz") == (503, "not ready: READY is missing"))
    assert kubelet.get("/")[0] == 503
    ready.touch()
    eventually(lambda: kubelet.get("/") == (200, "up"))
    ready.unlink()
    eventually(lambda: condition(kubelet.pod(), "Ready")["status"] == "False")
    assert kubelet.get("/")[0] == 503


def test_a_deleted_pod_is_ended_and_removed_even_if_it_ignores_term(kubelet: Running) -> None:
    kubelet.deploy({"image": "shell:1", "args": ["trap '' TERM; while :; do sleep 1; done"], "readinessProbe": None})
    eventually(lambda: condition(kubelet.pod(), "Ready").get("status") == "True")
    kubelet.api.delete("deployments", "web", kubelet.namespace)
    eventually(lambda: not kubelet.api.list("pods", kubelet.namespace)["items"])
    eventually(lambda: not kubelet.workers() and not list((kubelet.folder / "pods").iterdir()))


def test_a_killed_kubelet_takes_its_processes_along_and_the_next_one_starts_them_again(kubelet: Running) -> None:
    kubelet.deploy({})
    eventually(lambda: kubelet.get("/") == (200, "up"))
    record = kubelet.processes.record("kubelet")
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    eventually(lambda: not kubelet.workers())
    kubelet.processes.log("kubelet").write_text("")
    kubelet.start()
    eventually(lambda: kubelet.get("/") == (200, "up"))
    assert eventually(lambda: kubelet.pod()["status"]["containerStatuses"][0]["restartCount"]) == 1


class BusyServer(Api):
    """An API server that is too busy twice before it binds a pod."""

    def __init__(self) -> None:
        self.asked = 0

    def create(self, resource: str, body: Object, namespace: str | None = None, **_: Any) -> Object:
        self.asked += 1
        if self.asked == 1:
            raise ApiError("POST", "/binding", 429, {"reason": "TooManyRequests"})
        if self.asked == 2:
            raise ConnectionResetError
        return {}


def test_a_pod_whose_binding_met_a_busy_server_is_bound_at_the_next_try(tmp_path: Path) -> None:
    server = BusyServer()
    config = Config(kubeconfig=tmp_path, folder=tmp_path, logs=tmp_path, images={}, services=[])
    item = {"metadata": {"name": "web", "namespace": "n", "uid": "u"}, "spec": {"containers": []}}
    pod = Pod(server, lambda: config, item)
    assert [pod._bind() for _ in range(3)] == [False, False, True]
