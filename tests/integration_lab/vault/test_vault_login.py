# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in to a real server by each method: the token ends with the client, each refusal has its words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv, login
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import connect
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.login import LoginRefusedError

from lab import cluster
from lab.processes import wait_until

from .conftest import APP_PATH, Cluster, Server
from .login_world import CANARY, ROLE, Issuer, Methods, opened, own_token, refusal


@pytest.fixture(scope="module")
def methods(server: Server) -> Iterator[Methods]:
    with closing(Methods(server)) as made:
        yield made


def is_refused(options: dict[str, Any]) -> bool:
    try:
        opened(options)[0].close()
    except LoginRefusedError:
        return True
    return False


def test_approle_reads_and_its_token_ends_with_the_client(server: Server, methods: Methods, tmp_path: Path) -> None:
    file = tmp_path / "secret-id"
    secret_id = methods.secret_id()
    file.write_text(f"{secret_id}\n")
    client, protected = opened(methods.by_approle(vault_secret_id_file=str(file), vault_token="hvs.not-used"))
    assert kv.read(client, "secret", APP_PATH).state in {"present", "absent"}
    accessor = str(own_token(client)["accessor"])
    assert server.alive(accessor)
    assert secret_id in protected
    assert any(value.startswith(("s.", "hvs.")) for value in protected)
    client.close()
    client.close()
    assert not server.alive(accessor)


def test_one_login_serves_a_whole_run(server: Server, methods: Methods) -> None:
    mark = server.mark()
    client, _ = opened(methods.by_approle(vault_secret_id=methods.secret_id()))
    kv.read(client, "secret", APP_PATH)
    other = client.acting_as(server.token("audit"))
    other.close()
    kv.read(client, "secret", APP_PATH)
    client.close()
    paths = [path for _, path in server.requests_since(mark)]
    assert paths.count("auth/approle/login") == 1
    assert paths.count("auth/token/revoke-self") == 1, "the given token of the other client is not ours to end"


def test_a_batch_token_is_left_to_its_time(server: Server, methods: Methods) -> None:
    methods.approle(token_type="batch")
    try:
        client, _ = opened(methods.by_approle(vault_secret_id=methods.secret_id()))
        kv.read(client, "secret", APP_PATH)
        mark = server.mark()
        client.close()
        assert server.requests_since(mark) == []
    finally:
        methods.approle()


@pytest.mark.parametrize("limits", [{"token_no_default_policy": True}, {"token_num_uses": 1}])
def test_a_token_that_may_not_end_itself_is_no_failure(methods: Methods, limits: dict[str, Any]) -> None:
    methods.approle(**limits)
    try:
        client, _ = opened(methods.by_approle(vault_secret_id=methods.secret_id()))
        kv.read(client, "secret", APP_PATH)
        client.close()
    finally:
        methods.approle(token_no_default_policy=False, token_num_uses=0)


def test_a_json_web_token_of_a_trusted_issuer_logs_in(server: Server, methods: Methods) -> None:
    client, _ = opened(methods.by_jwt(methods.issuer.sign(project="keybuzz")))
    assert "keybuzz-audit" in own_token(client)["policies"]
    client.close()


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": 1, "iat": 0, "nbf": 0}, "has expired"),
        ({"aud": "another"}, "for another audience"),
        ({"project": "other"}, "a claim of the token"),
    ],
)
def test_a_json_web_token_that_does_not_fit_is_told_why(methods: Methods, claims: dict[str, Any], said: str) -> None:
    error = refusal(methods.by_jwt(methods.issuer.sign(**{"project": "keybuzz", **claims})))
    assert isinstance(error, LoginRefusedError)
    assert said in str(error)


def test_a_stranger_signature_an_unknown_role_and_a_wrong_mount_are_told_apart(methods: Methods) -> None:
    good = methods.issuer.sign(project="keybuzz")
    assert "signed by nobody" in str(refusal(methods.by_jwt(Issuer().sign(project="keybuzz"))))
    assert "the role is not one" in str(refusal(methods.by_jwt(good, vault_auth_role=CANARY)))
    error = refusal(methods.by_jwt(good, vault_auth_mount="nowhere"))
    assert "auth/nowhere may not be there; vault auth list" in str(error)
    assert error.status == "blocked"


