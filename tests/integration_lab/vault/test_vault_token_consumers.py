# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replaced token is revoked only when the backend was seen to run with the new one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.restart import RESTART_FOR, mark
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import read_secret

from lab.processes import wait_until

from .conftest import Cluster, Server
from .token_world import ACCESSOR, API, KEY, NAMESPACE, SECRET, SUPERSEDED, World, item

NAME = "keybuzz-backend"
LABELS = {"app": "token-consumer"}
ITEM = "vault_token/superseded"
OPTIONS: dict[str, Any] = {"superseded": "revoke", "consumers": [{"deployment": "token-consumer"}]}


@dataclass(frozen=True)
class Backend:
    """A Deployment of one pod, whose kubelet is the test."""

    world: World

    def deploy(self, *, reads: str = SECRET, annotations: dict[str, str] | None = None, replicas: int = 1) -> None:
        self.remove()
        container = {"name": NAME, "image": "x", "envFrom": [{"secretRef": {"name": reads}}]}
        template = {
            "metadata": {"labels": LABELS, "annotations": annotations or {}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
        }
        self.world.kubernetes.api.create(
            "deployments",
            {
                "metadata": {"namespace": NAMESPACE, "name": "token-consumer"},
                "spec": {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template},
            },
        )

    def pods(self) -> list[dict[str, Any]]:
        found = self.world.kubernetes.api.list("pods", NAMESPACE, labelSelector="app=token-consumer")["items"]
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def run(self, started: datetime, *, ready: bool = True) -> None:
        """The pod runs since then; the Deployment has rolled out, if it is ready."""
        wait_until("the pod", lambda: bool(self.pods()), timeout=20, log=None)
        time = started.strftime("%Y-%m-%dT%H:%M:%SZ")
        running = {"name": NAME, "ready": ready, "state": {"running": {"startedAt": time}}}
        status = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": time}],
            "containerStatuses": [{**running, "image": "x", "imageID": "x", "restartCount": 0}],
        }
        (pod,) = self.pods()
        api = self.world.kubernetes.api
        api.patch("pods", pod["metadata"]["name"], {"status": status}, NAMESPACE, subresource="status")
        if ready:
            wait_until("the rollout", self._rolled_out, timeout=20, log=None)

    def _rolled_out(self) -> bool:
        status = self.world.kubernetes.api.get("deployments", "token-consumer", NAMESPACE).get("status") or {}
        return bool(status.get("availableReplicas") == 1 and status.get("observedGeneration"))

    def remove(self) -> None:
        api = self.world.kubernetes.api
        if api.find("deployments", "token-consumer", NAMESPACE):
            api.delete("deployments", "token-consumer", NAMESPACE)
        wait_until("the end of the pods", self._ended, timeout=20, log=None)

    def _ended(self) -> bool:
        api = self.world.kubernetes.api
        for kind in ("replicasets", "pods"):
            for one in api.list(kind, NAMESPACE, labelSelector="app=token-consumer")["items"]:
                if api.find(kind, one["metadata"]["name"], NAMESPACE):
                    api.delete(kind, one["metadata"]["name"], NAMESPACE, grace_seconds=0)
        return not api.list("pods", NAMESPACE, labelSelector="app=token-consumer")["items"]


@pytest.fixture
def world(server: Server, kubernetes: Cluster) -> World:
    kubernetes.put(API, SECRET, {KEY: server.token("root")})
    return World(server, kubernetes)


@pytest.fixture
def backend(world: World) -> Iterator[Backend]:
    found = Backend(world)
    yield found
    found.remove()


@pytest.fixture
def replaced(world: World) -> str:
    """A token of ours was replaced just now. Returns the old one's accessor."""
    world.healthy()
    old = world.annotations[ACCESSOR]
    world.edit("")
    world.run()
    assert world.annotations[SUPERSEDED] == old
    return old


def kept(world: World, old: str, why: str) -> Outcome:
    """It is not revoked, and the item says why."""
    admin = world.servers(kube="admin")
    done = world.run(servers=admin, **OPTIONS)
    found = item(done, ITEM)
    assert (found.status, found.action) == ("blocked", "none")
    assert why in found.reason, found.reason
    assert world.server.alive(old)
    assert world.annotations[SUPERSEDED] == old
    return done


def written(world: World) -> datetime:
    time = read_secret(world.kubernetes.client("admin"), NAMESPACE, SECRET, lambda secrets: None).data_written
    return datetime.fromisoformat(str(time))


def test_pods_that_started_after_the_secret_was_written_prove_the_new_token_and_the_old_one_is_revoked(
    world: World, backend: Backend, replaced: str
) -> None:
    backend.deploy()
    backend.run(written(world) + timedelta(seconds=1))
    done = world.run(servers=world.servers(kube="admin"), **OPTIONS)
    assert item(done, ITEM).action == "remove"
    assert not world.server.alive(replaced)
    assert SUPERSEDED not in world.annotations
    assert not done.warnings


@pytest.mark.parametrize("seconds", [-30, 0])
def test_a_pod_that_may_have_started_before_keeps_the_old_token_alive(
    world: World, backend: Backend, replaced: str, seconds: int
) -> None:
    backend.deploy()
    backend.run(written(world) + timedelta(seconds=seconds))
    kept(world, replaced, "of Deployment keybuzz-backend-dev/token-consumer may still run with what the Secret held")


