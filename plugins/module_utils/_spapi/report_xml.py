# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Orders out of the XML document of an all-orders report, one after the other, as its bytes arrive.

Only the elements named here are collected. City, state and postal code of the recipient, which the document holds, are
dropped while it is parsed.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any
from xml.parsers import expat

ORDER_ELEMENTS = frozenset({"Order", "OrderReport"})
"""Amazon's element for one order; which of the two this report has is not documented."""
_OF_ORDER = frozenset({"AmazonOrderID", "PurchaseDate", "LastUpdatedDate", "OrderStatus", "SalesChannel"})
_OF_ITEM = frozenset({"AmazonOrderItemCode", "ASIN", "SKU", "ItemStatus", "ProductName", "Quantity"})
LARGEST_PIECE = 2**20
"""Bytes that are unpacked at once: what is packed tighter than any report does not fill the memory."""
_GZIP_MAGIC = b"\x1f\x8b"
_CHARSETS = {"windows-31j": "cp932"}
"""Names that Amazon sends and Python does not know."""


class Damaged(Exception):
    """The document is cut or broken. The text says how, in words of our own."""


def raw_orders(chunks: Iterator[bytes], content_type: str) -> Iterator[dict[str, Any]]:
    """The orders of a document, in its order.

    An order is a mapping of its elements' texts, with ``FulfillmentChannel`` and ``items``; an item likewise, with
    ``components``, a list of ``(Type, Amount, currency)``.

    :param chunks: the body as it was sent, gzip or not.
    :param content_type: of the download; its charset counts, not what the document says of itself.
    :raises Damaged: when the document turns out to be broken; the orders before that were yielded.
    """
    elements = _Elements()
    feed = _decoded(unpacked(chunks), charset(content_type))
    try:
        for part in feed:
            elements.parser.Parse(part, False)
            yield from elements.taken()
        elements.parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Damaged(f"its XML is cut or broken (line {error.lineno})") from None
    yield from elements.taken()
    if elements.root != "AmazonEnvelope":
        raise Damaged("it is not an AmazonEnvelope")


def charset(content_type: str) -> str | None:
    """The charset that a Content-Type names, as Python knows it; ``None`` without one."""
    for part in content_type.split(";")[1:]:
        key, _equals, value = part.strip().partition("=")
        if key.strip().lower() == "charset":
            given = value.strip().strip('"').lower()
            try:
                name = codecs.lookup(_CHARSETS.get(given, given)).name
                "".encode(name)  # fails for a codec that is none of texts
            except (LookupError, UnicodeError):
                raise Damaged("its charset is one that Python does not know") from None
            return name
    return None


def unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The body without gzip, if it has it: whether it does is seen from its first bytes, whatever was announced."""
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= len(_GZIP_MAGIC):
            break
    if not start.startswith(_GZIP_MAGIC):
        yield start
        yield from chunks
        return
    stream = zlib.decompressobj(wbits=31)
    try:
        for chunk in chain((start,), chunks):
            rest = chunk
            while rest:
                if stream.eof:  # a body may be several gzip members, one behind the other (RFC 1952)
                    stream = zlib.decompressobj(wbits=31)
                yield stream.decompress(rest, LARGEST_PIECE)
                rest = stream.unused_data if stream.eof else stream.unconsumed_tail
        yield stream.flush()
    except zlib.error:
        raise Damaged("its gzip is broken") from None
    if not stream.eof:
        raise Damaged("its gzip ends too early")


def _decoded(parts: Iterator[bytes], encoding: str | None) -> Iterator[bytes | str]:
    if encoding is None:  # the document's own declaration decides
        yield from parts
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    try:
        for part in parts:
            yield decoder.decode(part)
        yield decoder.decode(b"", final=True)
    except UnicodeError:
        raise Damaged(f"it is not in the charset that its answer names ({encoding})") from None


class _Elements:
    """Collects wanted elements. expat itself refuses what is not well-formed; a document type is refused here."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.root: str | None = None
        self._done: list[dict[str, Any]] = []
        self._order: dict[str, Any] | None = None
        self._item: dict[str, Any] | None = None
        self._component: dict[str, str] | None = None
        self._text: list[str] | None = None

    def taken(self) -> list[dict[str, Any]]:
        """The orders that are whole by now; each is given once."""
        done, self._done = self._done, []
        return done

    def _doctype(self, *_declared: object) -> None:
        raise Damaged("it declares a document type, which reports do not")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self.root is None:
            self.root = name
        elif self._order is None:
            if name in ORDER_ELEMENTS:
                self._order = {"items": []}
        elif self._item is None:
            if name == "OrderItem":
                self._item = {"components": []}
            elif name in _OF_ORDER or name == "FulfillmentChannel":
                self._text = []
        elif self._component is not None:
            if name in {"Type", "Amount"}:
                self._text = []
                if name == "Amount":
                    self._component["currency"] = attributes.get("currency", "")
        elif name == "Component":
            self._component = {}
        elif name in _OF_ITEM:
            self._text = []

    def _data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _end(self, name: str) -> None:
        if self._order is None:
            return
        if self._text is not None:
            self._keep(name, "".join(self._text).strip())
            self._text = None
        elif self._item is None:
            if name in ORDER_ELEMENTS:
                self._done.append(self._order)
                self._order = None
        elif name == "OrderItem":
            self._order["items"].append(self._item)
            self._item = None
        elif name == "Component" and self._component is not None:
            part = self._component
            self._item["components"].append((part.get("Type"), part.get("Amount"), part.get("currency")))
            self._component = None

    def _keep(self, name: str, text: str) -> None:
        container: dict[str, Any] | None = self._component if self._component is not None else self._item
        container = self._order if container is None else container
        if container is not None and text:
            container[name] = text
