# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab expects of a Kubernetes API: who may do what, who did what, who owns which field. Both kinds."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from lab.cluster import Api, ApiError, Cluster, kubeconfig
from lab.cluster.access import rule
from tests.lab import kubernetes_world as world
from tests.lab.kubernetes_world import deployment, eventually, set_env

cluster, api, namespace = world.cluster, world.api, world.namespace
pytestmark = pytest.mark.lab

Object = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"


def account(cluster: Cluster, api: Api, namespace: str, *rules: Object) -> Api:
    """A client of a new service account that may do exactly that in the namespace."""
    api.create("serviceaccounts", {"metadata": {"name": "worker"}}, namespace)
    api.create("roles", {"metadata": {"name": "worker"}, "rules": list(rules)}, namespace)
    api.create(
        "rolebindings",
        {
            "metadata": {"name": "worker"},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "worker"},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": "worker"}],
        },
        namespace,
    )
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    answer = api.create("serviceaccounts", request, namespace, name="worker", subresource="token")
    return Api(_access(cluster, answer["status"]["token"]), user_agent="worker-agent/1.0")


def _access(cluster: Cluster, token: str | None) -> kubeconfig.Access:
    return dataclasses.replace(kubeconfig.read(cluster.kubeconfigs["admin"]), token=token)


def refusal(call: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value


def test_a_wrong_token_is_unauthorized_and_none_is_anonymous(cluster: Cluster, namespace: str) -> None:
    wrong = refusal(lambda: Api(_access(cluster, "not-a-token")).list("configmaps", namespace))
    assert (wrong.code, wrong.status["message"]) == (401, "Unauthorized")
    nobody = refusal(lambda: Api(_access(cluster, None)).list("configmaps", namespace))
    assert nobody.code == 403
    assert 'User "system:anonymous" cannot list resource "configmaps"' in nobody.status["message"]


def test_a_role_allows_what_it_names_and_nothing_else(cluster: Cluster, api: Api, namespace: str) -> None:
    for name in ("mine", "other"):
        api.create("secrets", {"metadata": {"name": name}}, namespace)
    worker = account(cluster, api, namespace, rule("", ["secrets"], ["get", "patch", "list"], ["mine"]))
    who = f'User "system:serviceaccount:{namespace}:worker"'
    assert worker.get("secrets", "mine", namespace)
    worker.patch("secrets", "mine", {"stringData": {"a": "b"}}, namespace)
    other = refusal(lambda: worker.get("secrets", "other", namespace))
    assert (other.code, other.reason) == (403, "Forbidden")
    assert other.status["message"] == (
        f'secrets "other" is forbidden: {who} cannot get resource "secrets" in API '
        f'group "" in the namespace "{namespace}"'
    )
    listing = refusal(lambda: worker.list("secrets", namespace))
    assert listing.status["message"].startswith(f"secrets is forbidden: {who} cannot list")
    only = worker.list("secrets", namespace, fieldSelector="metadata.name=mine")["items"]
    assert [item["metadata"]["name"] for item in only] == ["mine"]
    assert refusal(lambda: worker.create("secrets", {"metadata": {"name": "new"}}, namespace)).code == 403
    assert refusal(lambda: worker.get("secrets", "mine", "default")).code == 403


def test_a_dry_run_needs_the_permission_of_the_real_thing(cluster: Cluster, api: Api, namespace: str) -> None:
    api.create("deployments", deployment(), namespace)
    worker = account(cluster, api, namespace, rule("apps", ["deployments"], ["get"]))
    refused = refusal(lambda: worker.patch("deployments", "web", {}, namespace, dryRun="All"))
    assert refused.status["message"] == (
        f'deployments.apps "web" is forbidden: User "system:serviceaccount:{namespace}:worker" cannot patch resource '
        f'"deployments" in API group "apps" in the namespace "{namespace}"'
    )


def test_a_subresource_is_a_permission_of_its_own(cluster: Cluster, api: Api, namespace: str) -> None:
    api.create("deployments", deployment(), namespace)
    worker = account(cluster, api, namespace, rule("apps", ["deployments"], ["patch"]))
    refused = refusal(lambda: worker.patch("deployments", "web", {}, namespace, subresource="status"))
    assert 'cannot patch resource "deployments/status"' in refused.status["message"]


def test_everybody_may_ask_what_they_may_do(cluster: Cluster, api: Api, namespace: str) -> None:
    worker = account(cluster, api, namespace, rule("apps", ["deployments"], ["get"], ["web"]))
    assert worker.can("get", "deployments", namespace, name="web", group="apps")
    assert not worker.can("get", "deployments", namespace, name="other", group="apps")
    assert not worker.can("patch", "deployments", namespace, name="web", group="apps")
    assert not worker.can("get", "deployments", "default", name="web", group="apps")
    assert api.can("delete", "secrets", namespace)


def test_a_cluster_role_can_be_bound_in_one_namespace(cluster: Cluster, api: Api, namespace: str) -> None:
    worker = account(cluster, api, namespace)
    api.create(
        "clusterroles", {"metadata": {"name": f"{namespace}-reader"}, "rules": [rule("", ["configmaps"], ["list"])]}
    )
    assert refusal(lambda: worker.list("configmaps", namespace)).code == 403
    api.create(
        "rolebindings",
        {
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": f"{namespace}-reader"},
            "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": f"system:serviceaccounts:{namespace}"}],
        },
        namespace,
    )
    assert eventually(lambda: worker.can("list", "configmaps", namespace))
    assert not worker.can("list", "configmaps", "default")


