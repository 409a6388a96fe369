# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server on loopback that keeps its connections, or ends them as it is told, and counts both."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

TOKEN = {"access_token": "Atza|CANARY", "token_type": "bearer", "expires_in": 3600}


def answer(status: str = "200 OK", body: object = TOKEN, *headers: str) -> bytes:
    """A whole answer; the body is JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


@dataclass(frozen=True)
class Act:
    """What is done with one request.

    :param then: ``keep`` the connection, ``close`` it after the answer without having said so, or ``reset`` it.
    """

    said: bytes = field(default_factory=answer)
    then: Literal["keep", "close", "reset"] = "keep"


DROPPED = Act(b"", "close")
"""The request is read, and there is no answer."""


class KeepingServer:
    """Answers each request with the next of ``acts``, the last of which is repeated.

    :param gate: each answer waits for it.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.acts: list[Act] = [Act()]
        self.requests: list[tuple[int, bytes]] = []
        """Number of the connection, from 1, and the request."""
        self.connections = 0
        self.most_at_once = 0
        self.gate = threading.Event()
        self.gate.set()
        self._at_once = 0
        self._context = context
        self._guard = threading.Lock()
        self._closed = threading.Condition(self._guard)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def all_closed(self) -> None:
        """Waits until no connection is open on this side."""
        with self._closed:
            assert self._closed.wait_for(lambda: self._at_once == 0, 5)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._guard:
                self.connections += 1
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                number = self.connections
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        try:
            with plain, contextlib.suppress(OSError):
                tls = self._context.wrap_socket(plain, server_side=True) if self._context else plain
                with tls:
                    self._talk(tls, number)
        finally:
            with self._closed:
                self._at_once -= 1
                self._closed.notify_all()

    def _talk(self, connection: socket.socket, number: int) -> None:
        while request := _request(connection):
            with self._guard:
                self.requests.append((number, request))
                act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
            self.gate.wait(10)
            connection.sendall(act.said)
            if act.then == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if act.then != "keep":
                return


def _request(connection: socket.socket) -> bytes:
    """One request with its body; empty when the client has ended the connection."""
    got = b""
    while True:
        head, end, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            return got
        more = connection.recv(65536)
        if not more:
            return b""
        got += more


@contextlib.contextmanager
def keeping_server(context: ssl.SSLContext | None = None) -> Iterator[KeepingServer]:
    """The server, ended with the block."""
    server = KeepingServer(context)
    try:
        yield server
    finally:
        server.gate.set()
        server.close()
