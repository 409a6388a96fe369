# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection asks of a Kubernetes API: every verb on every kind it uses. Runs on both kinds of server."""

from __future__ import annotations

import http.client
import json
import ssl
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab.cluster import Api, ApiError, Cluster, kubeconfig
from lab.cluster.access import rule
from tests.lab import kubernetes_world as world
from tests.lab.kubernetes_world import deployment, eventually
from tests.lab.test_kubernetes_access import account, refusal

cluster, api, namespace = world.cluster, world.api, world.namespace
pytestmark = pytest.mark.lab

Object = dict[str, Any]
LEASES = "coordination.k8s.io"
NOW = "2026-01-12T12:00:00.000000Z"

BODIES: dict[str, Object] = {
    "secrets": {"data": {"a": "MQ=="}},
    "configmaps": {"data": {"a": "1"}},
    "leases": {"spec": {"holderIdentity": "one", "leaseDurationSeconds": 60, "renewTime": NOW}},
    "deployments": {"spec": deployment(replicas=0)["spec"]},
}
CHANGES: dict[str, Object] = {
    "secrets": {"data": {"a": "Mg=="}},
    "configmaps": {"data": {"a": "2"}},
    "leases": {"spec": {"holderIdentity": "two"}},
    "deployments": {"spec": {"paused": True}},
}


def body(resource: str, name: str = "web") -> Object:
    return {"metadata": {"name": name}, **json.loads(json.dumps(BODIES[resource]))}