def test_the_token_of_a_missing_account_is_not_issued(api: Api, namespace: str) -> None:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    missing = refusal(lambda: api.create("serviceaccounts", request, namespace, name="nobody", subresource="token"))
    assert missing.status["message"] == 'serviceaccounts "nobody" not found'


def test_the_log_names_user_verb_object_and_dry_run_and_holds_no_body(
    cluster: Cluster, api: Api, namespace: str
) -> None:
    rules = rule("", ["secrets"], ["create", "get", "patch"])
    worker = account(cluster, api, namespace, rules)
    canary = "CANARY-in-a-body"
    worker.create("secrets", {"metadata": {"name": "s"}, "stringData": {"k": canary}}, namespace)
    worker.get("secrets", "s", namespace)
    worker.patch("secrets", "s", {"stringData": {"k": canary}}, namespace, dryRun="All")
    refusal(lambda: worker.delete("secrets", "s", namespace))
    assert cluster.audit_log is not None
    log = cluster.audit_log

    def entries() -> list[Object]:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return [line for line in lines if line["user"].get("username") == f"system:serviceaccount:{namespace}:worker"]

    seen = eventually(lambda: found if len(found := entries()) >= 4 else [])
    assert [(entry["verb"], entry["responseStatus"]["code"]) for entry in seen] == [
        ("create", 201),
        ("get", 200),
        ("patch", 200),
        ("delete", 403),
    ]
    assert {(entry["objectRef"]["resource"], entry["objectRef"]["namespace"]) for entry in seen} == {
        ("secrets", namespace)
    }
    assert [entry["objectRef"].get("name") for entry in seen[1:]] == ["s", "s", "s"]
    assert "dryRun=All" in seen[2]["requestURI"]
    assert {(entry["level"], entry["stage"], entry["userAgent"]) for entry in seen} == {
        ("Metadata", "ResponseComplete", "worker-agent/1.0")
    }
    assert canary not in log.read_text()


def owners(item: Object, *path: str) -> set[str]:
    """The managers whose fieldsV1 reach that path."""
    found = set()
    for entry in item["metadata"]["managedFields"]:
        place: Any = entry["fieldsV1"]
        for element in path:
            place = place.get(element) if isinstance(place, dict) else None
        if place is not None:
            found.add(entry["manager"])
    return found


def variable(name: str) -> list[str]:
    return [
        "f:spec",
        "f:template",
        "f:spec",
        "f:containers",
        'k:{"name":"main"}',
        "f:env",
        f'k:{{"name":"{name}"}}',
        "f:value",
    ]


def test_the_owner_of_a_variable_is_who_wrote_it_last(api: Api, namespace: str) -> None:
    api.create("deployments", deployment(), namespace, fieldManager="helm")
    container = {"name": "main", "env": [{"name": "ADDED", "value": "1"}]}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    added = api.patch("deployments", "web", body, namespace, kind="strategic", fieldManager="repair")
    assert owners(added, *variable("ADDED")) == {"repair"}
    assert owners(added, *variable("FIRST")) == {"helm"}
    taken = set_env(api, namespace, "FIRST", "2")
    assert owners(taken, *variable("FIRST")) == {"keybuzz-lab"}  # from the User-Agent, where no manager is named
    assert owners(taken, *variable("ADDED")) == {"repair"}
    gone = api.patch(
        "deployments",
        "web",
        [{"op": "remove", "path": "/spec/template/spec/containers/0/env/0"}],
        namespace,
        kind="json",
        fieldManager="remover",
    )
    assert owners(gone, *variable("ADDED")) == set()


def test_the_owner_of_a_key_is_who_wrote_it(api: Api, namespace: str) -> None:
    api.create("configmaps", {"metadata": {"name": "c"}, "data": {"a": "1", "b": "1"}}, namespace, fieldManager="one")
    changed = api.patch("configmaps", "c", {"data": {"b": "2", "d": "3"}}, namespace, fieldManager="two")
    found = {key: owners(changed, "f:data", f"f:{key}") for key in "abd"}
    assert found == {"a": {"one"}, "b": {"two"}, "d": {"two"}}
    entry = next(entry for entry in changed["metadata"]["managedFields"] if entry["manager"] == "two")
    assert (entry["operation"], entry["apiVersion"], entry["fieldsType"]) == ("Update", "v1", "FieldsV1")
    assert entry["time"].endswith("Z")


def test_a_controller_owns_the_status_as_a_subresource(api: Api, namespace: str) -> None:
    api.create("deployments", deployment(), namespace)

    def entry() -> Object | None:
        fields = api.get("deployments", "web", namespace)["metadata"]["managedFields"]
        return next((one for one in fields if one.get("subresource") == "status"), None)

    assert eventually(entry)["manager"] == "kube-controller-manager"
