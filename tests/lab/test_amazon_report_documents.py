# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of reports: their addresses, how they are sent, and what stands in them."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import timedelta

import pytest

from lab.amazon import fixture
from lab.amazon.clock import iso
from lab.amazon.generator import CANARY
from lab.amazon.oracle import rows_of
from lab.amazon.report_text import FLAT_COLUMNS
from tests.lab.amazon_caller import Caller
from tests.lab.amazon_process import Simulator
from tests.lab.amazon_reports import (
    DOCUMENTS,
    FLAT,
    FLAT_BY_UPDATE,
    NOW,
    REPORTS,
    WINDOWS,
    Reporter,
    asked,
    orders_of,
    read,
    text_of,
)

TENANT = "ecomlg-001"
ITALY = "APJ6JRA9NG5V4"


@pytest.fixture
def reporter(simulator: Simulator) -> Reporter:
    """A caller at a time that stands still, the day after the report's window."""
    simulator.admin.reset()
    simulator.admin.clock(speed=0, at=NOW)
    return Reporter(Caller(simulator))


def test_three_windows_hold_every_order_as_the_oracle_says(reporter: Reporter) -> None:
    documents = [reporter.text(asked(window)) for window in WINDOWS]
    orders, items = read(documents, TENANT)
    assert len(orders) == 94
    expected = rows_of(fixture.orders(), TENANT, source="report")
    assert orders == expected[0]
    assert items == expected[1]
    assert all(CANARY in document for document in documents)


def test_documents_words_are_the_reports_own(reporter: Reporter) -> None:
    found = [order for window in WINDOWS for order in orders_of(reporter.text(asked(window)))]
    assert {order.findtext("OrderStatus") for order in found} >= {
        "Shipped",
        "Shipped - Delivered to Buyer",
        "Pending",
        "Unshipped",
        "PartiallyShipped",
        "Cancelled",
    }
    for order in found:
        assert CANARY in (order.findtext("FulfillmentData/Address/City") or "")
        assert CANARY in (order.findtext("FulfillmentData/Address/PostalCode") or "")
        assert (order.findtext("PurchaseDate") or "").endswith("+00:00")
        assert "." not in (order.findtext("LastUpdatedDate") or "")
        for item in order.findall("OrderItem"):
            unpriced = (order.findtext("OrderStatus") or "").startswith("Pending") or item.findtext("Quantity") == "0"
            assert (item.find("ItemPrice") is None) is unpriced


def test_flat_file_has_the_official_columns_and_one_line_an_item_without_its_id(reporter: Reporter) -> None:
    text = reporter.text(asked(reportType=FLAT))
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert tuple(rows[0]) == FLAT_COLUMNS
    order = next(one for one in fixture.orders() if len(one["orderItems"]) == 3 and one["createdTime"] > "2025-12-14")
    (lines,) = [[row for row in rows if row["amazon-order-id"] == order["orderId"]]]
    assert [row["sku"] for row in lines] == [item["product"]["sellerSku"] for item in order["orderItems"]]
    assert not any(item["orderItemId"] in text for item in order["orderItems"])
    assert {row["sales-channel"] for row in rows} == {"Amazon.fr"}
    by_update = reporter.text(asked(reportType=FLAT_BY_UPDATE)).partition("\r\n")[0].split("\t")
    assert by_update == [name for name in FLAT_COLUMNS if name != "cpf"]


def test_address_is_good_for_300_seconds_and_a_new_one_gives_the_same_content(reporter: Reporter) -> None:
    document_id = reporter.finished()["reportDocumentId"]
    first = reporter.document(document_id)
    assert first["compressionAlgorithm"] == "GZIP"
    content = reporter.download(first["url"]).content
    reporter.caller.simulator.admin.clock(advance=299)
    assert reporter.download(first["url"]).content == content
    reporter.caller.simulator.admin.clock(advance=1)
    expired = reporter.download(first["url"])
    assert (expired.status_code, expired.headers["content-type"]) == (403, "application/xml")
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in expired.text
    second = reporter.document(document_id)
    assert second["url"] != first["url"]
    assert reporter.download(second["url"]).content == content


