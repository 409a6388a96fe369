# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP proxy with the toxics of toxiproxy's vocabulary, and packets that are really lost.

One loop in a thread serves all links. A toxic begins when so many bytes of answers have passed its link, so that it
meets the middle of something, and it lasts until :meth:`Link.heal`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

CHUNK = 16 * 1024
# socket(7): a filter that lets nothing of a packet through. TCP does not even acknowledge it: to its sender it is lost.
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
_NOTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: RET 0


@dataclass(frozen=True)
class Toxic:
    """What happens on a link.

    :param name: ``latency`` (``seconds`` for each piece), ``bandwidth`` (``size`` bytes a second), ``slicer`` (pieces
        of ``size`` bytes, ``seconds`` between them), ``slow_close`` (``seconds``), ``timeout`` (nothing passes any
        more; closed after ``seconds``, 0: never), ``reset_peer`` (a TCP reset), ``limit_data`` (closed in good order),
        ``down`` (closed, and nothing listens), ``lost`` (packets arrive nowhere, also those of new connections).
    :param after: bytes of answers that pass the link before it begins.
    """

    name: str
    after: int = 0
    size: int = 0
    seconds: float = 0.0


class Links:
    """The loop of all links; each is made by :meth:`link`."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def link(self, port: int) -> Link:
        """A proxy on a port of its own before the server at this loopback port."""
        made: Link = self.run(self._link(port))
        return made

    async def _link(self, port: int) -> Link:
        link = Link(self, port)
        await link.listen()
        return link

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Do it in the loop."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(30)

    def close(self) -> None:
        """End the loop with all that is in it."""

        async def end() -> None:
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=5)


class Link:
    """One proxy. ``passed`` counts the bytes of answers since the last toxic or heal."""

    def __init__(self, links: Links, upstream: int) -> None:
        self.port = 0
        self.passed = 0
        self.met = False
        self._links, self._upstream = links, upstream
        self._toxic: Toxic | None = None
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._open: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def poison(self, toxic: Toxic) -> None:
        """From now on, or once its bytes have passed."""
        self._links.run(self._set(toxic))

    def heal(self) -> None:
        """Everything passes again; connections that a toxic held are reset."""
        self._links.run(self._set(None))

    async def _set(self, toxic: Toxic | None) -> None:
        self._toxic, self.passed, self.met = toxic, 0, False
        await self._reset_all()
        if self._listener is None:
            await self.listen()
        else:
            with contextlib.suppress(OSError):  # it has no filter
                self._listener.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        if toxic is not None and not toxic.after:
            self._begin(toxic)

    async def _reset_all(self) -> None:
        for one in self._open:
            _reset_at_its_end(one)
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def listen(self) -> None:
        """Take connections, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._accepting = asyncio.get_running_loop().create_task(self._accept(self._listener))

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            self._spawn(self._serve(client))

    def _spawn(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        server = socket.socket()
        for one in (client, server):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(one)
        try:
            await loop.sock_connect(server, ("127.0.0.1", self._upstream))
            async with asyncio.TaskGroup() as both:
                both.create_task(self._copy(client, server, answers=False))
                both.create_task(self._copy(server, client, answers=True))
        except* OSError:
            pass
        finally:
            for one in (client, server):
                self._open.discard(one)
                one.close()

    async def _copy(self, source: socket.socket, target: socket.socket, *, answers: bool) -> None:
        loop = asyncio.get_running_loop()
        while chunk := await loop.sock_recv(source, CHUNK):
            while chunk:
                piece, chunk = self._cut(chunk, answers)
                if await self._act(piece, target):
                    continue
                await loop.sock_sendall(target, piece)
                if answers:
                    self.passed += len(piece)
                    self._look()
        toxic = self._active()
        if toxic is not None and toxic.name == "slow_close":
            self.met = True
            await asyncio.sleep(toxic.seconds)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _cut(self, chunk: bytes, answers: bool) -> tuple[bytes, bytes]:
        """No piece reaches beyond the byte at which a toxic begins, nor is larger than a slice of it."""
        toxic = self._toxic
        size = len(chunk)
        if toxic and answers and self.passed < toxic.after:
            size = min(size, toxic.after - self.passed)
        elif self._active() and toxic and toxic.size:
            size = min(size, toxic.size)
        return chunk[:size], chunk[size:]

    def _active(self) -> Toxic | None:
        return self._toxic if self._toxic and self.passed >= self._toxic.after else None

    def _look(self) -> None:
        if (toxic := self._active()) and not self.met:
            self._begin(toxic)

    def _begin(self, toxic: Toxic) -> None:
        """What concerns all connections at once."""
        if toxic.name == "down":
            self.met = True
            if self._accepting is not None and self._listener is not None:
                self._accepting.cancel()
                self._listener.close()
                self._listener = None
            for task in self._tasks:
                task.cancel()
        elif toxic.name == "lost":
            self.met = True
            for one in (*self._open, *filter(None, (self._listener,))):
                nothing = struct.pack("HL", 1, ctypes.addressof(_NOTHING))
                one.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, nothing)

    async def _act(self, piece: bytes, target: socket.socket) -> bool:
        """What the toxic does to a piece; whether the piece is gone."""
        toxic = self._active()
        if toxic is None:
            return False
        self.met = True
        if toxic.name in {"latency", "slicer"}:
            await asyncio.sleep(toxic.seconds)
        elif toxic.name == "bandwidth":
            await asyncio.sleep(len(piece) / toxic.size)
        elif toxic.name == "reset_peer":
            for one in self._open:
                _reset_at_its_end(one)
            raise ConnectionResetError
        elif toxic.name == "limit_data":
            raise ConnectionAbortedError
        elif toxic.name == "timeout":
            await asyncio.sleep(toxic.seconds or 3600.0)
            raise ConnectionAbortedError
        return toxic.name in {"lost", "down"}


def _reset_at_its_end(one: socket.socket) -> None:
    """Lingering zero seconds turns its close into a TCP reset."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
