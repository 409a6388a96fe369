# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that logs in itself: auth method, role and service account checked, repaired, and proven by a login."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

from .conftest import Cluster, Server
from .token_world import ACCESSOR, API, KEY, NAMESPACE, POLICY, SECRET, World, item

ACCOUNT = "keybuzz-backend"
AUTH, ROLE, SERVICE_ACCOUNT = (
    f"vault_token/{part}" for part in ("kubernetes_auth", "kubernetes_role", "service_account")
)
MOUNT = "kubernetes"
OPTIONS: dict[str, Any] = {
    "auth_mode": "kubernetes",
    "service_account": ACCOUNT,
    "kubernetes_auth_mount": MOUNT,
    "kubernetes_audience": "vault",
}


class Logins(World):
    """Runs with the rights to read and write login roles, which the lab's operators lack."""

    def look(self, **options: Any) -> Outcome:
        return self.check(servers=self._servers(), **{**OPTIONS, **options})

    def repair(self, **options: Any) -> Outcome:
        return self.run(servers=self._servers(bootstrap=True), **{**OPTIONS, **options})

    def _servers(self, *, bootstrap: bool = False) -> Any:
        servers = self.servers(kube="admin", bootstrap=bootstrap)
        root = self.server.root()
        text = root.sys.read_policy("keybuzz-repair")["data"]["rules"]
        more = "".join(f'path "auth/{MOUNT}/{path}" {{ capabilities = ["read"] }}\n' for path in ("config", "role/*"))
        root.sys.create_or_update_policy("logins", text + more)
        made = self.server.make_token(policies=["logins"], ttl="1h", no_default_policy=True)
        vault = servers.vault.acting_as(made["client_token"])
        if not bootstrap:
            return replace(servers, vault=vault)
        text = root.sys.read_policy("keybuzz-bootstrap")["data"]["rules"]
        more = f'path "auth/{MOUNT}/role/*" {{ capabilities = ["create", "update"] }}\n'
        root.sys.create_or_update_policy("logins-bootstrap", text + more)
        made = self.server.make_token(policies=["logins-bootstrap"], ttl="1h")
        return replace(servers, vault=vault, bootstrap=servers.vault.acting_as(made["client_token"]))

    def role(self) -> dict[str, Any]:
        return dict(self.server.root().adapter.get(f"/v1/auth/{MOUNT}/role/{POLICY}")["data"])

    def configure(self) -> None:
        """Tell the auth method of the cluster, with a reviewer of its own."""
        running, api = self.kubernetes.running, self.kubernetes.api
        api.ensure(
            "serviceaccounts",
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": NAMESPACE, "name": "reviewer"}},
        )
        group = "rbac.authorization.k8s.io"
        api.ensure(
            "clusterrolebindings",
            {
                "apiVersion": f"{group}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "keybuzz-reviewer"},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:auth-delegator"},
                "subjects": [{"kind": "ServiceAccount", "namespace": NAMESPACE, "name": "reviewer"}],
            },
        )
        self.server.root().adapter.post(
            f"/v1/auth/{MOUNT}/config",
            json={
                "kubernetes_host": running.server,
                "kubernetes_ca_cert": running.ca_file.read_text(),
                "token_reviewer_jwt": self.account_token("reviewer"),
                "disable_local_ca_jwt": True,
            },
        )

    def account_token(self, account: str, *audiences: str) -> str:
        spec: dict[str, Any] = {"expirationSeconds": 600, **({"audiences": list(audiences)} if audiences else {})}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self.kubernetes.api.create("serviceaccounts", request, NAMESPACE, name=account, subresource="token")
        return str(answer["status"]["token"])

    def login(self, jwt: str) -> requests.Response:
        return requests.post(
            f"{self.server.vault.addr}/v1/auth/{MOUNT}/login",
            json={"role": POLICY, "jwt": jwt},
            verify=str(self.server.vault.ca_file),
            timeout=10,
        )

    def make_account(self) -> None:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": NAMESPACE, "name": ACCOUNT}}
        self.kubernetes.api.ensure("serviceaccounts", account)


