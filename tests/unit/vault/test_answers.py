# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that a healthy server never gives, by a listener on loopback: what becomes of them, what is not shown."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    KeybuzzError,
    UnexpectedAnswerError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import answers, kubernetes_auth, kv, policy, token
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient, connect
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.given import given_token

CANARY = "hvs.CANARYthatNobodyMaySee"


class Listener(ThreadingHTTPServer):
    """Gives the same answer to every request and remembers their paths."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = ""
        self.paths: list[str] = []
        self.seen: list[str] = []
        """Tokens and namespaces that were sent."""

    @property
    def client(self) -> VaultClient:
        return VaultClient(f"http://127.0.0.1:{self.server_port}", CANARY, timeout=2)


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.paths.append(self.path)
        sent = (self.headers.get(name) for name in ("X-Vault-Token", "X-Vault-Namespace"))
        self.server.seen += [value for value in sent if value]
        content = self.server.body.encode()
        self.send_response(self.server.status)
        for name, value in {**self.server.headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it would stand in the tests' output."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "kind", "answered"),
    [
        (400, UnexpectedAnswerError, "HTTP 400"),
        (403, ForbiddenError, "not accepted"),
        (405, UnexpectedAnswerError, "does not know this operation"),
        (429, UnreachableError, "rate limit"),
        (472, UnreachableError, "standby"),
        (473, UnreachableError, "standby"),
        (500, UnexpectedAnswerError, "HTTP 500"),
        (502, UnexpectedAnswerError, "HTTP 502"),
        (503, UnreachableError, "not ready"),
    ],
)
def test_an_answer_that_repeats_the_token_is_not_repeated(
    listener: Listener, status: int, kind: type[KeybuzzError], answered: str
) -> None:
    for body in (json.dumps({"errors": [CANARY], "data": {"keys": CANARY}}), f"<html>{CANARY}</html>"):
        listener.status, listener.body = status, body
        with pytest.raises(kind) as caught:
            kv.read(listener.client, "secret", "app")
        assert answered in str(caught.value)
        assert CANARY not in repr(caught.value)


def test_a_redirect_is_named_and_not_followed(listener: Listener) -> None:
    listener.status = 307
    listener.headers = {"Location": f"http://127.0.0.1:{listener.server_port}/v1/elsewhere"}
    with pytest.raises(UnreachableError, match="this node is a standby and points to http") as caught:
        kv.read(listener.client, "secret", "app")
    assert listener.paths == ["/v1/secret/data/app"]
    assert "Set vault_addr to the active node" in caught.value.remedy


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"auth": {}}', '{"auth": {"client_token": ""}}', "<html>"])
def test_an_answer_without_a_token_is_no_token(listener: Listener, body: str) -> None:
    listener.body = body
    with pytest.raises(UnexpectedAnswerError, match="the answer holds no token"):
        token.create(listener.client, "role", "policy", display_name="x", metadata={})


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"data": {}}', '{"data": null}'])
def test_an_answer_that_describes_no_token_is_not_taken_for_one(listener: Listener, body: str) -> None:
    listener.body = body
    with pytest.raises(UnexpectedAnswerError, match="describes no token"):
        token.lookup_self(listener.client)


@pytest.mark.parametrize(
    ("status", "error"), [(404, ""), (400, "invalid accessor"), (403, "invalid accessor"), (403, "bad token")]
)
def test_an_accessor_that_is_gone_is_gone_in_each_servers_words(listener: Listener, status: int, error: str) -> None:
    listener.status, listener.body = status, json.dumps({"errors": [error] if error else []})
    assert token.lookup_accessor(listener.client, "accessor") is None
    token.revoke_accessor(listener.client, "accessor")


def test_a_missing_permission_is_not_taken_for_a_token_that_is_gone(listener: Listener) -> None:
    listener.status, listener.body = 403, json.dumps({"errors": ["permission denied"]})
    with pytest.raises(ForbiddenError):
        token.lookup_accessor(listener.client, "accessor")


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"data": {}}', '{"data": {"data": {"a": "b"}}}', "<html>"])
def test_an_answer_that_is_no_document_is_not_taken_for_an_absent_one(listener: Listener, body: str) -> None:
    listener.body = body
    with pytest.raises(KeybuzzError):
        kv.read(listener.client, "secret", "app")


def test_a_token_of_a_namespace_that_the_server_does_not_have_is_no_token_of_it(listener: Listener) -> None:
    word = "error performing token check: failed to look up namespace from the token: no namespace"
    listener.status, listener.body = 500, json.dumps({"errors": [word]})
    assert token.lookup_self(listener.client) == (None, True)
    assert token.lookup(listener.client, "s.x.n1") is None
    with pytest.raises(answers.TokenRefusedError, match="not of this server or namespace"):
        kv.read(listener.client, "secret", "app")


def test_a_server_in_trouble_is_not_taken_for_one_that_knows_no_such_token(listener: Listener) -> None:
    listener.status, listener.body = 500, json.dumps({"errors": ["1 error occurred: internal error"]})
    assert token.lookup_self(listener.client) == (None, False)
    for look in (token.lookup, token.lookup_accessor):
        with pytest.raises(UnexpectedAnswerError):
            look(listener.client, "x")


@pytest.mark.parametrize("body", ["{}", '{"data": null}', '{"wrap_info": {"token": "x"}}', '{"data": {"other": 1}}'])
def test_an_answer_that_is_no_policy_and_no_role_is_not_taken_for_one_that_differs(
    listener: Listener, body: str
) -> None:
    listener.body, client = body, listener.client
    for look in (
        lambda: policy.read_policy(client, "x"),
        lambda: policy.read_role(client, "x"),
        lambda: kubernetes_auth.read_role(client, "kubernetes", "x"),
    ):
        with pytest.raises(UnexpectedAnswerError):
            look()


def test_a_missing_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hvac.adapters", None)
    with pytest.raises(BadInputError, match=r"hvac is not installed .* pip install 'hvac>=2.3.0'"):
        VaultClient("https://vault.example", CANARY)


def test_the_token_file_wins_and_its_line_break_is_dropped(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(f"{CANARY}\n")
    protected: list[str | None] = []
    params = {"vault_token": "hvs.other", "vault_token_file": str(file)}
    assert given_token(params, "vault_token", protected.extend) == CANARY
    assert CANARY in protected


def test_without_any_token_the_ways_to_give_one_are_named() -> None:
    with pytest.raises(BadInputError, match="Give vault_token_file, vault_token, or the environment variable"):
        connect({"vault_addr": "https://vault.example"}, lambda secrets: None)


def test_a_denial_in_spite_of_the_capability_does_not_ask_for_what_the_token_has() -> None:
    refusal = answers.Refusal("listing", "https://vault.example/v1/x", "x", "LIST", 403, ("permission denied",))
    error = answers.explain(lambda *_: (200, {"x": ["list"]}), refusal)
    assert isinstance(error, ForbiddenError)
    assert "has list on x, and the server wants more" in error.answered
    assert "sudo" in error.remedy


@pytest.mark.parametrize(
    ("health", "lacks"),
    [
        ({"version": "1.21.4", "enterprise": False}, True),
        ({"version": "1.21.4+ent", "enterprise": True}, False),
        ({"version": "1.15.6"}, True),
        ({"version": "1.15.6+ent.hsm"}, False),
        ({"version": "2.2.0"}, True),
        ({"version": "2.7.2"}, False),
        ({}, False),
    ],
)
def test_a_server_that_would_take_a_namespace_for_its_root_is_refused_before_any_token_is_sent(
    listener: Listener, health: dict[str, object], lacks: bool
) -> None:
    listener.body = json.dumps(health)
    options = {"vault_addr": listener.client.addr, "vault_token": CANARY, "vault_namespace": "team"}
    if lacks:
        with pytest.raises(answers.WrongNamespaceError, match="it would take team for its root"):
            connect(options, lambda secrets: None)
    else:
        connect(options, lambda secrets: None)
    assert [path.partition("?")[0] for path in listener.paths] == ["/v1/sys/health"]
    assert listener.seen == []


def test_without_a_namespace_connecting_sends_nothing(listener: Listener) -> None:
    connect({"vault_addr": listener.client.addr, "vault_token": CANARY}, lambda secrets: None)
    assert listener.paths == []
