# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of reports and of their documents: what a client sees, and what the request log says of it."""

from __future__ import annotations

import gzip
import time
import zlib
from collections import Counter
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from lab.amazon.faults import DOCUMENT_FAULTS, REPORT_FAULTS
from tests.lab.amazon_caller import PARTICIPATIONS, Caller
from tests.lab.amazon_process import Simulator
from tests.lab.amazon_reports import NOW, WINDOWS, Reporter, asked, orders_of, text_of

BIG = "switaa-002"
EXPLAINED = {"report-fatal": True, "report-fatal-unexplained": False}


@pytest.fixture
def reporter(simulator: Simulator) -> Reporter:
    simulator.admin.reset()
    simulator.admin.clock(speed=0, at=NOW)
    return Reporter(Caller(simulator))


@pytest.fixture
def big(reporter: Reporter) -> Reporter:
    """A seller whose document is of several hundred KB."""
    start, end = WINDOWS[2]
    reporter.caller.simulator.admin.generate_orders(BIG, 5_000, start=start, end=end, procedural=True)
    return Reporter(Caller(reporter.caller.simulator, BIG))


def last(reporter: Reporter) -> dict[str, Any]:
    """The last download in the request log, once it is there: the log is written after the last byte."""
    deadline = time.monotonic() + 5
    while True:
        entries = reporter.caller.simulator.admin.requests("reportDocument")
        if entries or time.monotonic() > deadline:
            return entries[-1]
        time.sleep(0.01)


def test_every_report_fault_has_its_test() -> None:
    assert {*EXPLAINED, "report-cancelled", "report-stuck"} == set(REPORT_FAULTS)
    assert set(DOCUMENT_FAULTS) == CONTENT_FAULTS | OWN_TESTS


@pytest.mark.parametrize("name", sorted(EXPLAINED))
def test_fatal_report_has_a_document_that_explains_or_none(reporter: Reporter, name: str) -> None:
    reporter.caller.simulator.admin.inject(name)
    report = reporter.finished()
    assert report["processingStatus"] == "FATAL"
    assert ("reportDocumentId" in report) is EXPLAINED[name]
    if EXPLAINED[name]:
        document = reporter.document(report["reportDocumentId"])
        assert "compressionAlgorithm" not in document
        assert "could not be generated" in text_of(reporter.download(document["url"]))
    assert reporter.finished()["processingStatus"] == "DONE"


def test_report_can_be_cancelled_although_there_are_orders(reporter: Reporter) -> None:
    reporter.caller.simulator.admin.inject("report-cancelled")
    report = reporter.finished()
    assert (report["processingStatus"], "reportDocumentId" in report) == ("CANCELLED", False)
    assert reporter.finished()["processingStatus"] == "DONE"


def test_stuck_report_stays_in_the_queue_until_the_faults_are_cleared(reporter: Reporter) -> None:
    admin = reporter.caller.simulator.admin
    admin.inject("report-stuck")
    stuck = reporter.created()
    admin.clock(advance=3_000)
    assert reporter.report(stuck)["processingStatus"] == "IN_QUEUE"
    assert reporter.finished()["processingStatus"] == "DONE"
    assert reporter.report(stuck)["processingStatus"] == "IN_QUEUE"
    admin.clear()
    assert reporter.report(stuck)["processingStatus"] == "IN_QUEUE"
    admin.clock(advance=1)
    assert reporter.report(stuck)["processingStatus"] == "DONE"


def is_expired(answer: httpx.Response) -> None:
    assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True)


