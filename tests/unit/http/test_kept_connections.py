# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that are kept: how many there are, and what becomes of a request when the other side has ended one."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import trustme
from ansible_collections.keybuzz.amazon.plugins.module_utils._kept_connections import (
    KeptConnections,
    Request,
    Way,
    environment_proxy,
)

from tests.chaos.tls_peer import peer, tunnel

from .keeping_server import DROPPED, TOKEN, Act, KeepingServer, answer, keeping_server

ASK = Request("POST", "/token", b"a=b")
HEADERS = {"X-One": "1"}
ONCE = replace(ASK, once=True)
CREDENTIALS = {"Proxy-Authorization": "Basic bWU6cEBzcw=="}  # me:p@ss


@pytest.fixture
def server() -> Iterator[KeepingServer]:
    with keeping_server() as running:
        yield running


def kept(server: KeepingServer, most: int = 4, **way: ssl.SSLContext | None) -> KeptConnections:
    return KeptConnections(Way("127.0.0.1", server.port, way.get("context")), HEADERS, timeout=5, most=most)


def test_requests_one_after_the_other_go_over_one_connection(server: KeepingServer) -> None:
    connections = kept(server)
    for _ in range(5):
        received = connections.send(ASK)
        assert (received.status, received.body) == (200, answer().partition(b"\r\n\r\n")[2])
    assert [number for number, _request in server.requests] == [1] * 5
    assert b"Connection: keep-alive" in server.requests[0][1]
    connections.close()
    server.all_closed()


def test_where_none_is_kept_each_request_has_its_own_and_says_so(server: KeepingServer) -> None:
    connections = kept(server, most=0)
    for _ in range(3):
        connections.send(ASK)
    assert [number for number, _request in server.requests] == [1, 2, 3]
    assert all(b"Connection: close" in request for _number, request in server.requests)
    server.all_closed()


@pytest.mark.parametrize("acts", [[Act(then="close")], [Act(), DROPPED, Act()], [Act(), Act(b"", "reset"), Act()]])
def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure(server: KeepingServer, acts: list[Act]) -> None:
    # Closed before the next request is sent, and closed or reset when it has arrived.
    server.acts = acts
    connections = kept(server)
    assert [connections.send(ASK).status for _ in range(3)] == [200, 200, 200]


def test_a_new_connection_that_breaks_is_a_failure_and_nothing_is_sent_again(server: KeepingServer) -> None:
    server.acts = [DROPPED]
    with pytest.raises(ConnectionError):
        kept(server).send(ASK)
    assert len(server.requests) == 1


def test_an_answer_that_breaks_off_is_not_asked_for_again(server: KeepingServer) -> None:
    server.acts = [Act(), Act(answer()[:-5], "close"), Act()]
    connections = kept(server)
    connections.send(ASK)
    assert isinstance(connections.send(ASK).broken, http.client.IncompleteRead)
    assert len(server.requests) == 2


def test_what_must_not_arrive_twice_is_sent_once_over_a_connection_of_its_own(server: KeepingServer) -> None:
    connections = kept(server)
    connections.send(ASK)
    connections.send(ONCE)
    assert [number for number, _request in server.requests] == [1, 2]
    server.acts = [DROPPED]
    with pytest.raises(ConnectionError):
        connections.send(ONCE)
    assert len(server.requests) == 3
    server.acts = [Act()]
    connections.send(ASK)
    assert server.requests[-1][0] == 1, "the kept one is still there"


def test_a_request_is_the_one_that_the_library_would_send_in_one_piece(server: KeepingServer) -> None:
    for request in (ASK, Request("GET", "/v1/a%20b?version=3"), Request("POST", "/", b"")):
        for connections in (kept(server, most=0), kept(server)):
            connections.send(request)
        alone, together = (sent.replace(b"close", b"keep-alive") for _number, sent in server.requests[-2:])
        assert sorted(alone.split(b"\r\n")) == sorted(together.split(b"\r\n"))


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX-Two: 2", "/é", ""])
def test_a_path_that_would_be_more_than_one_is_not_sent(server: KeepingServer, path: str) -> None:
    with pytest.raises(http.client.InvalidURL):
        kept(server).send(Request("GET", path))
    assert server.requests == []


def test_a_header_that_would_be_more_than_one_is_refused() -> None:
    with pytest.raises(ValueError, match="character"):
        KeptConnections(Way("x", 80, None), {"X": "a\r\nY: b"}, timeout=1)


