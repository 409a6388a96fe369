# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many grants over kept connections mean the same as each over its own, and a code is never sent over a kept one."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import lwa

from tests.unit.http.keeping_server import DROPPED, TOKEN, Act, KeepingServer, answer, keeping_server

CANARY = "CANARY-of-a-kept-grant"
CODE = answer("200 OK", {**TOKEN, "refresh_token": "Atzr|new"})


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lwa") / "ca.pem"


@pytest.fixture(scope="module")
def context(ca_file: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(made)
    return made


@pytest.fixture
def server(context: ssl.SSLContext) -> Iterator[KeepingServer]:
    with keeping_server(context) as running:
        yield running


@pytest.fixture
def client(server: KeepingServer, ca_file: Path) -> Iterator[Callable[[int], lwa.LwaClient]]:
    """Makes clients; none of them may wait before it tries again unless the test wants it."""
    made: list[lwa.LwaClient] = []

    def make(kept: int) -> lwa.LwaClient:
        url = f"https://127.0.0.1:{server.port}/auth/o2/token?x=1"
        made.append(lwa.LwaClient(url, ca_cert=str(ca_file), timeout=5, kept=kept, sleep=pauses.append))
        return made[-1]

    pauses.clear()
    yield make
    for one in made:
        one.close()


pauses: list[float] = []


def outcome(client: lwa.LwaClient) -> str:
    """The exception's kind and text, which never hold what was sent or what a server said."""
    try:
        return client.refresh("id", CANARY, f"Atzr|{CANARY}").value
    except KeybuzzError as error:
        assert "CANARY" not in str(error)
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (Act(), "Atza|"),
        (Act(answer("400 Bad Request", {"error": "invalid_grant"})), "InvalidGrant"),
        (Act(answer("401 Unauthorized", {"error": "invalid_client"})), "InvalidClient"),
        (Act(answer("400 Bad Request", {"error": "unauthorized_client"})), "UnauthorizedClient"),
        (Act(answer("503 Service Unavailable", b"<html>CANARY")), "LwaUnavailable"),
        (Act(answer("429 Too Many Requests", {"error": "temporarily_unavailable"})), "LwaUnavailable"),
        (Act(answer("302 Found", b"", "Location: https://127.0.0.1:1/")), "LwaUnavailable"),
        (Act(answer("200 OK", b'{"access_token": "CANARY')), "LwaUnavailable"),
        (Act(answer()[:-9], "close"), "LwaUnavailable"),
        (Act(answer("400 Bad Request", {"error": "invalid_grant"})[:-4], "close"), "LwaUnavailable"),
        (Act(answer("200 OK", {**TOKEN, "more": "x" * lwa.LONGEST_ANSWER})), "LwaUnavailable"),
        (Act(b"CANARY no HTTP\r\n\r\n", "close"), "LwaUnavailable"),
        (DROPPED, "LwaUnavailable"),
        (Act(b"", "reset"), "LwaUnavailable"),
    ],
)
def test_each_answer_means_the_same_over_a_kept_connection(
    server: KeepingServer, client: Callable[[int], lwa.LwaClient], act: Act, kind: str
) -> None:
    server.acts = [act]
    alone = outcome(client(0))
    tries = len(server.requests)
    server.acts, together = [Act()], client(2)
    assert outcome(together).startswith("Atza|")
    server.acts, before = [act], len(server.requests)
    pauses.clear()
    assert outcome(together) == alone
    assert alone.startswith(kind)
    assert len(pauses) == tries - 1
    # One more where the kept connection was found closed: that is no try.
    assert len(server.requests) - before in {tries, tries + 1}


def test_grants_share_connections_and_a_closed_one_costs_no_try(
    server: KeepingServer, client: Callable[[int], lwa.LwaClient]
) -> None:
    together = client(4)
    server.acts = [Act(), Act(), DROPPED, Act(then="close"), Act()]
    for _ in range(5):
        assert outcome(together).startswith("Atza|")
    assert pauses == []
    assert server.connections == 3


def test_a_code_goes_over_a_connection_of_its_own_and_once(
    server: KeepingServer, client: Callable[[int], lwa.LwaClient]
) -> None:
    together = client(4)
    server.acts = [Act(), Act(CODE)]
    outcome(together)
    assert together.exchange_code("id", CANARY, "ANcode").refresh_token == "Atzr|new"
    assert [number for number, _request in server.requests] == [1, 2]
    for lost in (DROPPED, Act(b"", "reset"), Act(answer("503 Service Unavailable", b""))):
        server.acts, before = [lost], len(server.requests)
        with pytest.raises(lwa.LwaUnavailable):
            together.exchange_code("id", CANARY, "ANcode")
        assert len(server.requests) == before + 1
    assert pauses == []


def test_what_is_sent_is_what_the_endpoint_wants(server: KeepingServer, client: Callable[[int], lwa.LwaClient]) -> None:
    for kept in (0, 2):
        client(kept).refresh("an id", "sec+ret", "Atzr|tok/en")
        head, _end, body = server.requests[-1][1].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /auth/o2/token?x=1 HTTP/1.1\r\n")
        assert b"Content-Type: application/x-www-form-urlencoded;charset=UTF-8" in head
        assert b"User-Agent: keybuzz.amazon (Language=Python)" in head
        assert b"Accept-Encoding: identity" in head
        assert body == (
            b"grant_type=refresh_token&refresh_token=Atzr%7Ctok%2Fen&client_id=an+id&client_secret=sec%2Bret"
        )


def test_a_silent_server_is_waited_for_as_long_as_was_asked(context: ssl.SSLContext, ca_file: Path) -> None:
    with keeping_server(context) as server:
        server.gate.clear()
        url = f"https://127.0.0.1:{server.port}/"
        silent = lwa.LwaClient(url, ca_cert=str(ca_file), timeout=0.1, kept=2, sleep=lambda _seconds: None)
        with pytest.raises(lwa.LwaUnavailable, match=r"no answer within 0\.1 s"):
            silent.refresh("id", CANARY, CANARY)
        silent.close()