def is_slow_down(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (503, "text/html")


def is_short_gzip(answer: httpx.Response) -> None:
    reader = zlib.decompressobj(wbits=31)
    assert answer.status_code == 200
    assert "content-length" not in answer.headers
    assert reader.decompress(answer.content).startswith(b"<?xml")
    assert not reader.eof


def is_corrupt_gzip(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.content[:2]) == (200, b"\x1f\x8b")
    with pytest.raises((zlib.error, gzip.BadGzipFile, EOFError)):
        gzip.decompress(answer.content)


def is_broken_xml(answer: httpx.Response) -> None:
    with pytest.raises(ET.ParseError, match="mismatched tag"):
        orders_of(text_of(answer))


OUTCOMES = {
    "document-expired": is_expired,
    "document-html-503": is_slow_down,
    "document-truncated": is_short_gzip,
    "document-corrupt-gzip": is_corrupt_gzip,
    "document-broken-xml": is_broken_xml,
}
CONTENT_FAULTS = {*OUTCOMES, "document-duplicate-orders", "document-other-marketplace"}
OWN_TESTS = {"document-reset", "document-slow"}


@pytest.mark.parametrize("name", sorted(OUTCOMES))
@pytest.mark.parametrize("size", ["small", "big"])
def test_document_fault_has_its_outcome_once_and_then_the_document_is_whole(
    reporter: Reporter, big: Reporter, size: str, name: str
) -> None:
    who = big if size == "big" else reporter
    document_id = who.finished()["reportDocumentId"]
    url = who.document(document_id)["url"]
    who.caller.simulator.admin.inject(name)
    OUTCOMES[name](who.download(url))
    entry = last(who)
    assert (entry["fault"], entry["tenant"]) == (name, who.caller.tenant)
    if name == "document-truncated":
        assert entry["complete"] is False
    assert len(orders_of(text_of(who.download(url)))) > 10


def test_truncated_document_without_compression_is_an_unfinished_xml(big: Reporter) -> None:
    big.caller.simulator.admin.reports(gzip=False)
    url = big.url()
    big.caller.simulator.admin.inject("document-truncated")
    answer = big.download(url)
    assert answer.status_code == 200
    with pytest.raises(ET.ParseError):
        orders_of(text_of(answer))
    entry = last(big)
    assert 0 < entry["rows"] < 5_000
    assert entry["complete"] is False


@pytest.mark.parametrize("size", ["small", "big"])
def test_reset_document_breaks_off_in_its_middle(reporter: Reporter, big: Reporter, size: str) -> None:
    who = big if size == "big" else reporter
    url = who.url()
    who.caller.simulator.admin.inject("document-reset")
    got = bytearray()
    with pytest.raises(httpx.TransportError), who.caller.http.stream("GET", url) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            got += piece
    assert got[:2] == b"\x1f\x8b"
    assert last(who)["complete"] is False
    assert text_of(who.download(url)).endswith("</AmazonEnvelope>\n")


def test_slow_document_pauses_in_its_middle_and_the_simulator_serves_others(big: Reporter) -> None:
    url, caller = big.url(), big.caller
    caller.simulator.admin.inject("document-slow", seconds=0.5)
    begin = time.monotonic()
    with caller.http.stream("GET", url) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        assert caller.get(PARTICIPATIONS).status_code == 200
        assert time.monotonic() - begin < 0.4
        for _ in pieces:
            pass
    assert time.monotonic() - begin >= 0.5


def test_duplicate_orders_stay_in_the_document(big: Reporter) -> None:
    url = big.url()
    big.caller.simulator.admin.inject("document-duplicate-orders")
    first = text_of(big.download(url))
    counts = Counter(order.findtext("AmazonOrderID") for order in orders_of(first))
    assert len(counts) == 5_000
    assert sum(counts.values()) > 5_000
    assert text_of(big.download(url)) == first


def test_orders_of_another_marketplace_stay_in_the_document(reporter: Reporter) -> None:
    url = reporter.url()
    reporter.caller.simulator.admin.inject("document-other-marketplace")
    first = text_of(reporter.download(url))
    channels = Counter(order.findtext("SalesChannel") for order in orders_of(first))
    assert set(channels) == {"Amazon.fr", "Amazon.it"}
    ids = [order.findtext("AmazonOrderID") for order in orders_of(first)]
    assert len(set(ids)) == len(ids)
    assert text_of(reporter.download(url)) == first


def test_client_that_goes_away_is_noted_as_an_incomplete_download(big: Reporter) -> None:
    big.caller.simulator.admin.reports(gzip=False)
    url = big.url()
    with big.caller.http.stream("GET", url) as answer:
        next(answer.iter_raw())
    assert last(big)["complete"] is False


def test_faults_of_the_network_meet_downloads_and_those_of_the_api_do_not(reporter: Reporter) -> None:
    url, admin = reporter.url(), reporter.caller.simulator.admin
    admin.inject("throttle-storm")
    assert reporter.download(url).status_code == 200
    admin.clear()
    admin.inject("html-503")
    assert reporter.download(url).status_code == 503
    admin.inject("internal-500", operation="createReport")
    assert reporter.create(asked()).status_code == 500