@pytest.mark.parametrize("limits", [{"ttl": "1s"}, {"num_uses": 1}])
def test_a_secret_id_that_is_used_up_says_how_to_make_a_new_one(methods: Methods, limits: dict[str, Any]) -> None:
    options = methods.by_approle(vault_secret_id=methods.secret_id(**limits))
    if "num_uses" in limits:
        opened(options)[0].close()
    else:
        time.sleep(1.5)
        # HashiCorp's Vault takes a secret id that has expired until it tidies up, each minute or when told to.
        methods.root.post("/v1/auth/approle/tidy/secret-id")
        wait_until("the end of the secret id", lambda: is_refused(options), timeout=20, log=None)
    error = refusal(options)
    assert "the role id or the secret id is not accepted: unknown, expired or used up (HTTP 400)" in str(error)
    assert "vault write -f auth/approle/role/ROLE/secret-id" in error.remedy


def test_a_missing_secret_id_is_asked_for(methods: Methods) -> None:
    assert "this role wants a secret id too" in str(refusal(methods.by_approle()))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vault_auth_method": "approle"}, "vault_role_id"),
        ({"vault_auth_method": "kubernetes"}, "vault_auth_role"),
        ({"vault_auth_method": "jwt"}, "no token to log in with"),
        ({"vault_auth_method": "jwt", "vault_jwt_file": "/nowhere"}, "vault_jwt_file: /nowhere: No such file"),
    ],
)
def test_what_a_method_needs_is_asked_for_before_anything_is_sent(options: dict[str, str], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        connect({"vault_addr": "https://vault.example", **options}, lambda secrets: None)


def test_the_tokens_own_place_in_a_pod_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a.b.c\n")
    monkeypatch.setattr(login, "SERVICE_ACCOUNT_TOKEN", str(file))
    options = {"vault_auth_method": "kubernetes", "vault_auth_role": "backend", "vault_auth_mount": "auth/k8s/"}
    wanted = login.wanted(options, lambda secrets: None)
    assert wanted is not None
    assert (wanted.path, dict(wanted.body)) == ("auth/k8s/login", {"jwt": "a.b.c", "role": "backend"})
    assert "a.b.c" not in repr(wanted)


def test_a_service_account_logs_in_and_another_is_told_why_not(
    server: Server, kubernetes: Cluster, request: pytest.FixtureRequest
) -> None:
    running = kubernetes.running
    if running.kind == "emulator":
        pytest.skip("the emulator issues no service account tokens that could be reviewed")
    api, adapter, namespace = cluster.client(running), server.root().adapter, "keybuzz-backend-dev"
    group = "rbac.authorization.k8s.io"
    for name in ("kv-reader", "kv-reviewer"):
        api.ensure(
            "serviceaccounts",
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": name}},
        )
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "kv-reviewer"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:auth-delegator"},
        "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": "kv-reviewer"}],
    }
    api.ensure("clusterrolebindings", binding)

    def issued(name: str) -> str:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
        answer = api.create("serviceaccounts", body, namespace, name=name, subresource="token")
        return str(answer["status"]["token"])

    adapter.post("/v1/sys/auth/kv-k8s", json={"type": "kubernetes"})
    request.addfinalizer(lambda: adapter.delete("/v1/sys/auth/kv-k8s"))
    config = {
        "kubernetes_host": running.server,
        "kubernetes_ca_cert": running.ca_file.read_text(),
        "token_reviewer_jwt": issued("kv-reviewer"),
        "disable_local_ca_jwt": True,
    }
    adapter.post("/v1/auth/kv-k8s/config", json=config)
    bound = {"bound_service_account_names": ["kv-reader"], "bound_service_account_namespaces": [namespace]}
    adapter.post("/v1/auth/kv-k8s/role/auditor", json={**bound, **ROLE})

    def options(jwt: str, role: str = "auditor") -> dict[str, Any]:
        vault = server.vault
        return {
            "vault_addr": vault.addr,
            "vault_ca_cert": str(vault.ca_file),
            "vault_auth_method": "kubernetes",
            "vault_auth_mount": "kv-k8s",
            "vault_auth_role": role,
            "vault_jwt": jwt,
        }

    client, _ = opened(options(issued("kv-reader")))
    assert "keybuzz-audit" in own_token(client)["policies"]
    client.close()
    assert "does not allow this service account" in str(refusal(options(issued("kv-reviewer"))))
    assert "the role is not one" in str(refusal(options(issued("kv-reader"), "nobody")))
