# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several Deployments in one call: shared reads, one that fails beside others, rollouts waited for side by side."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.options import wishes
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.restart import CONFIG_CHECKSUM
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import k8s_deployment_env as work

from tests.integration_lab.kube.conftest import NAME, NAMESPACE, World, acting, nothing
from tests.lab.kubernetes_world import eventually

pytestmark = pytest.mark.lab
CONTAINER = "/spec/template/spec/containers/0"
WORKER = "keybuzz-worker"


@pytest.fixture
def both(world: World) -> Any:
    """The world with a second Deployment of the same kind; it goes with the test."""
    made = copy.deepcopy(world.healthy[NAME])
    made["metadata"] = {"name": WORKER, "namespace": NAMESPACE}
    made["spec"]["selector"] = {"matchLabels": {"app": WORKER}}
    made["spec"]["template"]["metadata"]["labels"] = {"app": WORKER}
    world.api.create("deployments", made)
    eventually(lambda: status(world, WORKER).get("availableReplicas") == 1)
    yield world
    world.api.delete("deployments", WORKER, NAMESPACE)


def status(world: World, name: str) -> dict[str, Any]:
    return dict(world.api.get("deployments", name, NAMESPACE).get("status") or {})


def change(world: World, *operations: dict[str, Any]) -> None:
    """Break both, and let both roll out."""
    for name in (NAME, WORKER):
        world.api.patch("deployments", name, list(operations), NAMESPACE, kind="json", fieldManager="somebody")
    eventually(
        lambda: all(
            found.get("updatedReplicas") == found.get("replicas") == found.get("availableReplicas") == 1
            for found in (status(world, NAME), status(world, WORKER))
        )
    )


def wanted(world: World, *names: str, **changes: Any) -> Any:
    each = [replace(world.wanted(**changes), deployment=name) for name in names or (NAME, WORKER)]
    return tuple(each)


def go(world: World, want: Any, user: str = "admin", *, check_mode: bool = False) -> Outcome:
    return work.run(world.client(user), want, nothing, check_mode=check_mode)


NO_ADDRESS = {"op": "remove", "path": f"{CONTAINER}/env/0"}


def test_both_are_predicted_repaired_and_left_alone_with_their_names_in_the_ids(both: World) -> None:
    change(both, NO_ADDRESS)
    predicted = go(both, wanted(both), check_mode=True)
    assert acting(predicted) == {f"{NAME}/env/VAULT_ADDR", f"{WORKER}/env/VAULT_ADDR"}
    assert predicted.facts["repair_allowed"] is True
    done = go(both, wanted(both))
    assert (acting(done), done.changed) == (acting(predicted), True)
    assert {one.status for one in done.remaining or ()} == {"in_sync"}
    each = done.facts["deployments"]
    assert isinstance(each, list)
    assert [(one["deployment"]["name"], one["changed"], one["verdict"]) for one in each] == [
        (NAME, True, "in_sync"),
        (WORKER, True, "in_sync"),
    ]
    assert not go(both, wanted(both)).changed


def test_what_both_need_is_read_once(both: World) -> None:
    mark = both.mark()
    outcome = go(both, wanted(both), check_mode=True)
    assert {one.status for one in outcome.items} == {"in_sync"}
    asked = [uri for _, uri in both.requests("admin", mark) if "keybuzz" in uri or "configmaps" in uri]
    paths = [uri for uri in asked if "/secrets/" in uri or "/configmaps/" in uri or "/deployments/" in uri]
    assert len(paths) == len(set(paths)) == 6  # two Deployments, one ConfigMap, three Secrets


def test_a_config_map_of_both_is_written_once_and_both_restart(both: World) -> None:
    both.api.patch("configmaps", "vault-ca", {"data": {"ca.crt": "something else"}}, NAMESPACE)
    predicted = go(both, wanted(both), check_mode=True)
    mark = both.mark()
    done = go(both, wanted(both))
    expected = {f"{name}/{one}" for name in (NAME, WORKER) for one in ("config/vault-ca", "restart")}
    assert acting(predicted) == acting(done) == expected
    writes = [uri for verb, uri in both.requests("admin", mark) if verb == "patch" and "dryRun" not in uri]
    assert sorted(uri.split("?")[0].rsplit("/", 1)[1] for uri in writes) == [NAME, WORKER, "vault-ca"]
    for name in (NAME, WORKER):
        template = both.api.get("deployments", name, NAMESPACE)["spec"]["template"]
        assert CONFIG_CHECKSUM in template["metadata"]["annotations"]
    assert not go(both, wanted(both)).changed


