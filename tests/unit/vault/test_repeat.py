# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent once more when it fails, by a listener on loopback that fails as it is told, and what never is."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv, repeat
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.document import Document

GOOD = {"data": {"data": {"a": "b"}, "metadata": {"version": 1, "created_time": "2026-01-12T12:00:00Z"}}}
WRITTEN = {"data": {"version": 2}}
READ = Document("https://vault/v1/secret/data/app", "present", 1, {"a": "b"}, {"a": "b"})


class Flaky:
    """Answers each request with the next of its list: a status, or ``None`` for a connection that breaks."""

    def __init__(self) -> None:
        self.failures: list[int | None] = []
        self.headers = ""
        self.body = ""
        self.good: object = GOOD
        self.requests: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.client = VaultClient(f"http://127.0.0.1:{self._socket.getsockname()[1]}", "hvs.CANARY", timeout=2)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        self.requests.append(received.split(b"\r\n")[0].decode().removesuffix(" HTTP/1.1"))
        status = self.failures.pop(0) if self.failures else 200
        if status is None:
            return  # closed after the request was received and before it is answered
        body = json.dumps(self.good) if status == 200 else self.body
        head = f"HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{self.headers}\r\n"
        connection.sendall((head + body).encode())

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def flaky() -> Iterator[Flaky]:
    made = Flaky()
    yield made
    made.close()


@pytest.mark.parametrize("failure", [None, 412, 429, 502, 503, 504])
def test_a_read_survives_two_failures_that_pass(flaky: Flaky, failure: int | None) -> None:
    flaky.failures = [failure, failure]
    assert kv.read(flaky.client, "secret", "app").data == {"a": "b"}
    assert flaky.requests == ["GET /v1/secret/data/app"] * 3


@pytest.mark.parametrize("failure", [None, 412, 429, 502, 503, 504])
def test_a_read_gives_up_after_three(flaky: Flaky, failure: int | None) -> None:
    flaky.failures = [failure] * 9
    with pytest.raises(KeybuzzError):
        kv.read(flaky.client, "secret", "app")
    assert flaky.requests.count("GET /v1/secret/data/app") == 3


@pytest.mark.parametrize("failure", [400, 405, 472, 473, 500])
def test_what_does_not_pass_is_asked_once(flaky: Flaky, failure: int) -> None:
    flaky.failures = [failure] * 9
    with pytest.raises(KeybuzzError):
        kv.read(flaky.client, "secret", "app")
    assert flaky.requests.count("GET /v1/secret/data/app") == 1


def test_a_sealed_server_is_not_waited_for(flaky: Flaky) -> None:
    flaky.failures, flaky.body = [503] * 9, json.dumps({"errors": ["Vault is sealed"]})
    with pytest.raises(KeybuzzError):
        kv.read(flaky.client, "secret", "app")
    assert flaky.requests.count("GET /v1/secret/data/app") == 1


@pytest.mark.parametrize("failure", [None, 502, 503, 504, 500])
def test_a_write_whose_answer_was_lost_is_never_sent_again(flaky: Flaky, failure: int | None) -> None:
    flaky.failures = [failure] * 9
    with pytest.raises(KeybuzzError):
        kv.write_merged(flaky.client, "secret", "app", {"a": "c"}, read=READ)
    assert flaky.requests.count("POST /v1/secret/data/app") == 1


@pytest.mark.parametrize("failure", [412, 429])
def test_a_write_that_was_refused_before_it_was_worked_on_is_sent_again(flaky: Flaky, failure: int) -> None:
    flaky.failures, flaky.good = [failure], WRITTEN
    assert kv.write_merged(flaky.client, "secret", "app", {"a": "c"}, read=READ) == 2
    assert flaky.requests == ["POST /v1/secret/data/app"] * 2


def test_a_server_that_asks_for_more_patience_than_we_have_is_reported(flaky: Flaky) -> None:
    flaky.failures, flaky.headers = [429] * 9, "Retry-After: 60\r\n"
    with pytest.raises(UnreachableError, match="rate limit"):
        kv.read(flaky.client, "secret", "app")
    assert len(flaky.requests) == 1


def test_asking_for_capabilities_is_a_read_although_it_is_a_post() -> None:
    assert repeat.is_read("POST", "sys/capabilities-self")
    assert not repeat.is_read("POST", "auth/token/revoke-self")
    assert not repeat.is_read("POST", "auth/approle/login")


def test_the_pauses_are_bounded_and_follow_a_short_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeat, "PAUSES", (0.2, 0.6))
    assert 0.15 <= (repeat.pause(1, {}) or 0) <= 0.25
    assert repeat.pause(1, {"Retry-After": "2"}) == 2.0
    assert repeat.pause(1, {"Retry-After": "3"}) is None
    assert repeat.pause(3, {}) is None
    assert repeat.pause(2, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}) is not None
