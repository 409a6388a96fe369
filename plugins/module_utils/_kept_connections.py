# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""HTTP connections to one server that are kept between requests, for many threads.

The standard library's own connections, because of what is asked of them here: to know whether a request went over one
that was kept, so that a server that has closed it meanwhile is no failure, and to cost little: about a third of the
processor's time that a request takes over urllib3, and a sixth of what it takes over requests.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import select
import ssl
import threading
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.keybuzz.amazon.plugins.module_utils._http_exchange import Received, by_library, exchange

LOST = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""What a request meets on a kept connection that the other side has closed."""
_LINE = re.compile(r"[ -~]*")
_TARGET = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Request:
    """A request.

    :param path: with its query, quoted.
    :param longest: bytes of the answer's body that are read at most; ``None``: all of it.
    :param once: it must not arrive twice: it goes over a new connection, and over no other after that. What may be
        repeated goes over a kept one, and once more over a new one if that has been closed by the other side.
    """

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    longest: int | None = None
    once: bool = False


@dataclass(frozen=True)
class Way:
    """How a server is reached.

    :param host: its name, which its certificate has to hold; likewise ``port``.
    :param context: what TLS is verified with; ``None`` for plain HTTP.
    :param proxy: host and port of the proxy that is asked for a tunnel, and the headers for the proxy alone.
    """

    host: str
    port: int
    context: ssl.SSLContext | None
    proxy: tuple[str, Mapping[str, str]] | None = field(default=None, repr=False)

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """A new connection, opened by its first request."""
        if self.context is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        if self.proxy is None:
            return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self.context)
        place, headers = self.proxy
        connection = http.client.HTTPSConnection(place, timeout=timeout, context=self.context)
        connection.set_tunnel(self.host, self.port, headers=dict(headers))
        return connection

    @property
    def authority(self) -> str:
        """The server as the header ``Host`` names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 80 if self.context is None else 443
        return host if self.port == usual else f"{host}:{self.port}"


class KeptConnections:
    """Requests to one server.

    :param headers: of each of them.
    :param timeout: seconds without progress on a connection after which a request ends.
    :param most: how many connections are kept, and are open at the same time for what may be repeated; 0: none is
        kept, and each request opens one of its own.
    :raises ValueError: a header cannot be one.
    """

    def __init__(self, way: Way, headers: Mapping[str, str], *, timeout: float, most: int = 0) -> None:
        self._way = way
        self._headers = headers
        self._timeout = timeout
        self._most = most
        self._free: list[http.client.HTTPConnection] = []
        self._guard = threading.Lock()
        self._slots = threading.BoundedSemaphore(max(1, most))
        whole = {"Host": way.authority, "Accept-Encoding": "identity", **headers, "Connection": "keep-alive"}
        lines = [f"{name}: {value}" for name, value in whole.items()]
        if not all(_LINE.fullmatch(line) for line in lines):
            raise ValueError("a header has a character that none may have")
        self._same = "\r\n".join(lines)

    def send(self, request: Request) -> Received:
        """Send one request and read its answer. Redirects are answers like any other.

        :raises OSError, http.client.HTTPException: there is no answer.
        """
        if request.once or not self._most:
            return self._alone(request)
        whole = self._whole(request)
        with self._slots:
            kept = self._take()
            if kept is not None:
                with contextlib.suppress(*LOST):
                    return self._over(kept, whole, request)
            return self._over(self._way.connection(self._timeout), whole, request)

    def close(self) -> None:
        """End the connections that are kept."""
        with self._guard:
            kept, self._free = self._free, []
        for connection in kept:
            connection.close()

    def _alone(self, request: Request) -> Received:
        """Over a connection of its own, by the library."""
        connection = self._way.connection(self._timeout)
        headers = {**self._headers, "Connection": "close"}
        with contextlib.closing(connection):
            connection.request(request.method, request.path, body=request.body, headers=headers)
            return by_library(connection.getresponse(), request.longest)

    def _over(self, connection: http.client.HTTPConnection, whole: bytes, request: Request) -> Received:
        """Send and read, and keep the connection if nothing of the answer is left there."""
        clean = False
        try:
            if connection.sock is None:
                connection.connect()
            received = exchange(connection.sock, whole, request.method, request.longest)
            clean = received.clean
            return received
        finally:
            if clean:
                with self._guard:
                    self._free.append(connection)
            else:
                connection.close()

    def _whole(self, request: Request) -> bytes:
        """The request as it is sent, in one piece."""
        if not _TARGET.fullmatch(request.path):
            raise http.client.InvalidURL("the path has a character that none may have")
        body = request.body
        length = "" if body is None else f"\r\nContent-Length: {len(body)}"
        head = f"{request.method} {request.path} HTTP/1.1\r\n{self._same}{length}\r\n\r\n"
        return head.encode("ascii") + (body or b"")

    def _take(self) -> http.client.HTTPConnection | None:
        """The connection that was used last and is still open, if there is any."""
        while True:
            with self._guard:
                if not self._free:
                    return None
                connection = self._free.pop()
            if not _has_something_to_read(connection):
                return connection
            connection.close()


def _has_something_to_read(connection: http.client.HTTPConnection) -> bool:
    """Between two requests a server says nothing but that it closes the connection."""
    look = select.poll()
    look.register(connection.sock, select.POLLIN)
    return bool(look.poll(0))


def environment_proxy(server: str) -> tuple[str, Mapping[str, str]] | None:
    """The environment's proxy for a server (``HTTPS_PROXY``, ``NO_PROXY``), and the headers that it gets.

    It is spoken to in plain HTTP, and gets the name of the server; everything else goes through it in TLS.
    """
    address = urllib.request.getproxies().get("https")
    if not address or urllib.request.proxy_bypass(server):
        return None
    parts = urllib.parse.urlsplit(address if "//" in address else f"//{address}")
    place = urllib.parse.unquote(parts.netloc.rpartition("@")[2])
    if not (parts.username and parts.password):
        return place, {}
    who = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password)}"
    return place, {"Proxy-Authorization": f"Basic {b64encode(who.encode()).decode()}"}
