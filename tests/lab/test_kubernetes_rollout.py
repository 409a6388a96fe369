# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab expects of a Kubernetes API: Deployments become ReplicaSets become Pods. Both kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.cluster import Api
from tests.lab import kubernetes_world as world
from tests.lab.kubernetes_world import condition, deployment, eventually, make_ready, pods, set_env

cluster, api, namespace = world.cluster, world.api, world.namespace
pytestmark = pytest.mark.lab

Object = dict[str, Any]
REVISION = "deployment.kubernetes.io/revision"


def sets(api: Api, namespace: str) -> list[Object]:
    """ReplicaSets, by revision."""
    items: list[Object] = api.list("replicasets", namespace)["items"]
    return sorted(items, key=lambda item: int(item["metadata"]["annotations"][REVISION]))


def once(api: Api, namespace: str, check: Callable[[Object], Any], seconds: float = 15.0) -> Object:
    """The Deployment as soon as ``check`` holds for it."""

    def look() -> Object | None:
        found = api.get("deployments", "web", namespace)
        return found if check(found) else None

    found: Object = eventually(look, seconds=seconds)
    return found


def reason(item: Object) -> str:
    return str(condition(item, "Progressing").get("reason", ""))


def rolled_out(item: Object) -> bool:
    return bool(
        item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]
        and reason(item) == "NewReplicaSetAvailable"
        and condition(item, "Available")["status"] == "True"
    )


def started(api: Api, namespace: str, **spec: Any) -> Object:
    """A Deployment whose pods are all ready."""
    api.create("deployments", deployment(**spec), namespace)
    count = spec.get("replicas", 1)
    for pod in eventually(lambda: found if len(found := pods(api, namespace)) == count else []):
        make_ready(api, pod)
    return once(api, namespace, rolled_out)


