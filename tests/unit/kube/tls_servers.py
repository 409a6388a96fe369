# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS servers with certificates of every sort, which note whether anybody sent them a byte after the handshake."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import trustme


@dataclass
class Site:
    """A TLS server on loopback. ``received``: the bytes clients sent inside TLS, connection by connection."""

    port: int
    ca_pem: str
    leaf_pem: str
    host: str = "127.0.0.1"
    received: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    def heard(self) -> list[bytes]:
        """What was received, once the last connection has ended."""
        end = time.monotonic() + 2
        while not self.received and time.monotonic() < end:
            time.sleep(0.01)
        return list(self.received)

    @classmethod
    @contextlib.contextmanager
    def running(
        cls,
        *names: str,
        expired: bool = False,
        future: bool = False,
        authority: trustme.CA | None = None,
        chain: bool = True,
    ) -> Iterator[Site]:
        """A server whose certificate is for ``names`` (default: 127.0.0.1 and localhost)."""
        signer = authority or trustme.CA()
        today = datetime.now(UTC)
        dates = {}
        if expired:
            dates = {"not_before": today - timedelta(days=3), "not_after": today - timedelta(days=1)}
        if future:
            dates = {"not_before": today + timedelta(days=1), "not_after": today + timedelta(days=3)}
        leaf = signer.issue_cert(*(names or ("127.0.0.1", "localhost")), **dates)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if chain:
            leaf.configure_cert(context)
        else:
            with leaf.private_key_and_cert_chain_pem.tempfile() as path:
                context.load_cert_chain(path)
        leaf_pem = leaf.cert_chain_pems[0].bytes().decode()
        with _listening() as listener:
            site = cls(listener.getsockname()[1], signer.cert_pem.bytes().decode(), leaf_pem)
            thread = threading.Thread(target=_serve, args=(listener, context, site.received), daemon=True)
            thread.start()
            yield site


@contextlib.contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """The port of a server with this context, for a certificate that :class:`Site` cannot make."""
    with _listening() as listener:
        threading.Thread(target=_serve, args=(listener, context, []), daemon=True).start()
        yield int(listener.getsockname()[1])


@contextlib.contextmanager
def plain_server() -> Iterator[int]:
    """The port of a server that answers plain HTTP to whatever it gets."""
    with _listening() as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with _listening() as listener:
        yield listener.getsockname()[1]


def closed_port() -> int:
    with _listening() as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def _listening() -> Iterator[socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        yield listener
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _serve(listener: socket.socket, context: ssl.SSLContext, received: list[bytes]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as tls:
            tls.settimeout(2)
            try:
                received.append(tls.recv(1000))
            except ConnectionError:  # hung up without reading the session tickets
                received.append(b"")