@pytest.fixture
def world(server: Server, kubernetes: Cluster) -> Iterator[Logins]:
    """Nothing is set up yet: no auth method, no service account."""
    kubernetes.put(API, SECRET, {KEY: server.token("root")})
    made = Logins(server, kubernetes)
    made.put("")
    yield made
    server.root().adapter.delete(f"/v1/sys/auth/{MOUNT}")
    if kubernetes.api.find("serviceaccounts", ACCOUNT, NAMESPACE):
        kubernetes.api.delete("serviceaccounts", ACCOUNT, NAMESPACE)


@pytest.fixture
def enabled(world: Logins) -> Logins:
    """The auth method knows its cluster, and the service account exists."""
    world.server.root().adapter.post(f"/v1/sys/auth/{MOUNT}", json={"type": "kubernetes"})
    world.configure()
    world.make_account()
    return world


def test_where_nothing_is_set_up_each_part_is_named_with_its_command(world: Logins) -> None:
    looked = world.look()
    assert [(found.id, found.status, found.action) for found in looked.items] == [
        ("vault_token/policy", "in_sync", "none"),
        (AUTH, "missing", "none"),
        (ROLE, "blocked", "none"),
        (SERVICE_ACCOUNT, "missing", "none"),
        ("vault_token/secret", "in_sync", "none"),
    ]
    assert f"vault auth enable -path={MOUNT} kubernetes" in item(looked, AUTH).hint
    assert item(looked, ROLE).depends_on == (AUTH,)
    assert f"create serviceaccount {ACCOUNT}" in item(looked, SERVICE_ACCOUNT).hint
    assert not world.repair().changed


def test_an_auth_method_that_knows_no_cluster_or_is_another_is_told_apart(world: Logins) -> None:
    root = world.server.root()
    root.adapter.post(f"/v1/sys/auth/{MOUNT}", json={"type": "kubernetes"})
    assert item(world.look(), AUTH).status == "empty"
    root.adapter.delete(f"/v1/sys/auth/{MOUNT}")
    root.adapter.post(f"/v1/sys/auth/{MOUNT}", json={"type": "approle"})
    found = item(world.look(), AUTH)
    assert (found.status, found.reason) == (
        "drifted",
        f"The auth method at {MOUNT}/ is not that of Kubernetes, so the backend cannot log in.",
    )


def test_what_may_not_be_read_is_unknown(enabled: Logins) -> None:
    looked = enabled.check(**OPTIONS)
    assert {item(looked, name).status for name in (AUTH, ROLE, SERVICE_ACCOUNT)} == {"unknown"}
    assert f"auth/{MOUNT}/config" in item(looked, AUTH).hint


def test_a_missing_role_is_made_with_the_bootstrap_token_alone_and_then_in_sync(enabled: Logins) -> None:
    looked = item(enabled.look(), ROLE)
    assert (looked.status, looked.action) == ("missing", "none")
    assert f"vault write auth/{MOUNT}/role/{POLICY} bound_service_account_names={ACCOUNT}" in looked.hint
    done = enabled.repair()
    assert [found.id for found in done.items if found.action != "none"] == [ROLE]
    assert {found.status for found in done.remaining or ()} == {"in_sync"}
    role = enabled.role()
    assert (role["bound_service_account_names"], role["bound_service_account_namespaces"]) == ([ACCOUNT], [NAMESPACE])
    assert (role["token_policies"], role["token_period"], role["audience"]) == ([POLICY], 604800, "vault")
    assert not enabled.repair().changed
    assert {found.status for found in enabled.look().items} == {"in_sync"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bound_service_account_names", ["*"]),
        ("bound_service_account_names", [ACCOUNT, "default"]),
        ("bound_service_account_namespaces", ["*"]),
        ("bound_service_account_namespace_selector", '{"matchLabels":{"a":"b"}}'),
        ("audience", "another"),
        ("token_policies", [POLICY, "keybuzz-repair"]),
        ("token_period", 3600),
        ("token_no_default_policy", False),
    ],
)
def test_each_field_that_differs_is_named_and_set_right(enabled: Logins, field: str, value: object) -> None:
    enabled.repair()
    address = f"/v1/auth/{MOUNT}/role/{POLICY}"
    enabled.server.root().adapter.post(address, json={**enabled.role(), field: value})
    looked = item(enabled.look(), ROLE)
    assert (looked.status, looked.before) == ("drifted", {field: value})
    assert field in looked.reason
    assert enabled.repair().changed
    assert item(enabled.look(), ROLE).status == "in_sync"


