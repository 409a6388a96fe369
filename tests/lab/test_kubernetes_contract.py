# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab expects of a Kubernetes API: objects, patches, errors. Runs on the real server and the emulator."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest

from lab.cluster import Api, ApiError, Cluster
from tests.lab import kubernetes_world as world
from tests.lab.kubernetes_world import bind, deployment, eventually, set_env

cluster, api, namespace = world.cluster, world.api, world.namespace
pytestmark = pytest.mark.lab

Object = dict[str, Any]


def config(name: str = "settings", **data: str) -> Object:
    return {"metadata": {"name": name}, "data": data}


def refusal(call: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value


def test_a_created_object_has_identity_version_and_writer(api: Api, namespace: str) -> None:
    made = api.create("configmaps", config(a="1"), namespace, fieldManager="someone")
    metadata = made["metadata"]
    assert {"uid", "resourceVersion", "creationTimestamp"} <= set(metadata)
    assert [entry["manager"] for entry in metadata["managedFields"]] == ["someone"]
    assert api.get("configmaps", "settings", namespace) == made


def test_errors_are_worded_as_the_api_server_words_them(api: Api, namespace: str) -> None:
    api.create("configmaps", config(), namespace)
    twice = refusal(lambda: api.create("configmaps", config(), namespace))
    assert (twice.code, twice.reason) == (409, "AlreadyExists")
    assert twice.status["message"] == 'configmaps "settings" already exists'
    missing = refusal(lambda: api.get("deployments", "web", namespace))
    assert (missing.code, missing.reason) == (404, "NotFound")
    assert missing.status["message"] == 'deployments.apps "web" not found'
    assert missing.status["details"] == {"name": "web", "group": "apps", "kind": "deployments"}
    nowhere = refusal(lambda: api.create("configmaps", config(), "no-such-namespace"))
    assert nowhere.status["message"] == 'namespaces "no-such-namespace" not found'
    unknown = refusal(lambda: api.request("GET", f"/api/v1/namespaces/{namespace}/nonsense"))
    assert unknown.status["message"] == "the server could not find the requested resource"
    wrong = refusal(lambda: api.create("secrets", {"metadata": {"name": "Not_A_Name"}}, namespace))
    assert (wrong.code, wrong.reason) == (422, "Invalid")
    assert wrong.status["message"].startswith('Secret "Not_A_Name" is invalid: metadata.name: Invalid value')


def test_a_generated_name_extends_its_prefix(api: Api, namespace: str) -> None:
    made = [api.create("configmaps", {"metadata": {"generateName": "run-"}}, namespace) for _ in range(2)]
    names = {item["metadata"]["name"] for item in made}
    assert len(names) == 2
    assert all(name.startswith("run-") and len(name) == len("run-") + 5 for name in names)


def test_lists_are_selected_by_label_and_by_name(api: Api, namespace: str) -> None:
    for name, labels in (("a", {"tier": "web"}), ("b", {"tier": "db"}), ("c", {})):
        api.create("configmaps", {"metadata": {"name": name, "labels": labels}}, namespace)

    def names(**query: str) -> list[str]:
        return sorted(item["metadata"]["name"] for item in api.list("configmaps", namespace, **query)["items"])

    assert names(labelSelector="tier=web") == ["a"]
    assert names(labelSelector="tier in (web, db)") == ["a", "b"]
    assert names(labelSelector="tier!=web") == ["b", "c"]
    assert names(labelSelector="!tier") == ["c"]
    assert names(labelSelector="tier,tier notin (db)") == ["a"]
    assert names(fieldSelector="metadata.name=b") == ["b"]
    assert refusal(lambda: names(fieldSelector="data.x=b")).code == 400


def test_an_update_of_an_old_version_is_a_conflict(api: Api, namespace: str) -> None:
    old = api.create("configmaps", config(a="1"), namespace)
    api.patch("configmaps", "settings", {"data": {"a": "2"}}, namespace)
    lost = refusal(lambda: api.update("configmaps", {**old, "data": {"a": "3"}}))
    assert (lost.code, lost.reason) == (409, "Conflict")
    assert lost.status["message"] == (
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; please apply your '
        "changes to the latest version and try again"
    )
    patch = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
    assert refusal(lambda: api.patch("configmaps", "settings", patch, namespace)).reason == "Conflict"
    assert api.get("configmaps", "settings", namespace)["data"] == {"a": "2"}


def test_writing_what_is_there_makes_no_new_version(api: Api, namespace: str) -> None:
    made = api.create("configmaps", config(a="1"), namespace)
    version = made["metadata"]["resourceVersion"]
    assert (
        api.patch("configmaps", "settings", {"data": {"a": "1"}}, namespace)["metadata"]["resourceVersion"] == version
    )
    assert api.update("configmaps", made)["metadata"]["resourceVersion"] == version


def test_a_merge_patch_removes_by_null_and_replaces_lists(api: Api, namespace: str) -> None:
    api.create("configmaps", config(a="1", b="2"), namespace)
    assert api.patch("configmaps", "settings", {"data": {"a": None, "c": "3"}}, namespace)["data"] == {
        "b": "2",
        "c": "3",
    }
    api.create("deployments", deployment(), namespace)
    body = {"spec": {"template": {"spec": {"containers": [{"name": "other", "image": "x"}]}}}}
    changed = api.patch("deployments", "web", body, namespace)
    assert [item["name"] for item in changed["spec"]["template"]["spec"]["containers"]] == ["other"]


def test_a_strategic_patch_merges_by_key_and_puts_new_items_first(api: Api, namespace: str) -> None:
    api.create("deployments", deployment(), namespace)

    def env(changed: Object) -> list[str]:
        return [entry["name"] for entry in changed["spec"]["template"]["spec"]["containers"][0]["env"]]

    def patch(*entries: Object, **more: Any) -> Object:
        container = {"name": "main", "env": list(entries), **more}
        body = {"spec": {"template": {"spec": {"containers": [container]}}}}
        return api.patch("deployments", "web", body, namespace, kind="strategic")

    assert env(patch({"name": "SECOND", "value": "2"})) == ["SECOND", "FIRST"]
    ordered = {"$setElementOrder/env": [{"name": "SECOND"}, {"name": "FIRST"}, {"name": "THIRD"}]}
    assert env(patch({"name": "THIRD", "value": "3"}, **ordered)) == ["SECOND", "FIRST", "THIRD"]
    assert env(patch({"name": "FIRST", "$patch": "delete"})) == ["SECOND", "THIRD"]
    both = refusal(lambda: patch({"name": "SECOND", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}))
    assert (both.code, both.reason) == (422, "Invalid")
    assert "may not be specified when `value` is not empty" in both.status["message"]


def test_a_json_patch_is_applied_whole_or_not_at_all(api: Api, namespace: str) -> None:
    api.create("configmaps", config(a="1"), namespace)
    steps = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "2"}]
    assert api.patch("configmaps", "settings", steps, namespace, kind="json")["data"] == {"a": "2"}
    lost = refusal(lambda: api.patch("configmaps", "settings", steps, namespace, kind="json"))
    assert (lost.code, lost.reason) == (422, "Invalid")
    missing = [{"op": "add", "path": "/data/b", "value": "1"}, {"op": "remove", "path": "/data/nope"}]
    assert refusal(lambda: api.patch("configmaps", "settings", missing, namespace, kind="json")).code == 422
    assert api.get("configmaps", "settings", namespace)["data"] == {"a": "2"}


