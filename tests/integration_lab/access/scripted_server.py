# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS server that answers what a test tells it to, and a proxy that notes what it was told."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

Answer = int | str | dict[str, Any]


@dataclass
class Scripted:
    """``answers``: a status, an object (200), ``reset`` (the connection ends without an answer); the last one stays."""

    url: str = ""
    ca_file: str = ""
    ca: trustme.CA = field(default_factory=trustme.CA)
    answers: list[Answer] = field(default_factory=lambda: [{}])
    retry_after: str | None = None
    seen: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    """(method, headers) of each request."""

    def client_certificate(self, folder: Path) -> tuple[str, str]:
        """Paths of a certificate and a key that this server takes."""
        issued = self.ca.issue_cert("somebody@example.com")
        certificate, key = folder / "client.pem", folder / "client.key"
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        return str(certificate), str(key)


@contextlib.contextmanager
def scripted(folder: Path, *, name: str = "127.0.0.1", client_certificates: bool = False) -> Iterator[Scripted]:
    """``name``: what the certificate is for."""
    made = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers: dict[str, list[str]] = {}
            for key, value in self.headers.items():
                headers.setdefault(key.lower(), []).append(value)
            made.seen.append((self.command, headers))
            answer = made.answers.pop(0) if len(made.answers) > 1 else made.answers[0]
            if answer == "reset":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            body = json.dumps(answer if isinstance(answer, dict) else {"kind": "Status", "message": "CANARY"}).encode()
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            if made.retry_after is not None:
                self.send_header("Retry-After", made.retry_after)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = _answer

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.ca.issue_cert(name).configure_cert(context)
    if client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
        made.ca.configure_trust(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    made.url = f"https://127.0.0.1:{server.server_port}"
    made.ca_file = str(folder / "ca.pem")
    made.ca.cert_pem.write_to_path(made.ca_file)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class ConnectProxy:
    """``heads``: what came before the tunnel; ``tunnelled``: the bytes that went through it towards the server."""

    url: str
    heads: list[bytes] = field(default_factory=list)
    tunnelled: bytearray = field(default_factory=bytearray)


@contextlib.contextmanager
def connect_proxy(*, refuse: bool = False) -> Iterator[ConnectProxy]:
    listening = socket.create_server(("127.0.0.1", 0))
    made = ConnectProxy(f"http://127.0.0.1:{listening.getsockname()[1]}")

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            made.heads.append(head)
            if refuse:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            host, _, port = head.split(b" ")[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as upstream:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(upstream, client, None), daemon=True)
                back.start()
                pump(client, upstream, made.tunnelled)
                back.join()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield made
    finally:
        listening.close()


def pump(source: socket.socket, target: socket.socket, kept: bytearray | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if kept is not None:
                kept.extend(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
