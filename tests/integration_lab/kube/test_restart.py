# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When pods are restarted because of changed data, and when they are not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.restart import (
    CHECKSUM_KEY,
    CONFIG_CHECKSUM,
    RESTART_FOR,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import read_secret, write_secret_values

from tests.integration_lab.kube.conftest import NAME, NAMESPACE, World, acting, item, nothing
from tests.lab.kubernetes_world import eventually

pytestmark = pytest.mark.lab
CONTAINER = "/spec/template/spec/containers/0"


def next_second() -> None:
    """Times in the API have whole seconds."""
    time.sleep(1.05)


def renew(world: World, token: str) -> None:
    state = read_secret(world.client(), NAMESPACE, "vault-token", nothing)
    write_secret_values(world.client(), state, {"VAULT_TOKEN": token}, {CHECKSUM_KEY: "k"})


def annotations(world: World) -> dict[str, str]:
    return dict(world.template()["metadata"].get("annotations") or {})


def test_pods_older_than_the_secrets_data_are_restarted_once(world: World) -> None:
    next_second()
    renew(world, "s.renewed")
    assert acting(world.check(user="audit")) == {"restart"}
    sets = world.replica_sets()
    done = world.repair()
    assert acting(done) == {"restart"}
    assert world.replica_sets() == sets + 1
    assert annotations(world)[RESTART_FOR].startswith("vault-token:hmac-")
    assert not world.repair().changed
    assert world.replica_sets() == sets + 1


def test_a_marked_template_tells_of_a_new_value_without_asking_for_pods(world: World) -> None:
    renew(world, "s.first")
    world.change({"op": "remove", "path": f"{CONTAINER}/env/0"})
    world.repair()  # the mark is set in the same patch as the variable
    assert RESTART_FOR in annotations(world)
    assert CONFIG_CHECKSUM in annotations(world)
    mark = world.mark()
    assert not world.check(user="audit").changed
    assert not [uri for _, uri in world.requests("audit", mark) if "/pods" in uri]
    renew(world, "s.second")
    assert acting(world.check(user="audit")) == {"restart"}
    assert world.repair().changed
    assert not world.repair().changed


def test_writing_only_annotations_of_the_secret_restarts_nothing(world: World) -> None:
    next_second()
    state = read_secret(world.client(), NAMESPACE, "vault-token", nothing)
    write_secret_values(world.client(), state, {}, {"amazon.keybuzz.io/expires": "2027-01-01T00:00:00Z"})
    assert acting(world.check(user="audit")) == set()


def test_check_mode_predicts_the_restart_for_a_secret_that_will_be_written(world: World) -> None:
    wanted = world.wanted(restart_for=[{"secret": "vault-token", "will_change": True}])
    assert acting(world.check(wanted)) == {"restart"}
    assert not world.repair(wanted).changed  # nobody wrote it


def test_a_changed_ca_restarts_and_is_marked(world: World) -> None:
    world.api.patch("configmaps", "vault-ca", {"data": {"ca.crt": "something else"}}, NAMESPACE)
    predicted = world.check()
    assert acting(predicted) == {"config/vault-ca", "restart"}
    sets = world.replica_sets()
    done = world.repair()
    assert acting(done) == {"config/vault-ca", "restart"}
    assert {one.status for one in done.remaining or ()} == {"in_sync"}
    assert world.replica_sets() == sets + 1
    first = annotations(world)[CONFIG_CHECKSUM]
    # Once more the same way: the mark stands for the wanted content already, and the pods have to restart again.
    world.api.patch("configmaps", "vault-ca", {"data": {"ca.crt": "something else"}}, NAMESPACE)
    assert acting(world.repair()) == {"config/vault-ca", "restart"}
    assert annotations(world)[CONFIG_CHECKSUM] == f"{first}.again"
    assert not world.repair().changed


def test_a_missing_secret_blocks_before_pods_are_sent_into_it(world: World) -> None:
    world.api.delete("secrets", "vault-token", NAMESPACE)
    found = item(world.check(), "restart")
    assert found.status == "blocked"
    assert "does not exist" in found.reason
    wanted = world.wanted()
    will = tuple(replace(one, will_change=True) for one in wanted.restart_for)
    assert item(world.check(replace(wanted, restart_for=will)), "restart").action == "restart"


def test_a_failed_rollout_recovers_when_its_cause_was_repaired_elsewhere(world: World) -> None:
    world.kubelet.waiting = ("CrashLoopBackOff", "back-off")
    world.api.patch("deployments", NAME, {"spec": {"progressDeadlineSeconds": 1}}, NAMESPACE)
    template = {"spec": {"template": {"metadata": {"annotations": {"somebody": "else"}}}}}
    world.api.patch("deployments", NAME, template, NAMESPACE)
    eventually(lambda: item(world.check(), "rollout").status == "error")
    with ThreadPoolExecutor() as pool:
        repair = pool.submit(world.repair)
        time.sleep(0.5)
        assert not repair.done(), "it waits, because nothing of its own is left to do"
        world.kubelet.waiting = None
        for pod in world.api.list("pods", NAMESPACE)["items"]:  # as a kubelet that starts the container again
            world.api.delete("pods", pod["metadata"]["name"], NAMESPACE, grace_seconds=0)
        done = repair.result(timeout=30)
    assert not done.changed
    assert item(done.remaining or (), "rollout").status == "in_sync"


def test_the_same_token_written_again_after_it_was_away_restarts_the_pods(world: World) -> None:
    """A copied token, emptied by somebody; pods may have started without it, so that its return has to restart them."""
    renew(world, "s.copied")
    world.repair(world.wanted(env=[{"name": "VAULT_ADDR", "value": f"{world.vault.url}/"}]))  # marks the template
    mark = annotations(world)[RESTART_FOR]
    assert acting(world.check(world.wanted(env=[]))) == set()
    world.api.patch("secrets", "vault-token", {"stringData": {"VAULT_TOKEN": ""}}, NAMESPACE)
    renew(world, "s.copied")
    done = world.repair(world.wanted(env=[]))
    assert acting(done) == {"restart"}
    assert annotations(world)[RESTART_FOR] != mark
    assert not world.repair(world.wanted(env=[])).changed


def test_a_token_that_somebody_put_back_by_hand_restarts_the_pods(world: World) -> None:
    next_second()
    renew(world, "s.first")
    assert world.repair().changed
    mark = annotations(world)[RESTART_FOR]
    next_second()
    for token in ("", "s.first"):
        world.api.patch("secrets", "vault-token", {"stringData": {"VAULT_TOKEN": token}}, NAMESPACE)
    done = world.repair()
    assert acting(done) == {"restart"}
    assert annotations(world)[RESTART_FOR] == f"{mark}.again"
    assert not world.repair().changed
