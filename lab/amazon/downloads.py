# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report documents as they are downloaded: from a presigned address, in chunks, without an access token."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lab.amazon.answers import Answer
from lab.amazon.clock import iso
from lab.amazon.connections import cut
from lab.amazon.faults import STICKY_FAULTS, Fault
from lab.amazon.gateway import Endpoint, interfered, record, respond
from lab.amazon.report_queue import Document, Link
from lab.amazon.report_text import form_of
from lab.amazon.world import World

OPERATION = "reportDocument"
CHUNK = 65_536
# A body that ends early does so in its fourth chunk, or in the last one it has.
LAST_CHUNK = 3
ORDER_ID = re.compile(r"\b\d{3}(-\d{7}-\d{7})\b")
SALES_CHANNEL = re.compile(r"Amazon\.(?:[a-z]+\.)?[a-z]+")


def s3_error(status: int, code: str, message: str, more: str = "") -> Answer:
    """S3's errors are XML."""
    error = f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return Answer(status, text.encode(), "application/xml", error=code)


def _foreign(text: str) -> str:
    """The same order in another marketplace, under another id."""
    other = "Amazon.de" if "Amazon.it" in text else "Amazon.it"
    return SALES_CHANNEL.sub(other, ORDER_ID.sub(r"999\1", text))


def _batches(document: Document, fault: str | None) -> Iterator[tuple[str, int]]:
    """Text, and how many orders are in it."""
    if document.explanation is not None:
        yield document.explanation, 0
        return
    form = form_of(document.report_type, document.settings.element)
    yield form.head, 0
    for number, batch in enumerate(document.snapshot.batches(form.order)):
        texts = list(batch)
        if "document-duplicate-orders" in document.faults:
            texts += batch[:2]
        if "document-other-marketplace" in document.faults:
            texts[1:1] = [_foreign(text) for text in batch[:2]]
        text = "".join(texts)
        if fault == "document-broken-xml" and number == 0:
            text = text.replace("</OrderStatus>", "</OrderState>", 1)
        yield text, len(texts)
    yield form.tail, 0


def chunks(document: Document, fault: str | None = None) -> Iterator[tuple[bytes, int]]:
    """The body in pieces of about 64 KB, each with the number of orders up to its end."""
    squeeze = zlib.compressobj(1, wbits=31) if document.settings.gzip and document.explanation is None else None
    waiting = bytearray()
    rows = 0
    # What a charset cannot say: a reference in XML, a question mark in a flat file.
    lost = "xmlcharrefreplace" if document.report_type.startswith("GET_XML_") else "replace"
    for text, count in _batches(document, fault):
        raw = text.encode(document.settings.codec, lost)
        waiting += squeeze.compress(raw) if squeeze else raw
        rows += count
        # Also an empty piece is one: between two of them others are served.
        while len(waiting) >= CHUNK:
            yield bytes(waiting[:CHUNK]), rows
            del waiting[:CHUNK]
        yield b"", rows
    if squeeze:
        waiting += squeeze.flush()
    yield bytes(waiting), rows


def _corrupt(piece: bytes) -> bytes:
    middle = len(piece) // 2
    return piece[:middle] + bytes(byte ^ 0x5A for byte in piece[middle : middle + 16]) + piece[middle + 16 :]


class Download(Response):
    """One answer with a streamed body; writes the request log when it ends, however it ends."""

    def __init__(self, world: World, request: Request, link: Link, fault: Fault | None) -> None:
        self.world = world
        self.request = request
        self.link = link
        self.fault = fault

    def _fields(self) -> list[tuple[bytes, bytes]]:
        document = self.link.document
        media_type = "text/plain"
        if document.explanation is None:
            media_type = form_of(document.report_type, document.settings.element).media_type
        headers = {"content-type": f"{media_type}; charset={document.settings.charset}", "server": "AmazonS3"}
        if self.link.encoded and document.settings.gzip and document.explanation is None:
            headers["content-encoding"] = "gzip"
        return [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        answer = Answer(200, b"", rows=0, complete=False)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self._fields()})
            answer = await self._body(send)
        finally:
            parameters = {"reportDocumentId": self.link.document.id}
            seller = self.link.document.seller
            record(self.world, self.request, OPERATION, parameters, answer, seller=seller, fault=self.fault)

    async def _body(self, send: Send) -> Answer:
        name = self.fault.name if self.fault else None
        cut_short = name in ("document-reset", "document-truncated")
        sent = rows = 0
        held, held_rows = b"", 0
        for piece, upto in chunks(self.link.document, name):
            if await self.request.is_disconnected():
                return Answer(200, b"", rows=rows, complete=False)
            if not piece:
                await asyncio.sleep(0)
                continue
            # One piece is held back: what is cut short must not have been sent whole.
            if held:
                if cut_short and sent == LAST_CHUNK:
                    break
                await self._piece(send, held, sent)
                sent, rows = sent + 1, held_rows
            held, held_rows = piece, upto
        if cut_short:
            await self._piece(send, held[: len(held) // 2], sent)
            if name == "document-reset":
                # What was written shall arrive before the connection goes.
                await asyncio.sleep(0.05)
                cut(self.request)
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            return Answer(200, b"", rows=rows, complete=False)
        await self._piece(send, held, sent)
        complete = not await self.request.is_disconnected()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return Answer(200, b"", rows=held_rows if complete else rows, complete=complete)

    async def _piece(self, send: Send, piece: bytes, number: int) -> None:
        if number == 0 and self.fault and self.fault.name == "document-corrupt-gzip":
            piece = _corrupt(piece)
        if number == 0 and self.fault and self.fault.name == "document-slow":
            await send({"type": "http.response.body", "body": piece[: len(piece) // 2], "more_body": True})
            await asyncio.sleep(self.fault.seconds)
            piece = piece[len(piece) // 2 :]
        await send({"type": "http.response.body", "body": piece, "more_body": True})


def _refusal(world: World, request: Request, link: Link | None, fault: Fault | None) -> Answer | None:
    if "x-amz-access-token" in request.headers or "authorization" in request.headers:
        return s3_error(400, "InvalidArgument", "Only one auth mechanism allowed")
    if link is None or link.document.id != request.path_params["documentId"]:
        return s3_error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
    now = world.clock.timestamp()
    if now >= link.expires or (fault and fault.name == "document-expired"):
        more = f"<ServerTime>{iso(world.clock.now())}</ServerTime>"
        return s3_error(403, "AccessDenied", "Request has expired", more)
    return None


def download(world: World) -> Endpoint:
    """Where the presigned addresses lead."""

    async def serve(request: Request) -> Response:
        link = world.reports.link(request.query_params.get("X-Amz-Signature", ""))
        seller = link.document.seller if link else None
        fault = world.faults.take(OPERATION, seller.tenant if seller else None)
        answer = await interfered(request, fault) or _refusal(world, request, link, fault)
        if answer is None and link is not None:
            if fault and fault.name in STICKY_FAULTS:
                link.document.faults.add(fault.name)
            return Download(world, request, link, fault)
        assert answer is not None  # noqa: S101 - without a link there is a refusal
        parameters = {"reportDocumentId": request.path_params["documentId"]}
        record(world, request, OPERATION, parameters, answer, seller=seller, fault=fault)
        return respond(answer)

    return serve
