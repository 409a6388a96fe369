# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes options, as users of kubernetes.core expect them: each does what its name says, on real servers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import access as access_module
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import (
    JSON_PATCH,
    Denied,
    ServerTrouble,
    Unreachable,
    connect,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.transport import bypassed

from lab.cluster import Api, Cluster
from lab.cluster.access import rule
from tests.integration_lab.access.scripted_server import Scripted, connect_proxy, scripted
from tests.lab import kubernetes_world
from tests.lab.kubernetes_world import eventually

cluster, api, namespace = kubernetes_world.cluster, kubernetes_world.api, kubernetes_world.namespace
pytestmark = pytest.mark.lab
RBAC = "rbac.authorization.k8s.io"
CANARY = "CANARYtoken"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


def nothing(secrets: object) -> None:
    """For tests that do not look at masking."""


def admin(cluster: Cluster) -> dict[str, Any]:
    """The administrator's kubeconfig as a dictionary."""
    return dict(yaml.safe_load(cluster.kubeconfigs["admin"].read_text()))


def config_maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


# -- kubeconfig as a dictionary -------------------------------------------------
def test_a_kubeconfig_given_as_a_dictionary_serves_and_its_credentials_are_masked(
    cluster: Cluster, namespace: str
) -> None:
    seen: list[str | None] = []
    document = admin(cluster)
    document["users"][0]["user"]["exec"] = {"command": "x", "env": [{"name": "A", "value": "CANARYenv"}]}
    client = connect({"kubeconfig": document}, seen.extend)
    assert client.list(config_maps(namespace)) is not None
    assert {document["users"][0]["user"]["token"], "CANARYenv"} <= set(seen)
    with pytest.raises(BadInputError, match=r"given as a dictionary\): it has no context nowhere") as caught:
        connect({"kubeconfig": document, "context": "nowhere"}, nothing)
    assert document["users"][0]["user"]["token"] not in str(caught.value)


def test_a_dictionary_whose_program_hands_out_the_token_serves_too(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    document = admin(cluster)
    token = document["users"][0]["user"]["token"]
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    program = tmp_path / "hand-out"
    program.write_text(f"#!/bin/sh\ncat <<X\n{json.dumps(answer)}\nX\n")
    program.chmod(0o755)
    run = {"apiVersion": answer["apiVersion"], "command": str(program), "interactiveMode": "Never"}
    document["users"][0]["user"] = {"exec": run}
    seen: list[str | None] = []
    assert connect({"kubeconfig": document}, seen.extend).list(config_maps(namespace)) is not None
    assert token in seen


# -- impersonation --------------------------------------------------------------
def test_the_request_is_made_as_the_impersonated_user_with_its_groups(
    cluster: Cluster, api: Api, namespace: str
) -> None:
    api.create("roles", {"metadata": {"name": "r"}, "rules": [rule("", ["configmaps"], ["list"])]}, namespace)
    subject = {"apiGroup": RBAC, "kind": "Group", "name": "readers"}
    reference = {"apiGroup": RBAC, "kind": "Role", "name": "r"}
    api.create("rolebindings", {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [subject]}, namespace)
    params = {"kubeconfig": str(cluster.kubeconfigs["admin"]), "impersonate_user": "jane"}
    with pytest.raises(Denied, match="jane may not list it"):
        connect(params, nothing).list(config_maps(namespace))
    reader = connect({**params, "impersonate_groups": ["writers", "readers"]}, nothing)
    eventually(lambda: reader.may("list", "", "configmaps", namespace, None) or reader._may.clear())
    assert reader.list(config_maps(namespace)) is not None
    assert not reader.may("create", "", "configmaps", namespace, None)


def test_a_kubeconfig_that_impersonates_is_followed_and_the_options_win(cluster: Cluster, namespace: str) -> None:
    document = admin(cluster)
    document["users"][0]["user"] |= {"as": "jane", "as-groups": ["system:masters"]}
    assert connect({"kubeconfig": document}, nothing).list(config_maps(namespace)) is not None
    document["users"][0]["user"].pop("as-groups")
    with pytest.raises(Denied, match="joe may not list it"):
        connect({"kubeconfig": document, "impersonate_user": "joe"}, nothing).list(config_maps(namespace))


def test_who_may_not_impersonate_is_told_so(cluster: Cluster, api: Api, namespace: str) -> None:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    api.create("serviceaccounts", {"metadata": {"name": "worker"}}, namespace)
    answer = api.create("serviceaccounts", request, namespace, name="worker", subresource="token")
    params = {"host": cluster.server, "api_key": answer["status"]["token"], "ca_cert": str(cluster.ca_file)}
    with pytest.raises(Denied, match=f"system:serviceaccount:{namespace}:worker may not"):
        connect({**params, "impersonate_user": "jane"}, nothing).list(config_maps(namespace))
    with pytest.raises(BadInputError, match="without impersonate_user"):
        connect({**params, "impersonate_groups": ["g"]}, nothing)


# -- proxy ----------------------------------------------------------------------
def test_the_proxy_sees_the_servers_name_and_no_credential(cluster: Cluster, namespace: str) -> None:
    token = admin(cluster)["users"][0]["user"]["token"]
    params = {"kubeconfig": str(cluster.kubeconfigs["admin"])}
    seen: list[str | None] = []
    with connect_proxy() as proxy:
        address = proxy.url.replace("http://", "http://me:CANARY%2Bpass@")
        client = connect({**params, "proxy": address, "proxy_headers": {"user_agent": "ours/1"}}, seen.extend)
        assert client.list(config_maps(namespace)) is not None
        head = proxy.heads[0].decode()
        assert head.startswith(f"CONNECT {cluster.server.removeprefix('https://')} HTTP/1.")
        assert base64.b64encode(b"me:CANARY+pass").decode() in head
        assert "ours/1" in head
        assert token not in head
        assert token.encode() not in proxy.tunnelled
        assert config_maps(namespace).encode() not in proxy.tunnelled
        assert "me:CANARY+pass" in seen
        before = len(proxy.heads)
        for through in ({"no_proxy": "127.0.0.0/8"}, {"no_proxy": "example.com, 127.0.0.1"}):
            assert connect({**params, "proxy": address, **through}, nothing).list(config_maps(namespace)) is not None
        assert len(proxy.heads) == before


def test_the_kubeconfigs_and_the_environments_proxy_are_taken_when_no_option_names_one(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = admin(cluster)
    with connect_proxy() as proxy:
        document["clusters"][0]["cluster"]["proxy-url"] = proxy.url
        connect({"kubeconfig": document}, nothing).list(config_maps(namespace))
        assert len(proxy.heads) == 1
        connect({"kubeconfig": document, "no_proxy": "*"}, nothing).list(config_maps(namespace))
        assert len(proxy.heads) == 1
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        connect({"kubeconfig": admin(cluster)}, nothing).list(config_maps(namespace))
        assert len(proxy.heads) == 2
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        connect({"kubeconfig": admin(cluster)}, nothing).list(config_maps(namespace))
        assert len(proxy.heads) == 2


def test_a_proxy_that_refuses_is_named_and_nothing_went_through(cluster: Cluster, namespace: str) -> None:
    with connect_proxy(refuse=True) as proxy:
        client = connect({"kubeconfig": str(cluster.kubeconfigs["admin"]), "proxy": proxy.url}, nothing)
        with pytest.raises(Unreachable, match="proxy"):
            client.list(config_maps(namespace))
        assert not proxy.tunnelled
    with pytest.raises(BadInputError, match="not of the form http://host:port"):
        connect({"kubeconfig": str(cluster.kubeconfigs["admin"]), "proxy": "proxy.example:3128"}, nothing)


@pytest.mark.parametrize(
    ("host", "rule", "expected"),
    [
        ("api.example.com", ".example.com", True),
        ("api.example.com", "example.com", True),
        ("api.example.com", "*.example.com", True),
        ("example.com", ".example.com", True),
        ("notexample.com", "example.com", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8,192.168.0.1", False),
        ("192.168.0.1", "10.0.0.0/8, 192.168.0.1", True),
        ("fd00::1", "fd00::/8", True),
        ("api.example.com", "*", True),
        ("api.example.com", "", False),
        ("api.example.com", None, False),
    ],
)
def test_what_goes_without_the_proxy(host: str, rule: str | None, expected: bool) -> None:
    assert bypassed(host, rule) is expected


# -- TLS and certificates -------------------------------------------------------
def test_verification_is_not_switched_off_for_anybody(cluster: Cluster) -> None:
    with pytest.raises(BadInputError, match=r"validate_certs is false.*tls_server_name"):
        connect({"kubeconfig": str(cluster.kubeconfigs["admin"]), "validate_certs": False}, nothing)
    assert connect({"kubeconfig": str(cluster.kubeconfigs["admin"]), "validate_certs": True}, nothing)


def test_a_certificate_for_another_name_is_accepted_when_that_name_is_wanted(tmp_path: Path) -> None:
    with scripted(tmp_path, name="kubernetes.internal") as server:
        params = {"host": server.url, "api_key": CANARY, "ca_cert": server.ca_file}
        with pytest.raises(Unreachable, match="not trusted"):
            connect(params, nothing).get("/api/v1/namespaces/n")
        assert server.seen == []
        assert connect({**params, "tls_server_name": "kubernetes.internal"}, nothing).get("/api/v1/namespaces/n") == {}


def test_a_client_certificate_is_presented_instead_of_a_token(tmp_path: Path) -> None:
    with scripted(tmp_path, client_certificates=True) as server:
        certificate, key = server.client_certificate(tmp_path)
        params = {"host": server.url, "ca_cert": server.ca_file, "client_cert": certificate, "client_key": key}
        assert connect(params, nothing).get("/api/v1/namespaces/n") == {}
        assert "authorization" not in server.seen[0][1]
        with pytest.raises(BadInputError, match="client certificate or key of the options cannot be loaded"):
            connect({**params, "client_key": server.ca_file}, nothing)
        with pytest.raises(BadInputError, match="without api_key or client_cert"):
            connect({"host": server.url, "ca_cert": server.ca_file}, nothing)


def test_inside_a_pod_its_own_account_serves(
    cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(admin(cluster)["users"][0]["user"]["token"])
    (tmp_path / "ca.crt").write_text(cluster.ca_file.read_text())
    monkeypatch.setattr(access_module, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setattr(access_module, "DEFAULT_KUBECONFIG", str(tmp_path / "none"))
    host, _, port = cluster.server.removeprefix("https://").rpartition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    assert connect({}, nothing).list(config_maps(namespace)) is not None
    (tmp_path / "token").unlink()
    with pytest.raises(BadInputError, match="does not exist"):
        connect({}, nothing)


# -- repeating what may be repeated ---------------------------------------------
@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client.FIRST_PAUSE", 0.01)
    with scripted(tmp_path) as running:
        yield running


def client_of(server: Scripted) -> Any:
    return connect({"host": server.url, "api_key": CANARY, "ca_cert": server.ca_file}, nothing)


SECRET = "/api/v1/namespaces/n/secrets/s"


@pytest.mark.parametrize("trouble", ["reset", 503, 429])
def test_what_only_reads_is_sent_again_a_little(server: Scripted, trouble: int | str) -> None:
    server.answers = [trouble, trouble, {"kind": "Secret"}]
    assert client_of(server).get(SECRET) == {"kind": "Secret"}
    assert [method for method, _ in server.seen] == ["GET"] * 3
    server.answers, server.seen[:] = [trouble], []
    with pytest.raises((Unreachable, ServerTrouble)) as caught:
        client_of(server).get(SECRET)
    assert len(server.seen) == 3
    assert "CANARY" not in str(caught.value)
    server.answers, server.seen[:] = [trouble, {"status": {"allowed": True}}], []
    assert client_of(server).may("get", "", "secrets", "n", "s")
    assert [method for method, _ in server.seen] == ["POST"] * 2


@pytest.mark.parametrize("trouble", ["reset", 503, 500])
def test_a_write_whose_answer_was_lost_is_not_sent_again(server: Scripted, trouble: int | str) -> None:
    server.answers = [trouble, {"kind": "Secret"}]
    with pytest.raises((Unreachable, ServerTrouble)):
        client_of(server).patch(SECRET, [], content_type=JSON_PATCH)
    assert len(server.seen) == 1


def test_a_write_that_was_turned_away_before_it_began_is_sent_when_the_server_says(server: Scripted) -> None:
    server.answers, server.retry_after = [429, {"kind": "Secret"}], "0"
    assert client_of(server).update(SECRET, {}) == {"kind": "Secret"}
    assert [method for method, _ in server.seen] == ["PUT", "PUT"]


def test_every_group_is_a_header_of_its_own(server: Scripted) -> None:
    params = {"host": server.url, "api_key": CANARY, "ca_cert": server.ca_file, "impersonate_user": "jane"}
    connect({**params, "impersonate_groups": ["a", "b"]}, nothing).get(SECRET)
    headers = server.seen[0][1]
    assert (headers["impersonate-user"], headers["impersonate-group"]) == (["jane"], ["a", "b"])