def test_the_mark_of_the_pod_template_proves_it_where_the_clock_cannot(
    world: World, backend: Backend, replaced: str
) -> None:
    state = read_secret(world.kubernetes.client("admin"), NAMESPACE, SECRET, lambda secrets: None)
    backend.deploy(annotations={RESTART_FOR: f"other:hmac-0,{mark([state])}"})
    backend.run(written(world))
    assert item(world.run(servers=world.servers(kube="admin"), **OPTIONS), ITEM).action == "remove"
    assert not world.server.alive(replaced)


def test_a_rollout_that_is_not_done_keeps_the_old_token_alive(world: World, backend: Backend, replaced: str) -> None:
    backend.deploy()
    backend.run(datetime.now(UTC) + timedelta(seconds=5), ready=False)
    kept(world, replaced, "has not rolled out")


def test_a_deployment_that_does_not_read_the_secret_proves_nothing(
    world: World, backend: Backend, replaced: str
) -> None:
    backend.deploy(reads="another")
    kept(world, replaced, "no container of Deployment keybuzz-backend-dev/token-consumer reads Secret")


def test_a_deployment_that_is_missing_or_wants_no_pods_proves_nothing(
    world: World, backend: Backend, replaced: str
) -> None:
    kept(world, replaced, "there is no Deployment keybuzz-backend-dev/token-consumer")
    backend.deploy(replicas=0)
    wait_until(
        "the controller",
        lambda: bool(world.kubernetes.api.get("deployments", "token-consumer", NAMESPACE).get("status") or {}),
        timeout=20,
        log=None,
    )
    kept(world, replaced, "has not rolled out")


def test_a_deployment_that_may_not_be_read_proves_nothing(world: World, backend: Backend, replaced: str) -> None:
    done = world.run(**OPTIONS)
    assert "cannot be looked at" in item(done, ITEM).reason
    assert world.server.alive(replaced)


def test_without_consumers_the_old_token_is_revoked_with_a_warning_that_nobody_looked(
    world: World, replaced: str
) -> None:
    predicted = world.check(superseded="revoke")
    done = world.run(superseded="revoke")
    assert not world.server.alive(replaced)
    for outcome in (predicted, done):
        assert any("No consumers are given" in warning for warning in outcome.warnings)
    assert not world.run(superseded="revoke").warnings


def test_while_vault_was_not_seen_to_accept_the_new_token_the_old_one_is_kept(world: World, replaced: str) -> None:
    world.kubernetes.api.patch(
        "secrets",
        SECRET,
        {
            "stringData": {KEY: "hvs.CANARYdead"},
            "metadata": {"labels": {"reconcile.external-secrets.io/managed": "true"}},
        },
        NAMESPACE,
    )
    found = item(world.check(superseded="revoke"), ITEM)
    assert (found.status, found.action) == ("blocked", "none")
    assert "Vault was not seen to accept" in found.reason


def test_who_may_not_look_tokens_up_by_accessor_revokes_none_and_still_checks_the_rest(
    world: World, replaced: str
) -> None:
    blind = world.limited("no-accessors", without=("auth/token/lookup-accessor",))
    outcome = world.check(servers=world.servers(), superseded="revoke")
    assert item(outcome, ITEM).action == "remove"
    outcome = world.run(servers=replace(world.servers(), vault=blind), superseded="revoke")
    assert (item(outcome, ITEM).status, item(outcome).status) == ("unknown", "in_sync")
    assert "update on auth/token/lookup-accessor" in item(outcome, ITEM).hint
    assert world.server.alive(replaced)


@pytest.mark.parametrize("other", ["environment", "namespace", "secret"])
def test_the_token_of_another_place_is_not_revoked_when_its_secret_was_copied_with_all_its_annotations(
    world: World, other: str
) -> None:
    world.healthy()
    home = {"environment": NAMESPACE, "namespace": NAMESPACE, "secret": SECRET, other: "production"}
    meta = {"managed_by": "keybuzz.amazon", **home}
    original = world.server.make_token(policies=["default"], ttl="1h", no_parent=True, meta=meta)
    noted = {"metadata": {"annotations": {SUPERSEDED: original["accessor"]}}}
    world.kubernetes.api.patch("secrets", SECRET, noted, NAMESPACE)
    assert not world.run(superseded="revoke").changed
    assert world.server.alive(original["accessor"])


def test_with_strategy_copy_too_a_replaced_token_that_another_place_uses_is_not_revoked(world: World) -> None:
    used, accessor = world.healthy(), world.annotations[ACCESSOR]
    world.kubernetes.put(API, SECRET, {KEY: used, "ROOT": world.server.token("root")})
    place = {"namespace": API, "secret": SECRET}
    options = {"strategy": "copy", "copy_from": {**place, "key": "ROOT"}, "compare_with": [{**place, "key": KEY}]}
    world.edit("")
    world.run(**options)
    assert world.annotations[SUPERSEDED] == accessor
    outcome = world.run(**options, superseded="revoke")
    assert "another place uses it" in item(outcome, "vault_token/superseded").reason
    assert world.server.alive(accessor)


def test_a_replaced_token_that_somebody_puts_back_right_before_it_is_revoked_stays_valid(world: World) -> None:
    old = world.healthy()
    world.edit("")
    world.run()

    class PutBack(KubeClient):
        def __init__(self, real: KubeClient) -> None:
            self.__dict__.update(real.__dict__)

        def may(self, *question: Any, **more: Any) -> bool:
            world.edit(old)  # after the look, before the first write
            return super().may(*question, **more)

    servers = world.servers()
    outcome = world.run(servers=replace(servers, kube=PutBack(servers.kube)), superseded="revoke")
    assert not outcome.changed
    assert world.lookup(world.value)["ttl"] > 0
