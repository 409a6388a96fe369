# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate before an HTTPS server of the lab: it passes everything on, and lets a test step in between.

It shows a certificate of the authority that the server's own is signed by, so that clients take it for the server.
Of what passes it keeps method, path and status; never a header or a body.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

READING = frozenset({"GET", "HEAD", "LIST"})
# POST in form, questions in fact: nothing is kept of them.
QUESTIONS = (
    "/v1/sys/capabilities-self",
    "/v1/auth/token/lookup",
    "/apis/authorization.k8s.io/",
    "/apis/authentication.k8s.io/",
    "/auth/o2/token",
)
# Headers that speak of one connection, or are made anew for the next one (RFC 9110, section 7.6.1).
OWN_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade"})
PATIENCE = 60.0


@dataclass(frozen=True)
class Request:
    """One request as it came. ``headers`` and ``body`` are for hooks; they are not kept."""

    server: str
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes = field(repr=False, default=b"")

    @property
    def is_write(self) -> bool:
        """Whether the server keeps something of it."""
        if self.method in READING or self.path.startswith(QUESTIONS):
            return False
        return "dryRun=All" not in self.path

    @property
    def what(self) -> str:
        """``PATCH /api/v1/…`` without the query."""
        return f"{self.method} {self.path.partition('?')[0]}"


@dataclass(frozen=True)
class Reply:
    """An answer: the server's, or one in its place. Only its status is kept."""

    status: int
    body: bytes = field(repr=False, default=b"")
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    reason: str | None = field(repr=False, default=None)


class Dropped(Exception):
    """Raised by a hook: the client gets no answer, its connection is closed."""


Before = Callable[[Request], Reply | None]
After = Callable[[Request, Reply], None]


def _pass(request: Request) -> Reply | None:
    return None


def _unseen(request: Request, reply: Reply) -> None:
    return None


class Gate:
    """Stands before one server.

    :param name: what it is called in a record: ``vault``, ``kubernetes``, ``amazon``.
    :param upstream: the server's address, ``https://127.0.0.1:8200``.
    """

    def __init__(self, name: str, upstream: str, ca_file: Path, certificate: tuple[Path, Path]) -> None:
        self.name = name
        self.upstream = urlsplit(upstream)
        self.trust = ssl.create_default_context(cafile=ca_file)
        self.before: Before = _pass
        self.after: After = _unseen
        self.seen: list[tuple[str, int]] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.gate = self
        self._server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.tls.load_cert_chain(*certificate)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def reset(self) -> None:
        """Pass everything on again, and forget what was seen."""
        self.before, self.after = _pass, _unseen
        self.seen.clear()

    @contextlib.contextmanager
    def watched(self, *, before: Before | None = None, after: After | None = None) -> Iterator[Gate]:
        """With these hooks for the length of the block."""
        kept = self.before, self.after
        self.before, self.after = before or _pass, after or _unseen
        try:
            yield self
        finally:
            self.before, self.after = kept

    def writes(self) -> list[str]:
        """``METHOD path`` of what was written and accepted, in order."""
        return [what for what, status in self.seen if status < 400]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    gate: Gate
    tls: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        """TLS is agreed on in the connection's own thread: a slow client holds up nobody."""
        with contextlib.suppress(OSError, ssl.SSLError):
            request.settimeout(PATIENCE)
            with self.tls.wrap_socket(request, server_side=True) as secure:
                self.RequestHandlerClass(secure, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is what the tests want."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def _serve(self) -> None:
        gate = self.server.gate
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(gate.name, self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        try:
            reply = gate.before(request)
            if reply is None:
                reply = self._forwarded(request)
                if request.is_write:
                    gate.seen.append((request.what, reply.status))
                gate.after(request, reply)
        except (Dropped, OSError, http.client.HTTPException):
            self.close_connection = True
            return
        self._answer(reply)

    def _forwarded(self, request: Request) -> Reply:
        """Each on a connection of its own: one that was idle while a hook was at work may be closed by now."""
        gate = self.server.gate
        upstream = http.client.HTTPSConnection(
            gate.upstream.hostname or "", gate.upstream.port, timeout=PATIENCE, context=gate.trust
        )
        with contextlib.closing(upstream):
            headers = {name: value for name, value in request.headers.items() if name.lower() not in OWN_HEADERS}
            upstream.request(request.method, request.path, body=request.body or None, headers=headers)
            answer = upstream.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in OWN_HEADERS}
            return Reply(answer.status, answer.read(), kept)

    def _answer(self, reply: Reply) -> None:
        self.send_response_only(reply.status, reply.reason)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_LIST = _serve

    def log_message(self, format: str, *args: object) -> None:
        """A log would repeat what passes."""
