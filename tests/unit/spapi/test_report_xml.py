# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders out of a report's bytes, wherever these are split: what is kept, and what counts as damaged."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from itertools import chain, islice, pairwise, repeat
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import report_xml
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.report_xml import Damaged, charset, raw_orders
from hypothesis import given
from hypothesis import strategies as st

HEAD = '<?xml version="1.0"?>\n<AmazonEnvelope>\n<Header><DocumentVersion>1.00</DocumentVersion></Header>\n'
ORDER = (
    "<Message>\n<Order>\n<AmazonOrderID> 407-8949262-6149120 </AmazonOrderID>\n"
    "<PurchaseDate>2025-11-22T12:00:24+00:00</PurchaseDate><LastUpdatedDate>2025-11-23T12:00:24+00:00</LastUpdatedDate>"
    "<OrderStatus>Shipped - Delivered to Buyer</OrderStatus><SalesChannel>Amazon.fr</SalesChannel>"
    "<FulfillmentData><FulfillmentChannel>Amazon</FulfillmentChannel><Address><City>CANARY</City>"
    "<PostalCode>CANARY</PostalCode></Address></FulfillmentData>\n<Unknown><Deeper>CANARY</Deeper></Unknown>"
    "<OrderItem><AmazonOrderItemCode>1</AmazonOrderItemCode><ASIN>B0</ASIN><SKU>A&amp;B</SKU>"
    "<ItemStatus>Shipped</ItemStatus><ProductName>Poêle Ø 28 cm – qualité</ProductName><Quantity>2</Quantity>"
    "<CustomizationInfo><Url>CANARY</Url></CustomizationInfo>"
    '<ItemPrice><Component><Type>Principal</Type><Amount currency="EUR">379.90</Amount></Component>'
    '<Component><Type>Shipping</Type><Amount currency="EUR">11.94</Amount></Component></ItemPrice></OrderItem>\n'
    "<OrderItem><AmazonOrderItemCode>2</AmazonOrderItemCode><Quantity>0</Quantity></OrderItem></Order>\n</Message>\n"
)
TAIL = "</AmazonEnvelope>\n"
DOCUMENT = HEAD + ORDER + TAIL
EXPECTED: dict[str, Any] = {
    "AmazonOrderID": "407-8949262-6149120",
    "PurchaseDate": "2025-11-22T12:00:24+00:00",
    "LastUpdatedDate": "2025-11-23T12:00:24+00:00",
    "OrderStatus": "Shipped - Delivered to Buyer",
    "SalesChannel": "Amazon.fr",
    "FulfillmentChannel": "Amazon",
    "items": [
        {
            "AmazonOrderItemCode": "1",
            "ASIN": "B0",
            "SKU": "A&B",
            "ItemStatus": "Shipped",
            "ProductName": "Poêle Ø 28 cm – qualité",
            "Quantity": "2",
            "components": [("Principal", "379.90", "EUR"), ("Shipping", "11.94", "EUR")],
        },
        {"AmazonOrderItemCode": "2", "Quantity": "0", "components": []},
    ],
}
UTF8 = "text/xml; charset=UTF-8"


def read(body: bytes, content_type: str = UTF8, *cuts: int) -> list[dict[str, Any]]:
    borders = [0, *sorted(cuts), len(body)]
    return list(raw_orders((body[a:b] for a, b in pairwise(borders)), content_type))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (DOCUMENT.encode(), UTF8),
        (DOCUMENT.encode(), "text/xml"),
        (b"\xef\xbb\xbf" + DOCUMENT.encode(), UTF8),
        (DOCUMENT.replace("–", "-").encode("iso-8859-1"), "text/xml;charset=ISO-8859-1"),
        (gzip.compress(DOCUMENT.encode(), mtime=0), UTF8),
        (b"".join(gzip.compress(part.encode(), mtime=0) for part in (HEAD, ORDER, TAIL)), UTF8),
    ],
    ids=["utf-8", "no charset", "byte order mark", "iso-8859-1", "gzip", "gzip of several members"],
)
def test_it_does_not_matter_where_a_document_is_split(body: bytes, content_type: str) -> None:
    whole = read(body, content_type)
    assert [order["AmazonOrderID"] for order in whole] == ["407-8949262-6149120"]
    for at in range(len(body) + 1):
        assert read(body, content_type, at) == whole
    assert list(raw_orders((bytes([byte]) for byte in body), content_type)) == whole


