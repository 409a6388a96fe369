# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Reads of thousands of documents: the library's own request, with what is the same in all of them made once.

For each request the library looks for proxies, a netrc file and cookies anew, which takes three times as long as the
request itself. Here its first read is the pattern of those that follow: the same address, headers and TLS context. A
server behind a proxy is left to the library.
"""

from __future__ import annotations

import re
import ssl
import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kept_connections import KeptConnections, Request, Way

OWN_TO_A_REQUEST = frozenset({"accept-encoding", "connection", "content-length", "host"})
"""Headers that are not taken over: what is received here is not unpacked."""


@dataclass(frozen=True)
class Response:
    """An answer of the server, from whichever of the two ways.

    :param location: where a redirect leads; empty: it is none.
    """

    status: int
    body: bytes = field(repr=False)
    location: str = ""
    retry_after: str = ""


def of_library(response: Any) -> Response:
    """An answer that requests has received."""
    location = response.headers.get("Location", "") if response.is_redirect else ""
    return Response(response.status_code, response.content, location, response.headers.get("Retry-After", ""))


class Reads:
    """GET requests after the pattern of the first, for many threads.

    :param connections: how many are open at the same time at most.
    """

    def __init__(self, trusted: ssl.SSLContext, *, timeout: float, connections: int) -> None:
        self._trusted = trusted
        self._timeout = timeout
        self._most = connections
        self._guard = threading.Lock()
        self._learned = False
        self._made: tuple[KeptConnections, str] | None = None

    def learn(self, session: Any, path: str, sent: Any) -> None:
        """Take a request that the library has sent for the pattern, unless it went through a proxy.

        :param session: the library's session; ``sent``: its request for ``path``, as it was sent.
        """
        with self._guard:
            if not self._learned:
                self._learned, self._made = True, self._pattern(session, path, sent)

    def get(self, path: str) -> Response | None:
        """The answer, or ``None`` while there is no pattern.

        :param path: below ``/v1/``.
        :raises OSError, http.client.HTTPException: there is no answer.
        """
        if self._made is None:
            return None
        connections, before = self._made
        received = connections.send(Request("GET", before + _plain(path)))
        if received.broken is not None:
            raise received.broken
        moved = received.status in (301, 302, 303, 307, 308)
        return Response(
            received.status,
            received.body,
            received.headers.get("location", "") if moved else "",
            received.headers.get("retry-after", ""),
        )

    def close(self) -> None:
        """End the connections."""
        if self._made is not None:
            self._made[0].close()

    def _pattern(self, session: Any, path: str, sent: Any) -> tuple[KeptConnections, str] | None:
        import requests.utils

        environment = session.merge_environment_settings(sent.url, {}, None, None, None)
        if requests.utils.select_proxy(sent.url, environment["proxies"]):
            return None
        parts = urllib.parse.urlsplit(sent.url)
        secure = parts.scheme == "https"
        way = Way(parts.hostname or "", parts.port or (443 if secure else 80), self._trusted if secure else None)
        before = sent.path_url.removesuffix(f"/v1/{_plain(path)}")
        headers = {name: value for name, value in sent.headers.items() if name.lower() not in OWN_TO_A_REQUEST}
        try:
            return KeptConnections(way, headers, timeout=self._timeout, most=self._most), f"{before}/v1/"
        except ValueError:  # a namespace in another script: the library has its own way to write it
            return None


def _plain(path: str) -> str:
    """The path as the library sends it: Vault takes several slashes for one."""
    return re.sub("/{2,}", "/", path).strip("/")