@pytest.mark.parametrize(
    ("host", "port", "tls", "named"),
    [("a.example", 443, True, "a.example"), ("a.example", 443, False, "a.example:443"), ("::1", 80, False, "[::1]")],
)
def test_the_host_is_named_as_the_library_names_it(host: str, port: int, tls: bool, named: str) -> None:
    assert Way(host, port, ssl.create_default_context() if tls else None).authority == named


def test_many_threads_open_no_more_connections_than_allowed(server: KeepingServer) -> None:
    connections = kept(server, most=3)
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(lambda _: connections.send(ASK).status, range(120))) == {200}
    assert server.most_at_once <= 3
    assert len(server.requests) == 120
    connections.close()
    server.all_closed()


@pytest.mark.parametrize(
    "said", [answer("200 OK", b"x" * 100), answer("200 OK", TOKEN, "Connection: close"), b"HTTP/1.0 200 OK\r\n\r\nxx"]
)
def test_a_connection_with_something_left_on_it_or_announced_to_end_is_not_used_again(
    server: KeepingServer, said: bytes
) -> None:
    server.acts = [Act(said, "close" if said.startswith(b"HTTP/1.0") else "keep"), Act()]
    connections = kept(server)
    connections.send(replace(ASK, longest=50))
    connections.send(ASK)
    assert [number for number, _request in server.requests] == [1, 2]


def test_no_more_of_a_body_is_read_than_asked_for(server: KeepingServer) -> None:
    server.acts = [Act(answer("200 OK", b"x" * 100))]
    assert kept(server).send(replace(ASK, longest=50)).body == b"x" * 50


@pytest.mark.parametrize(
    ("name", "own"), [("127.0.0.1", True), ("localhost", False)], ids=["another authority", "another name"]
)
def test_nothing_is_sent_to_a_server_that_is_not_verified(name: str, own: bool) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    trusted = ssl.create_default_context()
    (trustme.CA() if own else authority).configure_trust(trusted)
    with keeping_server(context) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            kept(server, context=trusted).send(ASK)
        server.all_closed()
        assert server.requests == []


def test_a_verified_server_is_verified_once_for_each_connection() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    with keeping_server(context) as server:
        connections = kept(server, context=trusted)
        for then in ("keep", "close", "keep"):
            server.acts = [Act(then=then)]  # type: ignore[arg-type]
            connections.send(ASK)
        assert [number for number, _request in server.requests] == [1, 1, 2]
        connections.close()


def test_a_tunnel_through_a_proxy_is_kept_too_and_what_is_for_the_proxy_stays_with_it() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.example").configure_cert(context)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    with peer(context, tunnel, answer()) as proxy:
        way = Way("api.example", 8443, trusted, (f"127.0.0.1:{proxy.port}", CREDENTIALS))
        connections = KeptConnections(way, HEADERS, timeout=5, most=2)
        for _ in range(3):
            assert connections.send(Request("GET", "/token")).status == 200
        connections.close()
    assert proxy.connections == 1
    assert bytes(proxy.raw).startswith(b"CONNECT api.example:8443 HTTP/1.")
    assert proxy.raw.count(b"Proxy-Authorization") == 1
    assert proxy.read.count(b"GET /token HTTP/1.1") == 3
    assert b"Proxy-Authorization" not in proxy.read


@pytest.mark.parametrize(
    ("proxy", "bypassed", "found"),
    [
        ("http://proxy.example:3128", "", ("proxy.example:3128", {})),
        ("proxy.example:3128", "", ("proxy.example:3128", {})),
        ("https://proxy.example:3128/", "", ("proxy.example:3128", {})),
        (
            "http://me:p%40ss@proxy.example:3128",
            "",
            ("proxy.example:3128", {"Proxy-Authorization": "Basic bWU6cEBzcw=="}),
        ),
        ("http://proxy.example:3128", "api.amazon.com", None),
        ("http://proxy.example:3128", "amazon.com", None),
        ("", "", None),
    ],
)
def test_the_environment_says_which_proxy_is_asked(
    proxy: str, bypassed: str, found: object, no_proxies: Callable[..., None]
) -> None:
    no_proxies(HTTPS_PROXY=proxy, NO_PROXY=bypassed)
    assert environment_proxy("api.amazon.com") == found


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the proxies of the environment to what is given alone."""

    def only(**given: str) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            for spelled in (name, name.upper()):
                monkeypatch.delenv(spelled, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)

    return only
