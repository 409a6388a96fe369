# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate before the lab's PostgreSQL: it passes everything on, and knows when a transaction that wrote is committed.

It reads the frames of the server's answers (PostgreSQL's documentation, "Message Formats") and of these only the tags
of finished commands; no row and no statement is looked at or kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from tests.chaos.gate import Dropped

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
CHUNK = 64 * 1024
WRITING = (b"INSERT", b"UPDATE", b"DELETE", b"COPY", b"CREATE", b"ALTER", b"DROP", b"TRUNCATE", b"MERGE")

Committed = Callable[[str], None]


def _unseen(what: str) -> None:
    return None


class PostgresGate:
    """Stands before one server, on a port of its own.

    ``committed`` is called with the transaction's commands when the server has committed and the client does not know
    it yet. ``Dropped`` raised by it closes the connection without a word.
    """

    def __init__(self, port: int, ca_file: Path, certificate: tuple[Path, Path]) -> None:
        self.committed: Committed = _unseen
        self.seen: list[str] = []
        self._upstream = port
        self._trust = ssl.create_default_context(cafile=ca_file)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*certificate)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def reset(self) -> None:
        """Pass everything on again, and forget what was seen."""
        self.committed = _unseen
        self.seen.clear()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError, Dropped):
            if await reader.readexactly(8) != SSL_REQUEST:
                writer.close()
                return
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(self._tls)
            server_reader, server_writer = await self._connected()
            upward = asyncio.create_task(_copy(reader, server_writer))
            try:
                await self._answers(server_reader, writer)
            finally:
                upward.cancel()
                server_writer.close()
        writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        writer.write(SSL_REQUEST)
        await writer.drain()
        if await reader.readexactly(1) != b"S":
            raise ConnectionError("the lab's PostgreSQL speaks TLS")
        await writer.start_tls(self._trust, server_hostname="127.0.0.1")
        return reader, writer

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Frame by frame: what a hook holds back has not reached the client."""
        commands: list[str] = []
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
            if head[:1] == b"C":
                tag = body.rstrip(b"\0")
                if tag.startswith(WRITING) and not tag.endswith(b" 0"):
                    commands.append(tag.decode())
                elif tag == b"COMMIT" and commands:
                    what = f"COMMIT of {', '.join(commands)}"
                    commands = []
                    self.seen.append(what)
                    await asyncio.to_thread(self.committed, what)
                elif tag == b"ROLLBACK":
                    commands = []
            writer.write(head + body)
            await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()
