# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in to a real server by each method: the token ends with the client, each refusal has its words."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, ForbiddenError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv, login
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import WrongMountError, WrongNamespaceError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient, connect
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.login import LoginRefusedError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from lab import cluster

from .conftest import APP_PATH, Cluster, Server

CANARY = "CANARYthatNobodyMaySee"
ROLE = {"token_policies": ["keybuzz-audit"], "token_ttl": "5m"}


class Issuer:
    """Signs JSON Web Tokens with a key of its own, as a CI system does."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self.key.public_key()
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.pem = public.public_bytes(*form).decode()

    def sign(self, **claims: Any) -> str:
        now = int(time.time())
        stated = {"iss": "https://ci.example", "aud": "vault", "sub": "deploy", "iat": now, "exp": now + 300, **claims}
        parts = [self._encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, stated)]
        signed = self.key.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
        return ".".join([*parts, self._encoded(signed)])

    @staticmethod
    def _encoded(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Methods:
    """The auth methods ``approle`` and ``ci/jwt``, with a role ``auditor`` each."""

    def __init__(self, server: Server) -> None:
        self.server, self.root, self.issuer = server, server.root().adapter, Issuer()
        self.root.post("/v1/sys/auth/approle", json={"type": "approle"})
        self.approle()
        self.root.post("/v1/sys/auth/ci/jwt", json={"type": "jwt"})
        self.root.post("/v1/auth/ci/jwt/config", json={"jwt_validation_pubkeys": [self.issuer.pem]})
        claims = {"bound_audiences": ["vault"], "user_claim": "sub", "bound_claims": {"project": "keybuzz"}}
        self.root.post("/v1/auth/ci/jwt/role/auditor", json={"role_type": "jwt", **claims, **ROLE})

    def approle(self, **changes: Any) -> None:
        self.root.post("/v1/auth/approle/role/auditor", json={**ROLE, "token_type": "service", **changes})

    def role_id(self) -> str:
        return str(self.root.get("/v1/auth/approle/role/auditor/role-id")["data"]["role_id"])

    def secret_id(self, **limits: Any) -> str:
        return str(self.root.post("/v1/auth/approle/role/auditor/secret-id", json=limits)["data"]["secret_id"])

    def options(self, method: str, **given: Any) -> dict[str, Any]:
        vault = self.server.vault
        return {"vault_addr": vault.addr, "vault_ca_cert": str(vault.ca_file), "vault_auth_method": method, **given}

    def by_approle(self, **given: Any) -> dict[str, Any]:
        return self.options("approle", vault_role_id=self.role_id(), **given)

    def by_jwt(self, jwt: str, **given: Any) -> dict[str, Any]:
        named = {"vault_auth_mount": "ci/jwt", "vault_auth_role": "auditor", **given}
        return self.options("jwt", vault_jwt=jwt, **named)


@pytest.fixture(scope="module")
def methods(server: Server) -> Iterator[Methods]:
    made = Methods(server)
    yield made
    for path in ("approle", "ci/jwt"):
        made.root.delete(f"/v1/sys/auth/{path}")


def opened(options: dict[str, Any]) -> tuple[VaultClient, list[str]]:
    protected: list[str] = []
    client = connect(options, lambda values: protected.extend(value for value in values if value))
    return client, protected


def own_token(client: VaultClient) -> dict[str, Any]:
    return dict(client.request("GET", "auth/token/lookup-self", doing="looking up").data)


def refusal(options: dict[str, Any]) -> KeybuzzError:
    with pytest.raises(KeybuzzError) as caught:
        opened(options)
    assert CANARY not in str(caught.value)
    for name in ("vault_secret_id", "vault_jwt"):
        assert not options.get(name) or options[name] not in str(caught.value)
    return caught.value


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


@pytest.fixture(scope="module")
def namespace(server: Server) -> Iterator[str]:
    """A namespace with a key-value engine and an AppRole of its own."""
    root = server.root()
    root.adapter.post("/v1/sys/namespaces/team", json={})
    inside = server.client("root", namespace="team")
    inside.request("POST", "sys/mounts/secret", doing="mounting", body={"type": "kv", "options": {"version": "2"}})
    time.sleep(0.3)
    policy = 'path "secret/*" { capabilities = ["create", "read", "update"] }'
    inside.request("POST", "sys/policies/acl/reader", doing="writing", body={"policy": policy})
    inside.request("POST", "sys/auth/approle", doing="mounting", body={"type": "approle"})
    inside.request("POST", "auth/approle/role/auditor", doing="writing", body={"token_policies": ["reader"]})
    yield "team"
    root.adapter.delete("/v1/sys/namespaces/team")


def test_a_login_and_its_requests_stay_in_their_namespace(server: Server, methods: Methods, namespace: str) -> None:
    inside = server.client("root", namespace=namespace)
    place = "auth/approle/role/auditor"
    role_id = inside.request("GET", f"{place}/role-id", doing="reading").data["role_id"]
    secret_id = inside.request("POST", f"{place}/secret-id", doing="making", body={}).data["secret_id"]
    given = {"vault_role_id": role_id, "vault_secret_id": secret_id}
    client, _ = opened(methods.options("approle", vault_namespace=f"{namespace}/", **given))
    absent = kv.read(client, "secret", APP_PATH)
    assert absent.state == "absent"
    assert kv.write_merged(client, "secret", APP_PATH, {"where": "inside"}, read=absent) == 1
    assert kv.read(client, "secret", APP_PATH).data == {"where": "inside"}
    assert kv.read(server.client("root"), "secret", APP_PATH).data.get("where") is None
    client.close()
    assert isinstance(refusal(methods.options("approle", **given)), ForbiddenError), "the root has no such role"


def test_a_wrong_namespace_is_named_whoever_asks(server: Server, methods: Methods, namespace: str) -> None:
    for holder in ("root", "audit"):
        with pytest.raises(WrongNamespaceError, match="the server has no namespace tea") as caught:
            kv.read(server.client(holder, namespace="tea"), "secret", APP_PATH)
        assert "Check vault_namespace" in caught.value.remedy
    error = refusal(methods.by_approle(vault_secret_id="x", vault_namespace="tea"))
    assert isinstance(error, WrongNamespaceError)
    with pytest.raises(WrongMountError, match="nothing is mounted at elsewhere/ in namespace team"):
        kv.read(server.client("root", namespace=namespace), "elsewhere", APP_PATH)
    with pytest.raises(ForbiddenError):
        kv.read(server.client("audit", namespace=namespace), "secret", APP_PATH)
