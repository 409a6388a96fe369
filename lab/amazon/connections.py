# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open connections by their client's address, so that one can be cut in the middle of a request."""

from __future__ import annotations

import asyncio
import socket
import struct

from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TRANSPORTS: dict[tuple[str, int], asyncio.Transport] = {}


class Cuttable(HttpToolsProtocol):
    """uvicorn's own HTTP protocol; it only keeps its transport where :func:`cut` finds it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        super().connection_made(transport)
        # asyncio does this only for sockets that name TCP as their protocol, which those of create_server do not.
        # Without it every answer waits some 40 ms for the client's acknowledgement of its headers.
        plain: socket.socket = transport.get_extra_info("socket")
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.client:
            _TRANSPORTS[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """A client is gone."""
        if self.client:
            _TRANSPORTS.pop(self.client, None)
        super().connection_lost(exc)


def close_all() -> None:
    """Ends every connection at once: an idle one would hold up the end of the server."""
    for transport in list(_TRANSPORTS.values()):
        transport.abort()


def cut(request: Request) -> None:
    """Ends the connection of a request with a TCP reset, before any answer."""
    if request.client is None:
        return
    transport = _TRANSPORTS.get((request.client.host, request.client.port))
    if transport is None:
        return
    # Lingering zero seconds turns the close into a TCP reset; Python's ssl shows it as an unexpected end.
    plain: socket.socket = transport.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