def test_a_deployment_makes_a_replica_set_makes_pods(api: Api, namespace: str) -> None:
    api.create("deployments", deployment(replicas=2), namespace)
    made = eventually(lambda: found if len(found := pods(api, namespace)) == 2 else [])
    (replica_set,) = sets(api, namespace)
    digest = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{digest}"
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": digest}
    assert replica_set["metadata"]["annotations"][REVISION] == "1"
    assert replica_set["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
    for pod in made:
        assert pod["metadata"]["name"].startswith(f"web-{digest}-")
        assert pod["metadata"]["labels"] == {"app": "web", "pod-template-hash": digest}
        assert pod["metadata"]["ownerReferences"][0]["uid"] == replica_set["metadata"]["uid"]
        assert pod["status"]["phase"] == "Pending"
    waiting = once(api, namespace, lambda item: item.get("status", {}).get("unavailableReplicas") == 2)
    assert condition(waiting, "Available")["reason"] == "MinimumReplicasUnavailable"
    assert waiting["metadata"]["annotations"][REVISION] == "1"


def test_ready_pods_make_it_available(api: Api, namespace: str) -> None:
    done = started(api, namespace, replicas=2)
    counts = {key: done["status"][key] for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
    assert set(counts.values()) == {2}
    assert "unavailableReplicas" not in done["status"]
    assert condition(done, "Progressing")["message"].endswith("has successfully progressed.")
    make_ready(api, pods(api, namespace)[0], ready=False)
    again = once(api, namespace, lambda item: item["status"].get("readyReplicas") == 1)
    assert reason(again) == "NewReplicaSetAvailable"  # a rollout that is over stays over


def test_a_rolling_update_keeps_the_old_pod_until_the_new_one_serves(api: Api, namespace: str) -> None:
    started(api, namespace)
    (old,) = pods(api, namespace)
    set_env(api, namespace, "FIRST", "2")
    both = eventually(lambda: found if len(found := pods(api, namespace)) == 2 else [])
    (fresh,) = [pod for pod in both if pod["metadata"]["uid"] != old["metadata"]["uid"]]
    assert fresh["spec"]["containers"][0]["env"] == [{"name": "FIRST", "value": "2"}]
    assert reason(api.get("deployments", "web", namespace)) != "ProgressDeadlineExceeded"
    make_ready(api, fresh)
    eventually(lambda: [pod["metadata"]["uid"] for pod in pods(api, namespace)] == [fresh["metadata"]["uid"]])
    done = once(api, namespace, rolled_out)
    assert done["metadata"]["annotations"][REVISION] == "2"
    assert [item["spec"]["replicas"] for item in sets(api, namespace)] == [0, 1]


def test_a_change_outside_the_template_makes_no_replica_set(api: Api, namespace: str) -> None:
    before = started(api, namespace)
    api.patch(
        "deployments",
        "web",
        {"metadata": {"annotations": {"note": "x"}}, "spec": {"progressDeadlineSeconds": 77}},
        namespace,
    )
    after = once(api, namespace, lambda item: item["status"]["observedGeneration"] == 2)
    assert after["metadata"]["annotations"][REVISION] == before["metadata"]["annotations"][REVISION]
    assert len(sets(api, namespace)) == 1


def test_going_back_uses_the_old_replica_set_again(api: Api, namespace: str) -> None:
    started(api, namespace)
    set_env(api, namespace, "FIRST", "2")
    eventually(lambda: len(sets(api, namespace)) == 2)
    first = sets(api, namespace)[0]["metadata"]["name"]
    set_env(api, namespace, "FIRST", "1")
    eventually(lambda: sets(api, namespace)[-1]["metadata"]["name"] == first)
    assert [item["metadata"]["annotations"][REVISION] for item in sets(api, namespace)] == ["2", "3"]
    once(api, namespace, rolled_out)
    eventually(lambda: [item["spec"]["replicas"] for item in sets(api, namespace)] == [0, 1])


def test_a_paused_deployment_takes_no_template(api: Api, namespace: str) -> None:
    started(api, namespace)
    api.patch("deployments", "web", {"spec": {"paused": True}}, namespace)
    set_env(api, namespace, "FIRST", "2")
    paused = once(api, namespace, lambda item: item["status"]["observedGeneration"] == 3)
    assert (condition(paused, "Progressing")["status"], reason(paused)) == ("Unknown", "DeploymentPaused")
    assert len(sets(api, namespace)) == 1
    api.patch("deployments", "web", {"spec": {"paused": None}}, namespace)
    eventually(lambda: len(sets(api, namespace)) == 2)


def test_a_rollout_that_does_not_progress_exceeds_its_deadline(api: Api, namespace: str) -> None:
    started(api, namespace, progressDeadlineSeconds=1)
    set_env(api, namespace, "FIRST", "2")
    failed = once(api, namespace, lambda item: reason(item) == "ProgressDeadlineExceeded")
    assert condition(failed, "Progressing")["status"] == "False"
    assert condition(failed, "Progressing")["message"].endswith("has timed out progressing.")
    assert condition(failed, "Available")["status"] == "True"  # the old pod still serves
    for pod in pods(api, namespace):
        make_ready(api, pod)
    once(api, namespace, rolled_out)


def test_a_refused_pod_is_a_replica_failure(api: Api, namespace: str) -> None:
    api.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/resourcequotas",
        body={
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "full"},
            "spec": {"hard": {"pods": "0"}},
        },
    )
    api.request(
        "PATCH",
        f"/api/v1/namespaces/{namespace}/resourcequotas/full/status",
        body={"status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}},
        content_type="application/merge-patch+json",
    )
    api.create("deployments", deployment(), namespace)
    failed = once(api, namespace, lambda item: condition(item, "ReplicaFailure"))
    found = condition(failed, "ReplicaFailure")
    assert (found["status"], found["reason"]) == ("True", "FailedCreate")
    assert "is forbidden: exceeded quota: full, requested: pods=1, used: pods=0, limited: pods=0" in found["message"]
    api.request("DELETE", f"/api/v1/namespaces/{namespace}/resourcequotas/full")
    # A change of the Deployment, so that nobody has to wait for the controller's back-off.
    set_env(api, namespace, "FIRST", "2")
    eventually(lambda: pods(api, namespace))


def test_recreate_ends_all_old_pods_first(api: Api, namespace: str) -> None:
    started(api, namespace, strategy={"type": "Recreate"})
    (old,) = pods(api, namespace)
    api.patch("deployments", "web", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 30}}}}, namespace)
    eventually(lambda: [pod for pod in pods(api, namespace) if pod["metadata"]["uid"] != old["metadata"]["uid"]])
    assert api.find("pods", old["metadata"]["name"], namespace) is None


def test_the_size_follows_the_spec(api: Api, namespace: str) -> None:
    started(api, namespace)
    for wanted in (3, 0):
        api.patch("deployments", "web", {"spec": {"replicas": wanted}}, namespace)
        eventually(lambda: len(pods(api, namespace)) == wanted)  # noqa: B023 called before the next round
    empty = once(api, namespace, lambda item: "replicas" not in item["status"])
    assert len(sets(api, namespace)) == 1
    assert empty["status"]["observedGeneration"] == 3


def test_a_lost_pod_is_replaced(api: Api, namespace: str) -> None:
    started(api, namespace)
    (pod,) = pods(api, namespace)
    api.delete("pods", pod["metadata"]["name"], namespace, grace_seconds=0)
    eventually(lambda: [one for one in pods(api, namespace) if one["metadata"]["uid"] != pod["metadata"]["uid"]])


def test_a_deleted_deployment_takes_its_replica_sets_and_pods_with_it(api: Api, namespace: str) -> None:
    started(api, namespace)
    api.delete("deployments", "web", namespace)
    eventually(lambda: not api.list("replicasets", namespace)["items"] and not pods(api, namespace))