def test_one_that_is_not_there_does_not_hide_the_others(both: World) -> None:
    change(both, NO_ADDRESS)
    want = wanted(both, NAME, "no-such", WORKER)
    predicted = go(both, want, check_mode=True)
    gone = next(one for one in predicted.items if one.id == "backend_access/no-such/could-not-check")
    assert gone.status == "blocked"
    assert {f"{NAME}/env/VAULT_ADDR", f"{WORKER}/env/VAULT_ADDR"} == acting(predicted)
    with pytest.raises(
        work.NotAppliedError, match=r"no such Deployment.*of the other Deployments 2 went well"
    ) as caught:
        go(both, want)
    outcome = caught.value.outcome
    assert outcome.changed
    left = {one.id: one.status for one in outcome.remaining or ()}
    assert left[f"backend_access/{WORKER}/env/VAULT_ADDR"] == "in_sync"
    assert left["backend_access/no-such/could-not-check"] == "blocked"
    each = outcome.facts["deployments"]
    assert isinstance(each, list)
    assert "no such Deployment" in each[1]["error"]
    assert not go(both, wanted(both)).changed


def test_one_without_permission_does_not_keep_the_other_from_its_repair(both: World) -> None:
    change(both, NO_ADDRESS)
    with pytest.raises(work.NotAppliedError, match=f"{WORKER}.*may not get it"):
        go(both, wanted(both), user="repair")  # its Role names the backend's Deployment only
    assert go(both, wanted(both, NAME), user="repair").changed is False
    assert len(both.api.get("deployments", WORKER, NAMESPACE)["spec"]["template"]["spec"]["containers"][0]["env"]) == 1


def test_a_rollout_that_fails_does_not_hide_the_one_that_succeeds(both: World) -> None:
    change(both, NO_ADDRESS)
    stuck = {"progressDeadlineSeconds": 1, "template": {"spec": {"nodeSelector": {"no": "node"}}}}
    both.kubelet.ignore = WORKER
    both.api.patch("deployments", WORKER, {"spec": stuck}, NAMESPACE)
    with pytest.raises(work.RolloutFailedError, match=f"{WORKER}.*1 went well") as caught:
        go(both, wanted(both))
    left = {one.id: one.status for one in caught.value.outcome.remaining or ()}
    assert left[f"backend_access/{NAME}/rollout"] == "in_sync"
    assert left[f"backend_access/{WORKER}/rollout"] == "error"
    assert left[f"backend_access/{WORKER}/env/VAULT_ADDR"] == "in_sync"


def test_rollouts_are_waited_for_side_by_side(both: World) -> None:
    """Neither pod is ready within the time: the whole takes that time once, not twice."""
    change(both, NO_ADDRESS)
    both.kubelet.waiting = ("ImagePullBackOff", "back-off")
    began = time.monotonic()
    with pytest.raises(work.RolloutFailedError, match="ImagePullBackOff"):
        go(both, wanted(both, wait_timeout=2.0))
    assert time.monotonic() - began < 3.9


def test_the_same_container_listed_twice_is_refused_and_two_namespaces_are_told_apart(world: World) -> None:
    options: dict[str, Any] = {"namespace": NAMESPACE, "env": [{"name": "A", "value": "1"}]}
    with pytest.raises(BadInputError, match="more than once"):
        wishes({**options, "deployments": [{"name": NAME}, {"name": NAME}]})
    with pytest.raises(BadInputError, match="the list is empty"):
        wishes({**options, "deployments": []})
    want = wishes({**options, "deployments": [{"name": NAME}, {"name": NAME, "namespace": "elsewhere"}]})
    outcome = go(world, want, check_mode=True)
    assert {one.id.split("/")[1] for one in outcome.items} == {f"{NAMESPACE}.{NAME}", f"elsewhere.{NAME}"}