def test_only_the_elements_that_are_wanted_are_kept() -> None:
    assert read(DOCUMENT.encode()) == [EXPECTED]
    assert "CANARY" not in str(read(DOCUMENT.encode()))


@given(st.lists(st.integers(0, len(DOCUMENT.encode())), max_size=12), st.booleans())
def test_any_number_of_splits_and_empty_pieces_gives_the_same(cuts: list[int], packed: bool) -> None:
    body = gzip.compress(DOCUMENT.encode(), mtime=0) if packed else DOCUMENT.encode()
    assert read(body, UTF8, *(min(cut, len(body)) for cut in cuts)) == [EXPECTED]


@pytest.mark.parametrize("element", ["Order", "OrderReport"])
def test_both_names_of_the_element_are_known(element: str) -> None:
    body = DOCUMENT.replace("<Order>", f"<{element}>").replace("</Order>", f"</{element}>").encode()
    assert read(body) == [EXPECTED]


def test_orders_come_while_the_document_still_arrives() -> None:
    arrived: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number, text in enumerate((HEAD, ORDER, ORDER, TAIL)):
            arrived.append(number)
            yield text.encode()

    orders = raw_orders(pieces(), UTF8)
    next(orders)
    assert len(arrived) == 2


def test_orders_before_the_damage_are_given() -> None:
    orders = raw_orders(iter([(HEAD + ORDER).encode(), b"<Order></Oder>"]), UTF8)
    assert next(orders) == EXPECTED
    with pytest.raises(Damaged, match=r"its XML is cut or broken \(line \d+\)"):
        next(orders)


@pytest.mark.parametrize("cut", [1, 30, len(HEAD), len(HEAD + ORDER) - 9, len(DOCUMENT.encode()) - 4])
def test_a_document_that_is_not_closed_is_damaged(cut: int) -> None:
    with pytest.raises(Damaged, match="cut or broken"):
        read(DOCUMENT.encode()[:cut])


def test_every_cut_of_a_document_is_damaged_and_none_is_a_short_report() -> None:
    body, packed = DOCUMENT.strip().encode(), gzip.compress(DOCUMENT.encode(), mtime=0)
    for whole in (body, packed):
        for cut in range(len(whole)):
            with pytest.raises(Damaged):
                read(whole[:cut])


def test_every_flipped_byte_of_a_gzip_is_damaged_or_changes_nothing() -> None:
    packed = gzip.compress(DOCUMENT.encode(), mtime=0)
    for at in range(len(packed)):
        broken = packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :]
        try:
            assert read(broken) == [EXPECTED]
        except Damaged:
            continue


def test_what_follows_a_gzip_is_not_left_out_silently() -> None:
    with pytest.raises(Damaged, match="its gzip is broken"):
        read(gzip.compress(DOCUMENT.encode()) + b"more")


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><AmazonEnvelope/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><AmazonEnvelope>&x;</AmazonEnvelope>',
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><AmazonEnvelope>&b;</AmazonEnvelope>',
        "<!DOCTYPE AmazonEnvelope><AmazonEnvelope/>",
    ],
    ids=["external", "file", "bomb", "plain"],
)
def test_a_document_type_is_refused_before_anything_of_it_is_read(text: str) -> None:
    with pytest.raises(Damaged, match="declares a document type"):
        read(text.encode())


def test_an_entity_nobody_declared_is_damage() -> None:
    with pytest.raises(Damaged, match="cut or broken"):
        read(DOCUMENT.replace("A&amp;B", "&bomb;").encode())


