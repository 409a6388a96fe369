# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer means the same as to the standard library, whatever its bytes are and however they come."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import threading
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._http_exchange import by_library, exchange, regular
from hypothesis import given, settings
from hypothesis import strategies as st

REGULAR = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 404 \r\ncontent-length:0\r\n\r\n",
    b"HTTP/1.1 503\r\nX-A: 1\r\nX-A: 2\r\nRetry-After: 7\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
    b"HTTP/1.1 307 Gone\nLocation: https://x/\xe9\nContent-Length: 3\n\nabc",
)
IRREGULAR = (
    b"",
    b"\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: three\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nX-Long: a\r\n folded\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nno field\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 099 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"Content-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 12_000 + b"\r\n",
)


def sent(data: bytes, pieces: int) -> socket.socket:
    """One end of a connection over which the data comes in so many pieces, and then its end."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    cuts = sorted(random.Random(pieces).randrange(len(data) + 1) for _ in range(pieces - 1))  # noqa: S311

    def write() -> None:
        with theirs, contextlib.suppress(OSError):
            for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                theirs.sendall(data[start:end])
            theirs.shutdown(socket.SHUT_WR)
            theirs.recv(1)  # until the other side has read what it wants

    threading.Thread(target=write, daemon=True).start()
    return ours


def told(read: Any) -> tuple[Any, ...]:
    try:
        found = read()
    except (OSError, http.client.HTTPException) as error:
        return type(error), str(error)
    return found.status, dict(found.headers), found.body, repr(found.broken)


def both(data: bytes, longest: int | None, pieces: int = 1) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What we make of the bytes, and what the library does."""
    with sent(data, pieces) as connection:
        ours = told(lambda: exchange(connection, b"", "GET", longest))
    with sent(data, 1) as connection:

        def library() -> Any:
            with http.client.HTTPResponse(connection, method="GET") as answer:
                answer.begin()
                return by_library(answer, longest)

        theirs = told(library)
    return ours, theirs


@pytest.mark.parametrize("longest", [None, 2, 100])
@pytest.mark.parametrize("pieces", [1, 2, 7])
@pytest.mark.parametrize("data", [*REGULAR, *IRREGULAR, *(data[:-1] for data in REGULAR)])
def test_it_means_the_same_as_to_the_library(data: bytes, pieces: int, longest: int | None) -> None:
    ours, theirs = both(data, longest, pieces)
    assert ours == theirs


LINES = st.sampled_from(
    [
        *(b"Content-Length: 3", b"content-length:  3 ", b"Content-Length: 30", b"Transfer-Encoding: chunked"),
        *(b"Connection: close", b"Connection: keep-alive", b"X: y", b"X : y", b" z", b"", b"X:", b"\xe9: \xe9"),
    ]
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 500 ", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 X", b"HTTP/2 200"]),
    st.lists(LINES, max_size=5),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from([b"", b"abc", b"ab", b"3\r\nabc\r\n0\r\n\r\n", b"x" * 40]),
    st.sampled_from([None, 2, 64]),
)
def test_whatever_the_header_is_it_means_the_same(
    status: bytes, lines: list[bytes], end: bytes, body: bytes, longest: int | None
) -> None:
    ours, theirs = both(end.join([status, *lines, b"", body]), longest)
    assert ours == theirs


@pytest.mark.parametrize("data", REGULAR)
def test_the_usual_answers_are_not_left_to_the_library(data: bytes) -> None:
    assert regular(data.replace(b"\r\n", b"\n").partition(b"\n\n")[0]) is not None


@pytest.mark.parametrize(
    ("data", "longest", "clean"),
    [
        (REGULAR[0], None, True),
        (REGULAR[0], 5, True),
        (REGULAR[0], 4, False),
        (REGULAR[0] + b"HTTP/1.1 200 OK", None, False),
        (REGULAR[0][:-1], None, False),
        (REGULAR[1], None, True),
        (REGULAR[2], None, False),
        (IRREGULAR[7], None, False),
    ],
)
def test_a_connection_is_clean_when_the_answer_and_nothing_else_was_read(
    data: bytes, longest: int | None, clean: bool
) -> None:
    with sent(data, 1) as connection:
        assert exchange(connection, b"", "GET", longest).clean is clean
