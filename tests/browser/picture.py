# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of a page that carries the digest of that page, so that nobody can take an old picture for the new page.

The digest is a text chunk of the PNG (PNG specification, third edition, 11.3.3.2 tEXt).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"page-sha256"


def digest(page: str) -> str:
    """Of a page, as its picture carries it."""
    return hashlib.sha256(page.encode()).hexdigest()


def stamped(picture: bytes, page: str) -> bytes:
    """The picture with the page's digest."""
    data = KEYWORD + b"\0" + digest(page).encode()
    chunk = struct.pack(">I", len(data)) + b"tEXt" + data + struct.pack(">I", zlib.crc32(b"tEXt" + data))
    end = len(SIGNATURE) + 12 + 13  # the first chunk, IHDR, has 13 bytes of data
    return picture[:end] + chunk + picture[end:]


def stamp(picture: bytes) -> str:
    """The digest that a picture carries; empty if it has none."""
    for kind, data in chunks(picture):
        if kind == b"tEXt" and data.startswith(KEYWORD + b"\0"):
            return data.partition(b"\0")[2].decode()
    return ""


def size(picture: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    _kind, data = next(chunks(picture))
    width, height = struct.unpack(">II", data[:8])
    return width, height


def colours(picture: bytes) -> int:
    """How many different bytes the picture's pixels have, filters and all; a blank one has a handful."""
    return len(set(zlib.decompress(b"".join(data for kind, data in chunks(picture) if kind == b"IDAT"))))


def chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each part of the file."""
    assert picture.startswith(SIGNATURE)
    at = len(SIGNATURE)
    while at < len(picture):
        (length,) = struct.unpack(">I", picture[at : at + 4])
        yield picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        at += 12 + length
