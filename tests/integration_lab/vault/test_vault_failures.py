# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real server answers when something is wrong, and the sentence we make of it: what to do next."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    KeybuzzError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv, policy, token
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import (
    SealedError,
    TlsError,
    TokenRefusedError,
    WrongMountError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

from lab import openbao
from lab.certificates import authority
from lab.processes import Processes, accepts, free_port, wait_until

from .conftest import APP_PATH, Server

CANARY = "hvs.CANARYthatNobodyMaySee"


def failure(act: Callable[[], object]) -> KeybuzzError:
    with pytest.raises(KeybuzzError) as caught:
        act()
    assert CANARY not in str(caught.value)
    return caught.value


def test_a_sealed_server_is_named_with_the_command_that_unseals_it(server: Server) -> None:
    server.root().sys.seal()
    try:
        error = failure(lambda: kv.read(server.client(), "secret", APP_PATH))
    finally:
        openbao.unseal(server.vault)
    assert isinstance(error, SealedError)
    assert error.status == "unknown"
    assert str(error) == (
        f"While reading {server.vault.addr}/v1/secret/data/{APP_PATH}: the server is sealed. "
        "Unseal it: vault operator unseal (bao operator unseal)."
    )


@pytest.fixture
def uninitialised(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    config = tmp_path / "openbao.json"
    listener = {"tcp": {"address": f"127.0.0.1:{port}", "tls_disable": True}}
    config.write_text(json.dumps({"storage": {"inmem": {}}, "listener": [listener], "disable_mlock": True}))
    processes = Processes(tmp_path)
    processes.spawn("openbao", [str(openbao.binary()), "server", f"-config={config}"])
    try:
        wait_until("OpenBao", lambda: accepts(port), timeout=20, log=processes.log("openbao"))
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.stop_everything()


def test_a_server_that_was_never_initialised_is_told_from_a_sealed_one(uninitialised: str) -> None:
    error = failure(lambda: kv.read(VaultClient(uninitialised, CANARY), "secret", APP_PATH))
    assert isinstance(error, SealedError)
    assert "the server is not initialised. Initialise it: vault operator init" in str(error)


def test_a_server_whose_authority_is_not_trusted_gets_no_token(server: Server, vault_directory: Path) -> None:
    wrong = authority(vault_directory, "another")
    mark = server.mark()
    for ca_cert in (str(wrong.ca_file), None):
        error = failure(lambda ca=ca_cert: kv.read(server.client(ca_cert=ca), "secret", APP_PATH))  # type: ignore[misc]
        assert isinstance(error, TlsError)
        assert "not signed by a trusted authority. Give the PEM file" in str(error)
        assert "vault_ca_cert" in error.remedy
    assert server.requests_since(mark) == []


class TlsServer:
    """Answers nothing; remembers every byte that arrives after a completed handshake."""

    def __init__(self, directory: Path, host: str, *, expired: bool = False) -> None:
        ca = trustme.CA()
        ended = datetime.now(UTC) - timedelta(days=1)
        leaf = ca.issue_cert(host, not_after=ended) if expired else ca.issue_cert(host)
        self.ca_file = directory / "ca.pem"
        ca.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        self.received = b""
        self._socket = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        self.addr = f"https://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            connection, _ = self._socket.accept()
            self.received += connection.recv(4096)
        except OSError:
            pass


@pytest.mark.parametrize(
    ("host", "expired", "problem"),
    [
        ("vault.example", False, "the server's certificate is not for this host name"),
        ("127.0.0.1", True, "the server's certificate has expired"),
    ],
)
def test_a_certificate_that_does_not_fit_gets_no_byte(tmp_path: Path, host: str, expired: bool, problem: str) -> None:
    tls = TlsServer(tmp_path, host, expired=expired)
    client = VaultClient(tls.addr, CANARY, ca_cert=str(tls.ca_file))
    error = failure(lambda: kv.read(client, "secret", APP_PATH))
    assert isinstance(error, TlsError)
    assert problem in str(error)
    time.sleep(0.05)
    assert tls.received == b""


def test_a_refused_connection_names_the_address(server: Server) -> None:
    addr = f"https://127.0.0.1:{free_port()}"
    error = failure(lambda: kv.read(VaultClient(addr, CANARY), "secret", APP_PATH))
    assert isinstance(error, UnreachableError)
    assert "connection refused. Check vault_addr" in str(error)
    assert addr in str(error)


def test_an_unknown_host_name_is_said_to_be_unknown() -> None:
    error = failure(lambda: kv.read(VaultClient("https://vault.invalid:8200", CANARY), "secret", APP_PATH))
    assert isinstance(error, UnreachableError)


def test_a_server_that_does_not_answer_ends_with_the_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        addr = f"https://127.0.0.1:{silent.getsockname()[1]}"
        error = failure(lambda: kv.read(VaultClient(addr, CANARY, timeout=0.3), "secret", APP_PATH))
    assert isinstance(error, UnreachableError)
    assert "no answer in time" in str(error)
    assert "vault_timeout" in error.remedy


def test_a_missing_capability_is_named_with_what_the_token_has(server: Server) -> None:
    client = server.client("audit")
    document = kv.read(client, "secret", APP_PATH)
    error = failure(lambda: kv.write_merged(client, "secret", APP_PATH, {"region": "x"}, read=document))
    assert isinstance(error, ForbiddenError)
    assert f"the token needs create or update on secret/data/{APP_PATH} and has read" in str(error)
    assert f'path "secret/data/{APP_PATH}" {{ capabilities = ["create", "update"] }}' in error.remedy


def test_a_path_without_any_capability_says_so(server: Server) -> None:
    error = failure(lambda: kv.read(server.client(), "secret", "elsewhere"))
    assert "needs read on secret/data/elsewhere and has none" in str(error)


def test_a_token_that_may_not_ask_for_its_capabilities_still_gets_a_remedy(server: Server) -> None:
    client = server.client().acting_as(server.backend_token)
    error = failure(lambda: policy.read_policy(client, "keybuzz-backend-dev"))
    assert isinstance(error, ForbiddenError)
    assert not isinstance(error, TokenRefusedError)
    assert "Give the token read on sys/policies/acl/keybuzz-backend-dev" in str(error)


@pytest.mark.parametrize("kind", ["expired", "revoked", "invented"])
def test_an_operators_token_that_ended_is_told_from_a_missing_capability(server: Server, kind: str) -> None:
    if kind == "invented":
        value = CANARY
    else:
        made = server.make_token(policies=["keybuzz-repair"], ttl="1s" if kind == "expired" else "1h")
        value = made["client_token"]
        if kind == "expired":
            time.sleep(1.5)
        else:
            server.root().auth.token.revoke_accessor(made["accessor"])
    error = failure(lambda: kv.read(server.client().acting_as(value), "secret", APP_PATH))
    assert isinstance(error, TokenRefusedError)
    assert "expired, revoked or not of this server or namespace. Get a new one (vault login" in str(error)


def test_a_wrong_mount_is_named(server: Server) -> None:
    error = failure(lambda: kv.read(server.client("root"), "sekret", APP_PATH))
    assert isinstance(error, WrongMountError)
    assert "nothing is mounted at sekret/. Set vault_mount" in str(error)
    error = failure(lambda: kv.read(server.client(), "sekret", APP_PATH))
    assert "check that vault_mount and the path are spelled right" in error.remedy


def test_a_quota_that_is_used_up_says_so_and_passes(server: Server) -> None:
    quota = "/v1/sys/quotas/rate-limit/one-a-minute"
    server.root().adapter.put(quota, json={"path": "secret", "rate": 1, "interval": "1m"})
    try:
        kv.read(server.client("root"), "secret", APP_PATH)
        mark = server.mark()
        error = failure(lambda: kv.read(server.client("root"), "secret", APP_PATH))
    finally:
        server.root().adapter.delete(quota)
    assert isinstance(error, UnreachableError)
    assert "over its rate limit (HTTP 429). Run again in a minute" in str(error)
    assert len(server.requests_since(mark)) <= 3
    kv.read(server.client("root"), "secret", APP_PATH)


def test_an_engine_of_another_kind_is_named(server: Server) -> None:
    error = failure(lambda: kv.read(server.client("root"), "cubbyhole", "app"))
    assert "cubbyhole/ is an engine of type cubbyhole" in str(error)


def test_a_write_after_somebody_elses_is_a_mismatch_and_overwrites_nothing(server: Server) -> None:
    server.put(APP_PATH, {"region": "one"})
    document = kv.read(server.client(), "secret", APP_PATH)
    server.put(APP_PATH, {"region": "two"})
    error = failure(lambda: kv.write_merged(server.client(), "secret", APP_PATH, {"region": "mine"}, read=document))
    assert isinstance(error, kv.CasMismatch)
    assert server.get(APP_PATH)["data"] == {"region": "two"}


def test_a_path_with_awkward_characters_is_the_same_path_everywhere(server: Server) -> None:
    root = server.client("root")
    path = "keybuzz/tenants/écom lg 001%/amazon_spapi"
    absent = kv.read(root, "secret", path)
    assert (absent.state, absent.version) == ("absent", 0)
    assert kv.write_merged(root, "secret", path, {"a": "b"}, read=absent) == 1
    assert server.get(path)["data"] == {"a": "b"}
    server.forget(path)


@pytest.mark.parametrize(
    ("addr", "value", "problem"),
    [
        ("http://vault.example.com:8200", CANARY, "not an https address"),
        ("vault.example.com", CANARY, "not an https address"),
        ("https://user:CANARYpassword@vault.example.com", CANARY, "not an https address"),
        ("https://vault.example.com", f"{CANARY}\n", "spaces, line breaks"),
        ("https://vault.example.com", "", "token is empty"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(addr: str, value: str, problem: str) -> None:
    error = failure(lambda: VaultClient(addr, value))
    assert isinstance(error, BadInputError)
    assert problem in str(error)
    assert "CANARYpassword" not in str(error)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_ca_file_that_holds_no_certificate_is_named(tmp_path: Path, content: str | None) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    error = failure(lambda: VaultClient("https://vault.example.com", CANARY, ca_cert=str(ca_file)))
    assert isinstance(error, BadInputError)
    assert str(ca_file) in str(error)


def test_an_accessor_that_is_gone_is_no_error(server: Server) -> None:
    client = server.client()
    made = token.create(client, "keybuzz-backend-dev", "keybuzz-backend-dev", display_name="x", metadata={})
    token.revoke_accessor(client, made.token.accessor)
    assert token.lookup_accessor(client, made.token.accessor) is None
    token.revoke_accessor(client, made.token.accessor)


def test_neither_client_nor_new_token_shows_a_token(server: Server) -> None:
    client = server.client()
    made = token.create(client, "keybuzz-backend-dev", "keybuzz-backend-dev", display_name="x", metadata={})
    assert made.value not in repr(made)
    assert repr(client) == f"VaultClient('{server.vault.addr}')"
    assert server.token("repair") not in repr(vars(client))
    token.revoke_accessor(client, made.token.accessor)
