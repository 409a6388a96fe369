# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who answers in a server's place, and keeps every byte: as it came, and as far as TLS let it be read."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Prologue = Callable[["Line"], bool]
"""What is said before TLS; False: there will be none."""

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
PASSWORD_PLEASE = b"R" + struct.pack("!ii", 8, 3)  # AuthenticationCleartextPassword


@dataclass
class Peer:
    """A listener on loopback. ``raw``: all bytes that came; ``read``: those that came inside TLS, decrypted."""

    port: int
    raw: bytearray = field(default_factory=bytearray)
    read: bytearray = field(default_factory=bytearray)
    connections: int = 0
    shaken: int = 0
    """Handshakes that were completed on this side."""

    def knows(self, secret: str) -> bool:
        """Whether the secret came through in any form that can be turned back."""
        plain = secret.encode()
        forms = {plain, plain.hex().encode()}
        for before in range(3):  # base64 looks otherwise by where in the text it begins
            encoded = base64.b64encode(b"\0" * before + plain)
            forms.add(encoded[(before * 4 + 2) // 3 : -4])
        return any(form in bytes(seen) for form in forms for seen in (self.raw, self.read))

    @property
    def request_lines(self) -> int:
        """HTTP requests other than a tunnel's, and PostgreSQL's start-up packet, which names user and database."""
        seen = bytes(self.raw + self.read)
        return seen.count(b" HTTP/1.") - seen.count(b"CONNECT ") + seen.count(b"application_name")


class Line:
    """One connection."""

    def __init__(self, peer: Peer, connection: socket.socket) -> None:
        self.peer, self.socket = peer, connection

    def receive(self) -> bytes:
        got = self.socket.recv(65536)
        self.peer.raw += got
        return got

    def until(self, end: bytes) -> None:
        got = b""
        while end not in got:
            more = self.receive()
            if not more:
                raise ConnectionError
            got += more

    def drain(self) -> None:
        while self.receive():
            pass


def straight(_line: Line) -> bool:
    return True


def postgres(line: Line) -> bool:
    """PostgreSQL's own way into TLS."""
    while True:
        asked = line.receive()
        if not asked or asked == SSL_REQUEST:
            break
        line.socket.sendall(b"N")  # GSSAPI, tried first where the client has a ticket
    line.socket.sendall(b"S")
    return True


def postgres_without_tls(line: Line) -> bool:
    """Refuse TLS and hope that the client goes on without."""
    line.receive()
    line.socket.sendall(b"N")
    line.drain()
    return False


def postgres_asks_at_once(line: Line) -> bool:
    """Ask for the password in clear instead of answering the request for TLS."""
    line.receive()
    line.socket.sendall(PASSWORD_PLEASE)
    line.drain()
    return False


def plain_http(line: Line) -> bool:
    """Answer HTTP without TLS."""
    line.receive()
    line.socket.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    with contextlib.suppress(OSError):
        line.socket.shutdown(socket.SHUT_WR)
    line.drain()
    return False


def hang_up(line: Line) -> bool:
    line.receive()
    return False


def tunnel(line: Line) -> bool:
    """A proxy that answers the tunnelled connection itself."""
    line.until(b"\r\n\r\n")
    line.socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return True


@contextlib.contextmanager
def peer(context: ssl.SSLContext, prologue: Prologue = straight, answer: bytes = b"") -> Iterator[Peer]:
    """A peer with this certificate that answers each request inside TLS with ``answer``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Peer(listener.getsockname()[1])

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                found.connections += 1
                open_ones.append(connection)
                one = threading.Thread(target=serve, args=(connection,), daemon=True)
                threads.append(one)
                one.start()

        def serve(connection: socket.socket) -> None:
            connection.settimeout(5)
            with connection, contextlib.suppress(OSError):
                line = Line(found, connection)
                if prologue(line):
                    _inside(line, context, answer)

        threads: list[threading.Thread] = []
        open_ones: list[socket.socket] = []
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield found
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for one in threads:
                one.join(0.3)  # who was refused has hung up
            for connection in open_ones:  # who was not may keep the connection for another request
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for one in threads:  # what had come by then is still read
                one.join(2)


def _inside(line: Line, context: ssl.SSLContext, answer: bytes) -> None:
    """TLS over memory, so that every byte is kept before OpenSSL sees it, also those after a refusal."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)

    def flush() -> None:
        if outgoing.pending:
            line.socket.sendall(outgoing.read())

    def step(action: Callable[[], object]) -> object:
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                flush()
                got = line.receive()
                if got:
                    incoming.write(got)
                else:
                    incoming.write_eof()
            finally:
                flush()

    try:
        step(tls.do_handshake)
        line.peer.shaken += 1
        while True:
            got = step(lambda: tls.read(65536))
            if not isinstance(got, bytes) or not got:
                break
            line.peer.read += got
            if answer:
                tls.write(answer)
                flush()
    except ssl.SSLError:  # the client's alert, or its end without one
        with contextlib.suppress(OSError):
            line.drain()