def test_a_role_without_an_audience_is_insecure_and_one_of_its_own_is_kept(enabled: Logins) -> None:
    enabled.repair(kubernetes_audience=None)
    found = item(enabled.look(kubernetes_audience=None), ROLE)
    assert (found.status, found.action) == ("insecure", "none")
    assert "Vault demands an audience from 1.21 on" in found.reason
    address = f"/v1/auth/{MOUNT}/role/{POLICY}"
    enabled.server.root().adapter.post(address, json={**enabled.role(), "audience": "its-own"})
    assert item(enabled.look(kubernetes_audience=None), ROLE).status == "in_sync"


def test_a_static_token_that_is_left_over_is_reported_and_never_touched(enabled: Logins) -> None:
    enabled.repair()
    ours = enabled.server.backend_token
    root = enabled.server.make_token(policies=["root"], ttl="1h")["client_token"]
    for value, severity, status in (
        (ours, "info", "insecure"),
        (root, "critical", "insecure"),
        ("hvs.CANARYdead", "info", "in_sync"),
        ("changeme", "info", "in_sync"),
    ):
        enabled.put(value)
        done = enabled.repair(superseded="revoke")
        found = item(done)
        assert (found.severity, found.status, found.action) == (severity, status, "none")
        assert (done.changed, enabled.value) == (False, value)
        assert ACCESSOR not in enabled.annotations
    enabled.kubernetes.remove(NAMESPACE, SECRET)
    assert item(enabled.look()).status == "in_sync"


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        ({}, "runs as service account default"),
        ({"serviceAccountName": ACCOUNT}, "projects no service account token for the audience vault"),
        ({"serviceAccountName": ACCOUNT, "volumes": ["vault"]}, None),
        ({"serviceAccountName": ACCOUNT, "volumes": ["another"]}, "projects no service account token"),
    ],
)
def test_a_deployment_that_cannot_log_in_as_the_account_is_told(
    enabled: Logins, pod: dict[str, Any], why: str | None
) -> None:
    enabled.repair()
    tokens = [{"audience": one, "path": "t", "expirationSeconds": 600} for one in pod.get("volumes", ())]
    projected = [{"name": "token", "projected": {"sources": [{"serviceAccountToken": one}]}} for one in tokens]
    labels = {"app": "logs-in"}
    spec = {**pod, "volumes": projected, "containers": [{"name": "x", "image": "x"}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    enabled.kubernetes.api.create(
        "deployments",
        {
            "metadata": {"namespace": NAMESPACE, "name": "logs-in"},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        },
    )
    try:
        found = item(enabled.look(consumers=[{"deployment": "logs-in"}]), SERVICE_ACCOUNT)
    finally:
        enabled.kubernetes.api.delete("deployments", "logs-in", NAMESPACE)
    assert (found.status, found.action) == ("drifted" if why else "in_sync", "none")
    assert (why or "exists") in found.reason


COPIED = {"strategy": "copy", "copy_from": {"namespace": API, "secret": SECRET, "key": KEY}}


@pytest.mark.parametrize(("options", "words"), [({"service_account": None}, "service_account"), (COPIED, "copy")])
def test_options_that_do_not_go_together_are_refused(world: Logins, options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        world.look(**options)


def test_the_backend_logs_in_with_a_token_of_its_service_account_and_nobody_else_does(enabled: Logins) -> None:
    if enabled.kubernetes.running.kind == "emulator":
        pytest.skip("the emulator reviews no tokens")
    enabled.repair()
    answer = enabled.login(enabled.account_token(ACCOUNT, "vault"))
    assert answer.status_code == 200, answer.text
    auth = answer.json()["auth"]
    assert (auth["policies"], auth["lease_duration"], auth["renewable"]) == ([POLICY], 604800, True)
    for jwt in (enabled.account_token(ACCOUNT), enabled.account_token("reviewer", "vault")):
        assert enabled.login(jwt).status_code in {400, 403}, "another audience, another account"
