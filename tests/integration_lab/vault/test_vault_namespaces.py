# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces, on servers that have them; and what becomes of a named one on servers that have none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import hvac.exceptions
import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import WrongMountError, WrongNamespaceError

from .conftest import APP_PATH, Server
from .login_world import Methods, opened, refusal


@pytest.fixture(scope="module")
def methods(server: Server) -> Iterator[Methods]:
    with closing(Methods(server)) as made:
        yield made


@pytest.fixture(scope="module")
def namespace(server: Server) -> Iterator[str]:
    """A namespace with a key-value engine and an AppRole of its own."""
    root = server.root()
    try:
        root.adapter.post("/v1/sys/namespaces/team", json={})
    except hvac.exceptions.InvalidPath:
        pytest.skip("this server has no namespaces: it is the community edition of HashiCorp's Vault")
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


def test_a_namespace_is_worked_in_or_the_server_is_refused_and_its_root_never_taken_for_it(
    server: Server, methods: Methods
) -> None:
    mark = server.mark()
    options = methods.options("token", vault_token=server.token("repair"), vault_namespace="team")
    try:
        client, _ = opened(options)
    except WrongNamespaceError as error:
        assert "this server has no namespaces" in error.answered
        assert server.requests_since(mark) == []
        return
    with pytest.raises(KeybuzzError):  # its token is the root's, and there may be no such namespace
        kv.read(client, "secret", APP_PATH)


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