def test_a_json_patch_appends_and_inserts_in_lists(api: Api, namespace: str) -> None:
    api.create("deployments", deployment(), namespace)
    at = "/spec/template/spec/containers/0/env"
    steps = [
        {"op": "test", "path": f"{at}/0/name", "value": "FIRST"},
        {"op": "add", "path": f"{at}/-", "value": {"name": "LAST", "value": "9"}},
        {"op": "add", "path": "/spec/template/metadata/annotations", "value": {"a/b": "1"}},
        {"op": "replace", "path": "/spec/template/metadata/annotations/a~1b", "value": "2"},
    ]
    changed = api.patch("deployments", "web", steps, namespace, kind="json")["spec"]["template"]
    assert [entry["name"] for entry in changed["spec"]["containers"][0]["env"]] == ["FIRST", "LAST"]
    assert changed["metadata"]["annotations"] == {"a/b": "2"}


def test_a_patch_of_an_unknown_type_is_refused(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/x"
    refused = refusal(lambda: api.request("PATCH", path, body={}, content_type="text/plain"))
    assert (refused.code, refused.reason) == (415, "UnsupportedMediaType")


def test_a_dry_run_answers_as_if_and_stores_nothing(api: Api, namespace: str) -> None:
    assert api.create("configmaps", config(), namespace, dryRun="All")["metadata"]["uid"]
    assert api.find("configmaps", "settings", namespace) is None
    api.create("deployments", deployment(replicas=0), namespace)
    before = eventually(lambda: _observed(api, namespace))
    body = {"spec": {"template": {"metadata": {"labels": {"extra": "1"}}}}}
    answer = api.patch("deployments", "web", body, namespace, dryRun="All")
    assert answer["spec"]["template"]["metadata"]["labels"]["extra"] == "1"
    assert answer["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert api.get("deployments", "web", namespace) == before
    broken: Object = {"spec": {"template": {"spec": {"containers": []}}}}
    assert refusal(lambda: api.patch("deployments", "web", broken, namespace, dryRun="All")).reason == "Invalid"


def _observed(api: Api, namespace: str) -> Object | None:
    found = api.get("deployments", "web", namespace)
    done = found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]
    settled = [
        entry
        for entry in found.get("status", {}).get("conditions", [])
        if entry["type"] == "Progressing" and entry["reason"] == "NewReplicaSetAvailable"
    ]
    return found if done and settled else None


def test_generation_counts_changes_of_the_spec_only(api: Api, namespace: str) -> None:
    assert api.create("deployments", deployment(), namespace)["metadata"]["generation"] == 1
    assert (
        api.patch("deployments", "web", {"metadata": {"labels": {"a": "b"}}}, namespace)["metadata"]["generation"] == 1
    )
    assert set_env(api, namespace, "FIRST", "2")["metadata"]["generation"] == 2
    assert set_env(api, namespace, "FIRST", "2")["metadata"]["generation"] == 2


def test_secrets_take_plain_values_and_keep_them_encoded(api: Api, namespace: str) -> None:
    body = {
        "metadata": {"name": "login"},
        "data": {"a": base64.b64encode(b"old").decode()},
        "stringData": {"a": 'new "value"', "b": ""},
    }
    made = api.create("secrets", body, namespace)
    assert "stringData" not in made
    assert {key: base64.b64decode(value) for key, value in made["data"].items()} == {"a": b'new "value"', "b": b""}
    assert made["type"] == "Opaque"
    bad = {"metadata": {"name": "bad"}, "data": {"a": "not base64!"}}
    assert refusal(lambda: api.create("secrets", bad, namespace)).code == 400


def test_immutable_objects_are_not_changed(api: Api, namespace: str) -> None:
    for resource, value in (("configmaps", "1"), ("secrets", "MQ==")):
        api.create(resource, {"metadata": {"name": "fixed"}, "data": {"a": value}, "immutable": True}, namespace)
        refused = refusal(lambda resource=resource: api.patch(resource, "fixed", {"data": {"b": "Mg=="}}, namespace))
        assert (refused.code, refused.reason) == (422, "Invalid")
        assert "field is immutable when `immutable` is set" in refused.status["message"]


def test_the_selector_of_a_deployment_is_fixed_and_matches_its_pods(api: Api, namespace: str) -> None:
    api.create("deployments", deployment(), namespace)
    body = {"spec": {"selector": {"matchLabels": {"x": "y"}}, "template": {"metadata": {"labels": {"x": "y"}}}}}
    assert "field is immutable" in refusal(lambda: api.patch("deployments", "web", body, namespace)).status["message"]
    other = deployment("other")
    other["spec"]["template"]["metadata"]["labels"] = {"app": "third"}
    assert (
        "does not match template `labels`"
        in refusal(lambda: api.create("deployments", other, namespace)).status["message"]
    )


def test_a_mount_without_its_volume_is_refused(api: Api, namespace: str) -> None:
    wrong = deployment()
    wrong["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "ca", "mountPath": "/ca"}]
    refused = refusal(lambda: api.create("deployments", wrong, namespace))
    assert refused.status["message"] == (
        'Deployment.apps "web" is invalid: spec.template.spec.containers[0].volumeMounts[0].name: Not found: "ca"'
    )


def test_a_watch_tells_every_change_after_its_version(api: Api, namespace: str) -> None:
    version = api.list("configmaps", namespace)["metadata"]["resourceVersion"]
    seen: list[tuple[str, str]] = []

    def follow() -> None:
        for event in api.watch("configmaps", namespace, resource_version=version, seconds=20, labelSelector="of=us"):
            seen.append((event["type"], event["object"]["metadata"]["name"]))
            if event["type"] == "DELETED" and event["object"]["metadata"]["name"] == "b":
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    for name in ("a", "b"):
        api.create("configmaps", {"metadata": {"name": name, "labels": {"of": "us"}}}, namespace)
    api.create("configmaps", {"metadata": {"name": "not-ours"}}, namespace)
    api.patch("configmaps", "a", {"data": {"k": "v"}}, namespace)
    api.patch("configmaps", "a", {"metadata": {"labels": {"of": None}}}, namespace)  # leaves the selection
    api.delete("configmaps", "b", namespace)
    thread.join(timeout=15)
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a"), ("DELETED", "b")]


def test_a_deletion_of_another_object_of_that_name_is_refused(api: Api, namespace: str) -> None:
    api.create("configmaps", config(), namespace)
    refused = refusal(lambda: api.delete("configmaps", "settings", namespace, uid="0-0-0"))
    assert (refused.code, refused.reason) == (409, "Conflict")
    assert api.delete("configmaps", "settings", namespace)["status"] == "Success"


def test_a_bound_pod_is_terminating_until_its_node_removes_it(api: Api, namespace: str) -> None:
    spec = {"containers": [{"name": "main", "image": "web:1"}]}
    pod = api.create("pods", {"metadata": {"name": "p"}, "spec": spec}, namespace)
    bind(api, pod)
    assert api.get("pods", "p", namespace)["spec"]["nodeName"] == "some-node"
    assert refusal(lambda: bind(api, pod)).code == 409
    api.delete("pods", "p", namespace, grace_seconds=7)
    leaving = api.get("pods", "p", namespace)["metadata"]
    assert leaving["deletionGracePeriodSeconds"] == 7
    assert leaving["deletionTimestamp"]
    api.delete("pods", "p", namespace, grace_seconds=0, uid=pod["metadata"]["uid"])
    assert api.find("pods", "p", namespace) is None
    api.create("pods", {"metadata": {"name": "q"}, "spec": spec}, namespace)
    api.delete("pods", "q", namespace)  # never bound: nobody has to end it
    assert api.find("pods", "q", namespace) is None


def test_a_lease_is_updated_only_with_its_version(api: Api, namespace: str) -> None:
    made = api.create("leases", {"metadata": {"name": "repair"}, "spec": {"holderIdentity": "one"}}, namespace)
    taken = {**made, "spec": {"holderIdentity": "two", "renewTime": "2026-01-12T12:00:00.000000Z"}}
    stored = api.update("leases", taken)
    assert stored["spec"]["renewTime"] == "2026-01-12T12:00:00.000000Z"
    assert refusal(lambda: api.update("leases", taken)).reason == "Conflict"
    del taken["metadata"]["resourceVersion"]
    assert "must be specified for an update" in refusal(lambda: api.update("leases", taken)).status["message"]


def test_a_deleted_namespace_takes_its_content_with_it(api: Api, namespace: str) -> None:
    api.create("configmaps", config(), namespace)
    api.create("deployments", deployment(), namespace)
    api.delete("namespaces", namespace)
    eventually(lambda: api.find("namespaces", namespace) is None)
    assert api.list("deployments")["items"] == [] or api.find("deployments", "web", namespace) is None


def test_the_official_client_works_unchanged(cluster: Cluster, namespace: str) -> None:
    from kubernetes import client as official
    from kubernetes import config as official_config
    from kubernetes.dynamic import DynamicClient

    loaded: Any = official.Configuration()
    official_config.load_kube_config(str(cluster.kubeconfigs["admin"]), client_configuration=loaded)
    dynamic = DynamicClient(official.ApiClient(loaded))
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    made = deployments.create(body={"apiVersion": "apps/v1", "kind": "Deployment", **deployment()}, namespace=namespace)
    assert made.spec.replicas == 1
    assert deployments.get(name="web", namespace=namespace).metadata.uid == made.metadata.uid
    with pytest.raises(official.ApiException) as missing:
        deployments.get(name="nope", namespace=namespace)
    assert missing.value.status == 404