# -- the same verbs on every kind ---------------------------------------------
@pytest.mark.parametrize("resource", BODIES)
def test_an_object_is_made_read_changed_and_replaced(api: Api, namespace: str, resource: str) -> None:
    made = api.create(resource, body(resource), namespace, fieldManager="ours")
    assert api.get(resource, "web", namespace)["metadata"]["uid"] == made["metadata"]["uid"]
    merged = api.patch(resource, "web", CHANGES[resource], namespace, kind="merge")
    assert merged["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
    same = [{"op": "test", "path": "/metadata/uid", "value": made["metadata"]["uid"]}]
    mark = {"op": "add", "path": "/metadata/annotations", "value": {"k": "v"}}
    if resource == "deployments":
        mark = {"op": "add", "path": "/metadata/labels", "value": {"k": "v"}}
    assert api.patch(resource, "web", [*same, mark], namespace, kind="json")
    other = [{"op": "test", "path": "/metadata/uid", "value": "another"}, mark]
    assert refusal(lambda: api.patch(resource, "web", other, namespace, kind="json")).code == 422
    lost = refusal(lambda: api.update(resource, made))
    assert (lost.code, lost.reason) == (409, "Conflict")

    def replaced() -> Object | None:
        try:
            return api.update(resource, api.get(resource, "web", namespace))
        except ApiError as error:  # the Deployment's controller writes its status meanwhile
            assert error.reason == "Conflict"
            return None

    assert eventually(replaced)["metadata"]["uid"] == made["metadata"]["uid"]


@pytest.mark.parametrize("resource", BODIES)
def test_a_dry_run_of_every_write_stores_nothing_and_refuses_alike(api: Api, namespace: str, resource: str) -> None:
    assert api.create(resource, body(resource), namespace, dryRun="All")["metadata"]["name"] == "web"
    assert api.find(resource, "web", namespace) is None
    made = api.create(resource, body(resource), namespace)
    twice = refusal(lambda: api.create(resource, body(resource), namespace, dryRun="All"))
    assert (twice.code, twice.reason) == (409, "AlreadyExists")

    def stored() -> Object:
        found = api.get(resource, "web", namespace)
        return {key: found.get(key) for key in ("data", "spec")} | {"uid": found["metadata"]["uid"]}

    before = stored()
    kept = {"metadata": {"annotations": {"k": "v"}}}
    assert api.patch(resource, "web", kept, namespace, dryRun="All")["metadata"]["annotations"]["k"] == "v"
    assert stored() == before
    version = [{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]
    assert refusal(lambda: api.patch(resource, "web", version, namespace, kind="json", dryRun="All")).code == 422
    assert made["metadata"]["uid"] == before["uid"]
    wrong = refusal(lambda: api.create(resource, body(resource, "Not_A_Name"), namespace, dryRun="All"))
    assert (wrong.code, wrong.reason) == (422, "Invalid")
    nowhere = refusal(lambda: api.create(resource, body(resource), "no-such-namespace", dryRun="All"))
    assert nowhere.status["message"] == 'namespaces "no-such-namespace" not found'


def test_an_update_by_dry_run_is_checked_against_its_version(api: Api, namespace: str) -> None:
    made = api.create("leases", body("leases"), namespace)
    assert api.update("leases", {**made, "spec": {"holderIdentity": "two"}}, dryRun="All")["spec"] == {
        "holderIdentity": "two"
    }
    assert api.get("leases", "web", namespace)["spec"]["holderIdentity"] == "one"
    api.patch("leases", "web", CHANGES["leases"], namespace)
    assert refusal(lambda: api.update("leases", made, dryRun="All")).reason == "Conflict"


# -- leases -------------------------------------------------------------------
def test_a_lease_without_a_holder_is_kept_and_a_duration_of_nothing_is_refused(api: Api, namespace: str) -> None:
    made = api.create("leases", body("leases"), namespace)
    free = {**made, "spec": {**made["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}}
    stored = api.update("leases", free)
    assert not stored["spec"].get("holderIdentity")
    for field, value, words in (
        ("leaseDurationSeconds", 0, "must be greater than 0"),
        ("leaseTransitions", -1, "must be greater than or equal to 0"),
    ):
        wrong = refusal(lambda f=field, v=value: api.patch("leases", "web", {"spec": {f: v}}, namespace))
        assert (wrong.code, wrong.reason) == (422, "Invalid")
        assert f"spec.{field}: Invalid value: {value}: {words}" in wrong.status["message"]
        assert wrong.status["details"]["causes"][0]["field"] == f"spec.{field}"


def test_every_answer_says_the_servers_time(cluster: Cluster, namespace: str) -> None:
    access = kubeconfig.read(cluster.kubeconfigs["admin"])
    place = urlsplit(access.server)
    context = ssl.create_default_context(cadata=access.ca_pem)
    connection = http.client.HTTPSConnection(place.hostname or "", place.port, context=context, timeout=10)
    for path, code in ((f"/api/v1/namespaces/{namespace}", 200), (f"/api/v1/namespaces/{namespace}-not", 404)):
        connection.request("GET", path, headers={"Authorization": f"Bearer {access.token}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == code
        assert parsedate_to_datetime(answer.headers["Date"]).tzinfo is not None
    connection.close()


# -- who may ------------------------------------------------------------------
ASKED = [
    ("get", "", "secrets", "web"),
    ("patch", "", "secrets", "web"),
    ("create", "", "secrets", ""),
    ("patch", "", "configmaps", "web"),
    ("create", "", "configmaps", ""),
    ("get", "", "serviceaccounts", "web"),
    ("list", "", "pods", ""),
    ("get", "apps", "deployments", "web"),
    ("patch", "apps", "deployments", "web"),
    ("get", LEASES, "leases", "web"),
    ("update", LEASES, "leases", "web"),
    ("create", LEASES, "leases", ""),
]


@pytest.mark.parametrize("asked", ASKED, ids=lambda one: f"{one[0]}-{one[2]}")
def test_a_review_answers_for_each_verb_what_the_server_would_do(
    cluster: Cluster, api: Api, namespace: str, asked: tuple[str, str, str, str]
) -> None:
    verb, group, resource, name = asked
    worker = account(cluster, api, namespace, rule(group, [resource], [verb], [name] if name else []))
    for one in ASKED:
        allowed = worker.can(one[0], one[2], namespace, name=one[3], group=one[1])
        assert allowed is (one == (verb, group, resource, name)), one
    assert not worker.can(verb, resource, "default", name=name, group=group)
    if name:
        assert not worker.can(verb, resource, namespace, name="another", group=group)


def test_a_service_account_is_read_by_name(cluster: Cluster, api: Api, namespace: str) -> None:
    worker = account(cluster, api, namespace, rule("", ["serviceaccounts"], ["get"], ["worker", "nobody"]))
    assert worker.get("serviceaccounts", "worker", namespace)["metadata"]["name"] == "worker"
    assert worker.find("serviceaccounts", "nobody", namespace) is None
    assert refusal(lambda: worker.get("serviceaccounts", "default", namespace)).code == 403


# -- acting as somebody else ----------------------------------------------------
def acting(cluster: Cluster, user: str, group: str | None = None, token: str | None = None) -> Api:
    access = kubeconfig.read(cluster.kubeconfigs["admin"])
    if token is not None:
        access = kubeconfig.Access(access.server, access.ca_pem, token)
    headers = {"Impersonate-User": user, **({"Impersonate-Group": group} if group else {})}
    return Api(access, headers=headers)


def test_an_impersonated_user_has_its_own_rights_and_no_others(cluster: Cluster, api: Api, namespace: str) -> None:
    denied = refusal(lambda: acting(cluster, "jane").list("configmaps", namespace))
    assert denied.code == 403
    assert 'User "jane" cannot list resource "configmaps"' in denied.status["message"]
    api.create("roles", {"metadata": {"name": "r"}, "rules": [rule("", ["configmaps"], ["list"])]}, namespace)
    api.create(
        "rolebindings",
        {
            "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"},
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "readers"},
                {"kind": "ServiceAccount", "namespace": namespace, "name": "reader"},
            ],
        },
        namespace,
    )
    reader = f"system:serviceaccount:{namespace}:reader"
    for one in (acting(cluster, "jane"), acting(cluster, "joe", "readers"), acting(cluster, reader)):
        assert eventually(lambda one=one: one.can("list", "configmaps", namespace))
        assert one.list("configmaps", namespace)["items"] is not None
        assert not one.can("create", "configmaps", namespace)
    assert not acting(cluster, "joe").can("list", "configmaps", namespace)
    assert acting(cluster, "joe", "system:masters").can("delete", "secrets", namespace)


def test_impersonating_is_a_right_of_its_own(cluster: Cluster, api: Api, namespace: str) -> None:
    worker = account(cluster, api, namespace, rule("", ["configmaps"], ["list"]))
    token = kubeconfig_token(worker)
    refused = refusal(lambda: acting(cluster, "jane", token=token).list("configmaps", namespace))
    assert refused.code == 403
    assert f'User "system:serviceaccount:{namespace}:worker" cannot impersonate' in refused.status["message"]
    name = f"{namespace}-impersonator"
    api.create("clusterroles", {"metadata": {"name": name}, "rules": [rule("", ["users"], ["impersonate"], ["jane"])]})
    api.create(
        "clusterrolebindings",
        {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": "worker"}],
        },
    )

    def as_jane() -> bool:
        denied = refusal(lambda: acting(cluster, "jane", token=token).list("configmaps", namespace))
        return 'User "jane" cannot list' in denied.status["message"]

    assert eventually(as_jane)  # the rights are jane's now, who has none
    joe = refusal(lambda: acting(cluster, "joe", token=token).list("configmaps", namespace))
    assert "cannot impersonate" in joe.status["message"]
    grouped = refusal(lambda: acting(cluster, "jane", "system:masters", token=token).list("configmaps", namespace))
    assert "cannot impersonate" in grouped.status["message"]


def test_the_log_names_who_asked_and_as_whom(cluster: Cluster, namespace: str) -> None:
    acting(cluster, "jane", "system:masters").list("configmaps", namespace)
    assert cluster.audit_log is not None
    log = cluster.audit_log

    def entry() -> Object | None:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        mine = [one for one in lines if (one.get("objectRef") or {}).get("namespace") == namespace]
        return next((one for one in mine if one.get("impersonatedUser", {}).get("username") == "jane"), None)

    found = eventually(entry)
    assert found["user"]["username"] != "jane"
    assert "system:masters" in found["impersonatedUser"]["groups"]


def kubeconfig_token(caller: Api) -> str:
    token = caller._access.token
    assert token is not None
    return token
