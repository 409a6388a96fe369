# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles that lack a verb, policies that refuse a change, quotas that hold it up: named, and never half applied."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import k8s_deployment_env as work

from lab.cluster.access import account_name
from lab.cluster.api import ApiError
from tests.integration_lab.kube.conftest import NAME, NAMESPACE, World, acting, item
from tests.integration_lab.kube.interposed import CONTAINER, NO_ADDRESS, repaired, tampered
from tests.lab.kubernetes_world import eventually

pytestmark = pytest.mark.lab


# -- who may not, and what the cluster's own policies say ------------------------
@contextlib.contextmanager
def without(world: World, verb: str, resource: str) -> Iterator[None]:
    """The repair's Role without one verb, for a while."""
    name = account_name("repair")
    role = world.api.get("roles", name, NAMESPACE)
    fewer = [
        {**rule, "verbs": [one for one in rule["verbs"] if not (one == verb and resource in rule["resources"])]}
        for rule in role["rules"]
    ]
    kept = [rule for rule in fewer if rule["verbs"]]
    world.api.patch("roles", name, {"rules": kept}, NAMESPACE)
    client = world.client()
    eventually(lambda: not fresh(client).may(verb, GROUPS.get(resource, ""), resource, NAMESPACE, NAMED.get(resource)))
    try:
        yield
    finally:
        world.api.patch("roles", name, {"rules": role["rules"]}, NAMESPACE)
        eventually(lambda: fresh(client).may(verb, GROUPS.get(resource, ""), resource, NAMESPACE, NAMED.get(resource)))


GROUPS = {"deployments": "apps"}
NAMED = {"deployments": NAME, "configmaps": "vault-ca"}


def fresh(client: KubeClient) -> KubeClient:
    """The same without what it remembers."""
    return KubeClient(client._access, timeout=client.timeout)


@pytest.mark.parametrize(
    ("verb", "resource", "missing"),
    [
        ("patch", "deployments", f"patch deployments.apps {NAMESPACE}/{NAME}"),
        ("patch", "configmaps", f"patch configmaps {NAMESPACE}/vault-ca"),
        ("create", "configmaps", f"create configmaps {NAMESPACE}/vault-ca"),
    ],
)
def test_a_missing_permission_is_named_beforehand_and_nothing_is_half_applied(
    world: World, verb: str, resource: str, missing: str
) -> None:
    world.change(NO_ADDRESS)
    if verb == "create":
        world.api.delete("configmaps", "vault-ca", NAMESPACE)
    else:
        tampered(world)
    before = (world.deployment()["spec"], world.api.find("configmaps", "vault-ca", NAMESPACE))
    with without(world, verb, resource):
        predicted = world.check()
        assert predicted.facts["missing_permissions"] == [missing]
        with pytest.raises(work.NotAppliedError, match="nothing was written") as caught:
            world.repair()
    assert missing in str(caught.value)
    assert caught.value.outcome.facts["missing_permissions"] == [missing]
    assert not caught.value.outcome.changed
    assert (world.deployment()["spec"], world.api.find("configmaps", "vault-ca", NAMESPACE)) == before


def test_without_the_right_to_list_pods_the_age_of_pods_is_unknown_and_not_green(world: World) -> None:
    tampered(world)
    world.api.patch("configmaps", "vault-ca", {"data": {"ca.crt": world.vault.ca_pem}}, NAMESPACE)
    assert acting(world.check()) == {"restart"}
    with without(world, "list", "pods"):
        found = item(world.check(), "restart")
        assert (found.status, found.hint) == ("unknown", "Allow list on pods.")
        assert "may not list it" in found.reason


POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "no-plain-addresses"},
    "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}
            ]
        },
        "validations": [
            {
                "expression": "!object.spec.template.spec.containers.exists(c, has(c.env) && "
                "c.env.exists(e, e.name == 'VAULT_ADDR'))",
                "message": "addresses belong into the mesh",
            }
        ],
    },
}
BINDING = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "no-plain-addresses"},
    "spec": {"policyName": "no-plain-addresses", "validationActions": ["Deny"]},
}
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture
def policy(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A policy that is against VAULT_ADDR: a real one where there is a real API server, else in its words."""
    world.change(NO_ADDRESS)
    if world.cluster.kind != "kube-apiserver":
        monkeypatch.setattr(KubeClient, "_send", refusing(KubeClient._send))
        yield world
        return
    world.api.request("POST", f"{ADMISSION}/validatingadmissionpolicies", body=POLICY)
    world.api.request("POST", f"{ADMISSION}/validatingadmissionpolicybindings", body=BINDING)
    entry = {"op": "add", "path": f"{CONTAINER}/env/0", "value": {"name": "VAULT_ADDR", "value": "x"}}

    def heeded() -> bool:
        try:
            world.api.patch("deployments", NAME, [entry], NAMESPACE, kind="json", dryRun="All")
        except ApiError:
            return True
        return False

    eventually(heeded)  # the server takes a moment to heed it, and to forget it
    yield world
    world.api.request("DELETE", f"{ADMISSION}/validatingadmissionpolicybindings/no-plain-addresses")
    world.api.request("DELETE", f"{ADMISSION}/validatingadmissionpolicies/no-plain-addresses")
    eventually(lambda: not heeded())


def refusing(send: Callable[..., Any]) -> Callable[..., Any]:
    """The client's ``_send``, answered as a kube-apiserver 1.36 with that policy does."""
    words = (
        f"deployments.apps \"{NAME}\" is forbidden: ValidatingAdmissionPolicy 'no-plain-addresses' with binding "
        "'no-plain-addresses' denied request: addresses belong into the mesh"
    )

    def answer(client: KubeClient, method: str, path: str, **options: Any) -> Any:
        if method == "PATCH" and "/deployments/" in path:
            return 422, {"kind": "Status", "code": 422, "reason": "Invalid", "message": words}
        return send(client, method, path, **options)

    return answer


def test_a_policy_of_the_cluster_is_told_beforehand_in_its_own_words(policy: World) -> None:
    predicted = policy.check()
    found = item(predicted, "env/VAULT_ADDR")
    assert (found.status, found.action) == ("blocked", "none")
    assert "ValidatingAdmissionPolicy 'no-plain-addresses'" in found.reason
    assert "addresses belong into the mesh" in found.reason
    assert predicted.facts["repair_allowed"] is True  # RBAC would let it
    assert not predicted.changed


@pytest.mark.parametrize("config_map_too", [True, False])
def test_a_policy_that_refuses_the_deployment_leaves_no_config_map_behind(policy: World, config_map_too: bool) -> None:
    if config_map_too:
        tampered(policy)
    before = policy.api.get("configmaps", "vault-ca", NAMESPACE)
    with pytest.raises(work.NotAppliedError, match=r"nothing was written.*addresses belong into the mesh") as caught:
        policy.repair()
    assert policy.api.get("configmaps", "vault-ca", NAMESPACE) == before
    outcome = caught.value.outcome
    assert not outcome.changed
    assert item(outcome.remaining or (), "env/VAULT_ADDR").status == "blocked"


# -- quota -------------------------------------------------------------------------
@contextlib.contextmanager
def quota(world: World, used: int, hard: int) -> Iterator[None]:
    """A quota of pods. The lab runs no quota controller, so what is used is what is written here."""
    path = f"/api/v1/namespaces/{NAMESPACE}/resourcequotas"
    body = {"metadata": {"name": "pods"}, "spec": {"hard": {"pods": str(hard)}}}
    world.api.request("POST", path, body={"apiVersion": "v1", "kind": "ResourceQuota", **body})
    status = {"hard": {"pods": str(hard)}, "used": {"pods": str(used)}}
    world.api.request(
        "PATCH", f"{path}/pods/status", body={"status": status}, content_type="application/merge-patch+json"
    )
    try:
        yield
    finally:
        world.api.request("DELETE", f"{path}/pods")


def test_a_quota_that_lets_no_new_pod_in_ends_the_wait_with_its_own_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wait.REPLICA_FAILURE_PATIENCE", 1.0
    )
    world.change(NO_ADDRESS)
    with quota(world, used=1, hard=1), pytest.raises(work.RolloutFailedError, match="exceeded quota") as caught:
        world.repair()
    assert item(caught.value.outcome.remaining or (), "rollout").status == "error"


def test_a_quota_that_lets_the_new_pod_in_later_is_waited_out(world: World) -> None:
    world.change(NO_ADDRESS)
    began = time.monotonic()
    with contextlib.ExitStack() as held:
        held.enter_context(quota(world, used=1, hard=1))

        def freed() -> None:
            if time.monotonic() - began > 1.5:
                held.close()

        client = Freed(world, freed)
        done = repaired(world, client)
    assert item(done.remaining or (), "rollout").status == "in_sync"
    assert client.failing, "the controller had reported the failure meanwhile"


class Freed(KubeClient):
    """Lets the quota go while we wait, and notes whether the failure was seen before."""

    def __init__(self, world: World, freed: Callable[[], None]) -> None:
        inner = world.client()
        super().__init__(inner._access, timeout=inner.timeout)
        self.freed, self.failing = freed, False

    def get(self, path: str) -> dict[str, Any] | None:
        found = super().get(path)
        conditions = ((found or {}).get("status") or {}).get("conditions") or ()
        if any(one["type"] == "ReplicaFailure" and one["status"] == "True" for one in conditions):
            self.failing = True
            self.freed()
        return found
