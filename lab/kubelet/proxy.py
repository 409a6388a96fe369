# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stable loopback port in front of the newest ready pod of a service.

Without a ready pod, ``/healthz`` still goes to one that runs, so that a person can read which fault keeps it
down; anything else, and everything when no process runs, is answered 503 with the reason the pods give.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable

from lab.kubelet.config import Service
from lab.kubelet.node import Node

LONGEST_HEAD = 64 * 1024  # bytes
CONNECT_TIMEOUT = 5.0  # seconds

Target = int | dict[str, object]  # a port, or the body of the 503


def target(node: Node, service: Service, path: str) -> Target:
    """Where a request goes now."""
    pods = node.pods_of(service)
    for pod in pods:
        port = pod.containers[0].port
        if port is not None and all(container.state.ready for container in pod.containers):
            return port
    if path.partition("?")[0] == "/healthz":
        for pod in pods:
            port = pod.containers[0].port
            if port is not None:
                return port
    reasons = [
        {"pod": pod.name, "reason": reason, "message": message}
        for pod in pods
        for container in pod.containers
        if container.state.waiting is not None
        for reason, message in [container.state.waiting]
    ]
    fault = f"{reasons[0]['reason']}: {reasons[0]['message']}" if reasons else "no pod of the backend is ready"
    return {"status": "down", "fault": fault.rstrip(": "), "waiting": reasons}


class Proxy:
    """Serves all services from one event loop in a thread of its own."""

    def __init__(self, node: Node, services: list[Service]) -> None:
        self._node = node
        self._services = services
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> None:
        """Listen. Raises OSError when a port is taken."""
        for service in self._services:
            self._loop.run_until_complete(
                asyncio.start_server(self._handler(service), "127.0.0.1", service.port, limit=LONGEST_HEAD)
            )
        self._thread.start()

    def _handler(self, service: Service) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], asyncio.Task[None]]:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._serve(service, reader, writer)
            writer.close()

        return lambda reader, writer: asyncio.ensure_future(guarded(reader, writer))

    async def _serve(self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *fields = head[:-4].split(b"\r\n")
        words = first.split(b" ")
        path = words[1].decode("latin-1") if len(words) > 1 else "/"
        goal = target(self._node, service, path)
        if isinstance(goal, dict):
            writer.write(_unavailable(goal))
            await writer.drain()
            return
        try:
            upstream, downstream = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", goal), CONNECT_TIMEOUT)
        except (OSError, TimeoutError):
            writer.write(_unavailable({"status": "down", "fault": "the backend's process does not answer yet"}))
            await writer.drain()
            return
        # One request a connection: the next one may belong to another pod.
        kept = [field for field in fields if not field.lower().startswith((b"connection:", b"keep-alive:"))]
        downstream.write(b"\r\n".join([first, *kept, b"Connection: close"]) + b"\r\n\r\n")
        upload = asyncio.ensure_future(_copy(reader, downstream))
        try:
            await _copy(upstream, writer)
        finally:
            upload.cancel()
            downstream.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(LONGEST_HEAD):
            sink.write(data)
            await sink.drain()


def _unavailable(body: dict[str, object]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content
