# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads side by side keep every promise of the client: headers, repeats, meanings; only the connections differ."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.reads import Reads

from tests.unit.http.keeping_server import DROPPED, Act, KeepingServer, answer, keeping_server
from tests.unit.kube.tls_servers import closed_port

DOCUMENT = {"data": {"data": {"a": "b"}, "metadata": {"version": 1, "created_time": "2026-01-12T12:00:00Z"}}}
GOOD = Act(answer("200 OK", DOCUMENT))
TOKEN = "hvs.CANARY"


@pytest.fixture
def server() -> Iterator[KeepingServer]:
    with keeping_server() as running:
        running.acts = [GOOD]
        yield running


def client(server: KeepingServer, *, many: bool = True, **given: Any) -> VaultClient:
    made = VaultClient(f"http://127.0.0.1:{server.port}", TOKEN, timeout=5, **given)
    if many:
        made.read_side_by_side(3)
    return made


def head(request: bytes) -> tuple[str, dict[str, str]]:
    """The request line and the headers but for those that say how the body is sent."""
    first, *lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return first, {name: value for name, value in headers.items() if name not in {"accept-encoding", "connection"}}


def test_a_read_is_the_same_request_as_the_library_makes(server: KeepingServer) -> None:
    reader = client(server, namespace="team/a")
    for path in ("keybuzz/app", "keybuzz/app", "keybuzz//tenants/a b é/", "keybuzz/tenants/a b é"):
        kv.read(reader, "secret", path)
    kv.read_version(reader, "secret", "keybuzz/app", 3)
    other = client(server, many=False, namespace="team/a")
    kv.read(other, "secret", "keybuzz/tenants/a b é")
    kv.read_version(other, "secret", "keybuzz/app", 3)
    by_library, kept, doubled, plain, version, plain_by_library, version_by_library = (
        head(request) for _number, request in server.requests
    )
    assert kept == by_library
    assert doubled == plain == plain_by_library
    assert version == version_by_library
    assert version[0] == "GET /v1/secret/data/keybuzz/app?version=3 HTTP/1.1"
    assert kept[1]["x-vault-token"] == TOKEN
    assert kept[1]["x-vault-namespace"] == "team/a"
    assert kept[1]["x-vault-request"] == "true"


def test_many_threads_read_over_no_more_connections_than_allowed(server: KeepingServer) -> None:
    reader = client(server)
    kv.read(reader, "secret", "app")
    with ThreadPoolExecutor(9) as pool:
        found = list(pool.map(lambda at: kv.read(reader, "secret", f"tenants/{at}").data, range(90)))
    assert found == [{"a": "b"}] * 90
    assert server.connections <= 1 + 3
    reader.close()
    server.all_closed()


PASSING = [DROPPED, *(Act(answer(f"{status} X", b"")) for status in (412, 429, 502, 503, 504))]


@pytest.mark.parametrize("failure", PASSING)
def test_a_read_survives_two_failures_that_pass_and_gives_up_after_three(server: KeepingServer, failure: Act) -> None:
    reader = client(server)
    kv.read(reader, "secret", "app")
    server.acts = [failure, failure, GOOD]
    assert kv.read(reader, "secret", "app").data == {"a": "b"}
    server.acts, before = [failure], len(server.requests)
    with pytest.raises(KeybuzzError):
        kv.read(reader, "secret", "app")
    asked = [head(request)[0] for _number, request in server.requests[before:]]
    # One more where the kept connection was found closed.
    assert asked.count("GET /v1/secret/data/app HTTP/1.1") in {3, 4}


@pytest.mark.parametrize(
    "act",
    [
        Act(answer("403 Forbidden", {"errors": ["1 error occurred: permission denied"]})),
        Act(answer("404 Not Found", {"errors": []})),
        Act(answer("404 Not Found", {"errors": ["no handler for route"]})),
        Act(answer("307 Temporary Redirect", b"", "Location: https://other.example/v1/secret/data/app")),
        Act(answer("429 Too Many Requests", {"errors": []}, "Retry-After: 60")),
        Act(answer("503 Service Unavailable", {"errors": ["Vault is sealed"]})),
        Act(answer("500 X", {"errors": ["internal error"]})),
        Act(answer("200 OK", b"<html>CANARY")),
        Act(answer("200 OK", DOCUMENT)[:-9], "close"),
        Act(b"CANARY\r\n\r\n", "close"),
        DROPPED,
    ],
)
def test_each_answer_means_the_same_either_way(server: KeepingServer, act: Act) -> None:
    def said(reader: VaultClient) -> str:
        try:
            return str(kv.read(reader, "secret", "app"))
        except KeybuzzError as error:
            # A connection that broke is told with the name that the library at hand has for that.
            return re.sub(r"broke \(\w+\)", "broke", f"{type(error).__name__}: {error}")

    server.acts = [act]
    alone = said(client(server, many=False))
    server.acts, reader = [GOOD], client(server)
    kv.read(reader, "secret", "app")
    reader.kv_engines.clear()
    server.acts = [act]
    assert said(reader) == alone
    assert "CANARY" not in alone


def test_what_writes_or_asks_goes_the_usual_way(server: KeepingServer) -> None:
    reader = client(server)
    read = kv.read(reader, "secret", "app")
    server.acts = [Act(answer("200 OK", {"data": {"version": 2}})), GOOD]
    assert kv.write_merged(reader, "secret", "app", {"a": "c"}, read=read) == 2
    assert b'"a": "c"' in server.requests[-1][1]


def test_another_token_of_the_same_server_does_not_use_these_reads(server: KeepingServer) -> None:
    reader = client(server)
    kv.read(reader, "secret", "app")
    kv.read(reader, "secret", "app")
    kv.read(reader.acting_as("hvs.other"), "secret", "app")
    assert [head(request)[1]["x-vault-token"] for _number, request in server.requests] == [TOKEN, TOKEN, "hvs.other"]


@pytest.mark.parametrize(("bypassed", "by_itself"), [("", False), ("vault.example", True)])
def test_a_server_behind_a_proxy_is_left_to_the_library(
    bypassed: str, by_itself: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", bypassed)
    session = requests.Session()
    reads = Reads(ssl.create_default_context(), timeout=0.1, connections=2)
    sent = session.prepare_request(requests.Request("GET", f"https://vault.example:{closed_port()}/v1/secret/data/app"))
    reads.learn(session, "secret/data/app", sent)
    if by_itself:
        with pytest.raises(OSError):
            reads.get("secret/data/app")
    else:
        assert reads.get("secret/data/app") is None


def test_a_server_that_went_away_is_said_so() -> None:
    with keeping_server() as server:
        server.acts = [GOOD]
        reader = client(server)
        kv.read(reader, "secret", "app")
        server.close()
        server.acts = [DROPPED]
        with pytest.raises(KeybuzzError, match="connection refused"):
            kv.read(reader, "secret", "app")