def test_address_takes_no_access_token_and_no_other_signature(reporter: Reporter) -> None:
    url, admin = reporter.url(), reporter.caller.simulator.admin
    refused = reporter.download(url, **reporter.caller.headers())
    assert (refused.status_code, "InvalidArgument" in refused.text) == (400, True)
    assert reporter.download(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 403
    assert reporter.download(url.partition("?")[0]).status_code == 403
    entries = admin.requests("reportDocument")
    assert [(one["status"], one["error"]) for one in entries] == [
        (400, "InvalidArgument"),
        (403, "SignatureDoesNotMatch"),
        (403, "SignatureDoesNotMatch"),
    ]


@pytest.mark.parametrize("charset", ["UTF-8", "ISO-8859-1", "windows-31j"])
@pytest.mark.parametrize("compressed", [True, False])
def test_charset_and_compression_are_told_where_amazon_tells_them(
    reporter: Reporter, charset: str, compressed: bool
) -> None:
    reporter.caller.simulator.admin.reports(gzip=compressed, charset=charset)
    document = reporter.document(reporter.finished()["reportDocumentId"])
    assert ("compressionAlgorithm" in document) is compressed
    answer = reporter.download(document["url"])
    assert answer.headers["content-type"] == f"text/xml; charset={charset}"
    assert "content-encoding" not in answer.headers
    assert answer.headers["transfer-encoding"] == "chunked"
    assert "encoding" not in text_of(answer).partition("\n")[0]
    titles = {item.findtext("ProductName") for one in orders_of(text_of(answer)) for item in one.findall("OrderItem")}
    recent = [one for one in fixture.orders() if one["createdTime"] >= iso(WINDOWS[2][0])]
    assert titles == {item["product"]["title"] for order in recent for item in order["orderItems"]}


def test_content_encoding_comes_when_it_was_asked_for(reporter: Reporter) -> None:
    document_id = reporter.finished()["reportDocumentId"]
    document = reporter.document(document_id, enableContentEncodingUrlHeader="true")
    answer = reporter.download(document["url"])
    assert answer.headers["content-encoding"] == "gzip"
    # httpx has decompressed it.
    assert answer.content.startswith(b"<?xml")
    assert gzip.decompress(reporter.download(reporter.document(document_id)["url"]).content) == answer.content


def test_element_can_be_the_other_one_that_is_said_to_exist(reporter: Reporter) -> None:
    reporter.caller.simulator.admin.reports(element="OrderReport")
    text = reporter.text()
    assert orders_of(text) == []
    assert len(orders_of(text, "OrderReport")) > 10


def test_content_is_that_of_the_moment_the_report_was_done(reporter: Reporter) -> None:
    admin = reporter.caller.simulator.admin
    report_id = reporter.created()
    recent = [one["orderId"] for one in fixture.orders() if one["createdTime"] >= iso(WINDOWS[2][0])]
    admin.change_order(TENANT, recent[0], "CANCELLED")
    admin.clock(advance=1)
    # Nobody has looked at the report since it was done, and yet this change comes too late for it.
    admin.change_order(TENANT, recent[1], "CANCELLED")
    admin.reports(gzip=False, charset="ISO-8859-1", element="OrderReport")
    url = reporter.document(reporter.report(report_id)["reportDocumentId"])["url"]
    found = {order.findtext("AmazonOrderID"): order for order in orders_of(text_of(reporter.download(url)))}
    assert found[recent[0]].findtext("OrderStatus") == "Cancelled"
    assert found[recent[1]].findtext("OrderStatus") != "Cancelled"
    admin.generate_orders(TENANT, 3, start=WINDOWS[2][0], end=WINDOWS[2][1], replace=True)
    assert len(orders_of(text_of(reporter.download(url)))) == len(recent)


def test_document_is_kept_for_30_days_and_its_report_for_90(reporter: Reporter) -> None:
    report, simulator = reporter.finished(), reporter.caller.simulator

    def found(days: int) -> tuple[int, int]:
        simulator.admin.clock(at=NOW + timedelta(days=days))
        caller = Caller(simulator)
        paths = (f"{DOCUMENTS}/{report['reportDocumentId']}", f"{REPORTS}/{report['reportId']}")
        return caller.get(paths[0]).status_code, caller.get(paths[1]).status_code

    assert [found(days) for days in (30, 31, 90, 91)] == [(200, 200), (404, 200), (404, 200), (404, 404)]