@pytest.mark.parametrize("body", [b"<html><body>Slow Down</body></html>", b"<Error><Code>AccessDenied</Code></Error>"])
def test_another_document_is_not_an_empty_report(body: bytes) -> None:
    with pytest.raises(Damaged, match="not an AmazonEnvelope"):
        read(body)


@pytest.mark.parametrize("body", [b"", b"\x1f", b"\x1f\x8b", b"Welcome", b"{}", gzip.compress(b"", mtime=0)])
def test_something_that_is_no_document_is_damaged(body: bytes) -> None:
    with pytest.raises(Damaged):
        read(body)


def test_an_envelope_without_orders_has_none() -> None:
    assert read((HEAD + TAIL).encode()) == []


def test_the_charset_of_the_answer_counts_and_not_what_the_document_says_of_itself() -> None:
    text = DOCUMENT.replace('"1.0"', '"1.0" encoding="US-ASCII"').replace("–", "-")
    (order,) = read(text.encode("iso-8859-1"), "text/xml; charset=ISO-8859-1")
    assert order["items"][0]["ProductName"] == "Poêle Ø 28 cm - qualité"


def test_windows_31j_is_read_as_amazon_writes_it() -> None:
    text = DOCUMENT.replace("Poêle Ø 28 cm – qualité", "①髙島のフライパン")
    (order,) = read(text.encode("cp932"), 'text/xml; charset="Windows-31J"')
    assert order["items"][0]["ProductName"] == "①髙島のフライパン"


@pytest.mark.parametrize(
    ("written", "told"), [("iso-8859-1", "UTF-8"), ("utf-16", "UTF-8"), ("utf-8", "US-ASCII"), ("utf-8", "windows-31j")]
)
def test_bytes_that_are_not_in_the_charset_are_damage_and_never_replaced(written: str, told: str) -> None:
    with pytest.raises(Damaged, match="not in the charset that its answer names"):
        read(DOCUMENT.replace("–", "é").encode(written), f"text/xml; charset={told}")


def test_a_charset_nobody_knows_is_said_without_its_name() -> None:
    with pytest.raises(Damaged, match="Python does not know") as caught:
        read(DOCUMENT.encode(), "text/xml; charset=CANARY")
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("", None),
        ("text/xml", None),
        ("text/xml; boundary=x", None),
        ("text/xml;charset=utf-8", "utf-8"),
        ('text/xml; Charset="ISO-8859-1"', "iso8859-1"),
        ("text/xml; charset=windows-31j; x=y", "cp932"),
        ("text/xml; charset=Shift_JIS", "shift_jis"),
    ],
)
def test_the_charset_of_a_content_type(content_type: str, expected: str | None) -> None:
    assert charset(content_type) == expected


@pytest.mark.parametrize("coding", ["hex", "rot13", "zlib", "base64", "idna", "undefined"])
def test_a_codec_that_is_no_charset_is_damage(coding: str) -> None:
    with pytest.raises(Damaged):
        read(DOCUMENT.encode(), f"text/xml; charset={coding}")


@pytest.mark.slow
def test_the_memory_stays_flat_however_long_the_document_is() -> None:
    pieces = chain([HEAD.encode()], islice(repeat(ORDER.encode()), 4_000), [TAIL.encode()])
    tracemalloc.start()
    try:
        assert sum(1 for _ in raw_orders(pieces, UTF8)) == 4_000
        assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_gzip_that_is_packed_a_thousandfold_does_not_fill_the_memory() -> None:
    bomb = gzip.compress(HEAD.encode() + b" " * 40_000_000 + TAIL.encode(), mtime=0)
    tracemalloc.start()
    try:
        assert read(bomb) == []
        assert tracemalloc.get_traced_memory()[1] < 8 * report_xml.LARGEST_PIECE
    finally:
        tracemalloc.stop()
