# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One request and its answer over an open connection.

Nearly all answers are of one kind: HTTP/1.1, with a length, and no more than that. These are read here, in a third of
the processor's time that http.client takes, which makes a mail's header of each. It reads all others, from their first
byte.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

PIECE = 64 * 1024
"""Bytes that are read at a time; a header that is longer is left to http.client, which refuses it."""
MOST_FIELDS = 100
_END = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2})(?: [^\r\n]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)")
_DIGITS = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class Received:
    """An answer.

    :param headers: by name in lower case; of several the first.
    :param broken: why the body ends early; ``None``: it is whole.
    :param clean: nothing is left on the connection, and the other side keeps it.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    broken: Exception | None = None
    clean: bool = False


def exchange(connection: socket.socket, request: bytes, method: str, longest: int | None) -> Received:
    """Send a request and read its answer.

    :param request: all of it.
    :param longest: bytes of the answer's body that are read at most; ``None``: all of it.
    :raises OSError, http.client.HTTPException: there is no answer.
    """
    connection.sendall(request)
    got = b""
    while (end := _END.search(got)) is None and len(got) <= PIECE:
        more = connection.recv(PIECE)
        if not more:
            break
        got += more
    head = regular(got[: end.start()]) if end and end.start() <= PIECE and method != "HEAD" else None
    if end is None or head is None:
        return _by_library(connection, got, method, longest)
    return _with_length(connection, head, got[end.end() :], longest)


def regular(head: bytes) -> tuple[int, dict[str, str], int] | None:
    """Status, headers and length of an answer of the usual kind; ``None``: it is of another.

    :param head: the answer up to the empty line.
    """
    first, *lines = _LINE_END.split(head)
    status = _STATUS.fullmatch(first)
    if status is None or status[1] in (b"204", b"304") or len(lines) > MOST_FIELDS:
        return None
    headers: dict[str, str] = {}
    for line in lines:
        one = _FIELD.fullmatch(line)
        if one is None:
            return None
        name = one[1].decode("ascii").lower()
        if name == "transfer-encoding" or (name == "content-length" and name in headers):
            return None
        headers.setdefault(name, one[2].decode("latin1"))
    length = headers.get("content-length", "")
    return (int(status[1]), headers, int(length)) if _DIGITS.fullmatch(length) else None


def by_library(answer: http.client.HTTPResponse, longest: int | None) -> Received:
    """An answer that http.client has begun to read."""
    broken: Exception | None = None
    try:
        body = answer.read() if longest is None else answer.read(longest)
    except (OSError, http.client.HTTPException) as error:
        body, broken = b"", error
    headers: dict[str, str] = {}
    for name, value in answer.headers.items():
        headers.setdefault(name.lower(), value)
    return Received(answer.status, headers, body, broken)


def _with_length(
    connection: socket.socket, head: tuple[int, dict[str, str], int], body: bytes, longest: int | None
) -> Received:
    status, headers, length = head
    wanted = length if longest is None else min(length, longest)
    whole = len(body) <= length
    try:
        while len(body) < wanted:
            more = connection.recv(min(PIECE, wanted - len(body)))
            if not more:
                cut = http.client.IncompleteRead(body, length - len(body)) if longest is None else None
                return Received(status, headers, body if cut is None else b"", cut)
            body += more
    except OSError as error:
        return Received(status, headers, b"", error)
    kept = headers.get("connection", "keep-alive").lower() == "keep-alive"
    return Received(status, headers, body[:wanted], clean=whole and wanted == length and kept)


def _by_library(connection: socket.socket, got: bytes, method: str, longest: int | None) -> Received:
    """:param got: what has been read of the answer."""
    again: Any = SimpleNamespace(makefile=lambda _mode: io.BufferedReader(_Again(got, connection)))
    with http.client.HTTPResponse(again, method=method) as answer:
        answer.begin()
        return by_library(answer, longest)


class _Again(io.RawIOBase):
    """What has been read, and then what comes."""

    def __init__(self, got: bytes, connection: socket.socket) -> None:
        super().__init__()
        self._got = got
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        piece, self._got = self._got[:size], self._got[size:]
        piece = piece or self._connection.recv(size)
        buffer[: len(piece)] = piece
        return len(piece)
