# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports that Amazon cannot make, cancels or sends damaged: what is tried again, and what a message says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_asking, orders_sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import report_xml, source_report
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import Unavailable
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.source_report import ReportFailed

from lab.amazon import faults, fixture
from lab.amazon.report_queue import EXPLANATION
from tests.integration_lab.amazon_world import AmazonWorld
from tests.integration_lab.orders.test_reports import as_amazon_has_them, at_once, everything_stored, report_ids

pytestmark = pytest.mark.lab

# What one damaged download of each kind is called when it stays so.
DAMAGE = {
    "document-expired": "HTTP 403",
    "document-reset": r"the connection failed \(\w+\)",
    "document-truncated": "its gzip ends too early",
    "document-html-503": "HTTP 503",
    "document-corrupt-gzip": "its gzip (is broken|ends too early)",
    "document-broken-xml": r"its XML is cut or broken \(line \d+\)",
}
CONTENT = {"document-truncated", "document-corrupt-gzip", "document-broken-xml"}
OWN_TESTS = {"document-slow", "document-duplicate-orders", "document-other-marketplace"}
STATUSES = {"document-expired": 403, "document-html-503": 503}


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tries of a download, one second between them."""
    monkeypatch.setattr(source_report, "TRIES", 2)


@pytest.fixture
def quick(world: AmazonWorld) -> Iterator[AmazonWorld]:
    """Amazon makes reports without delay."""
    at_once(world)
    yield world


def says_nothing_secret(world: AmazonWorld, message: str) -> bool:
    """Whether a message is free of addresses that open a document, of tokens and of buyers."""
    issued = [value for values in world.amazon.admin.issued().values() for value in values]
    secrets = [*issued, world.amazon.client_secret, fixture.CANARY, "X-Amz-", "tortuga", "CANARY", "<"]
    return not any(secret in message for secret in secrets)


def test_every_document_fault_has_its_test() -> None:
    assert set(faults.DOCUMENT_FAULTS) == {*DAMAGE, *OWN_TESTS}


@pytest.mark.parametrize("fault", sorted(DAMAGE))
def test_a_document_that_arrives_damaged_once_is_downloaded_again_from_a_new_address(
    quick: AmazonWorld, fault: str
) -> None:
    quick.amazon.admin.inject(fault)
    outcome = quick.import_orders(source="report")
    assert as_amazon_has_them(quick, "report")
    assert outcome.facts["counts"]["inserted"] == outcome.facts["counts"]["fetched"] == 94
    assert [call["fault"] for call in quick.calls("reportDocument")] == [fault, None, None, None]
    assert quick.calls("reportDocument")[0]["status"] == STATUSES.get(fault, 200)
    assert len(quick.calls("getReportDocument")) == 4
    assert len(quick.calls("createReport")) == 3


@pytest.mark.parametrize("fault", sorted(DAMAGE))
def test_a_document_that_stays_damaged_ends_the_run_and_the_next_one_is_complete(
    quick: AmazonWorld, fault: str
) -> None:
    quick.amazon.admin.inject(fault, count=None)
    damaged = fault in CONTENT
    with pytest.raises(ReportFailed if damaged else Unavailable, match=DAMAGE[fault]) as caught:
        quick.import_orders(source="report")
    assert says_nothing_secret(quick, str(caught.value))
    assert quick.query("SELECT status FROM amazon_backfill_runs") == [("RUNNING",)]
    assert len(quick.calls("reportDocument")) == 2
    quick.amazon.admin.clear()
    outcome = quick.import_orders(source="report")
    assert outcome.facts["resumed"] is True
    assert as_amazon_has_them(quick, "report")
    # A document never changes: what stays damaged is of no use to the next run.
    assert len(quick.calls("createReport")) == (4 if damaged else 3)


def test_what_arrives_before_a_download_breaks_off_is_stored_and_not_stored_again(
    quick: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_sources, "BULK_PAGE", 4)
    at_once(quick, gzip=False)
    quick.amazon.admin.inject("document-truncated", count=1)
    outcome = quick.import_orders(source="report")
    assert as_amazon_has_them(quick, "report")
    counts = outcome.facts["counts"]
    assert (counts["fetched"], counts["inserted"], counts["unchanged"]) == (94, 94, 0)
    first, *_rest = quick.calls("reportDocument")
    assert (first["complete"], first["fault"]) == (False, "document-truncated")


def test_a_slow_document_is_waited_for_and_one_that_stalls_is_asked_for_again(quick: AmazonWorld) -> None:
    quick.amazon.admin.inject("document-slow", count=1, seconds=0.4)
    quick.amazon.admin.inject("document-slow", count=1, seconds=4)
    outcome = quick.import_orders(source="report", amazon_timeout=1)
    assert as_amazon_has_them(quick, "report")
    assert outcome.facts["this_call"]["calls_by_operation"]["getReportDocument"] == 4


def test_orders_that_a_document_holds_twice_are_counted_and_stored_once(
    quick: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_sources, "BULK_PAGE", 3)
    quick.amazon.admin.inject("document-duplicate-orders", count=None)
    outcome = quick.import_orders(source="report")
    assert as_amazon_has_them(quick, "report")
    counts, proof = outcome.facts["counts"], outcome.facts["completeness"]
    assert counts["inserted"] == 94
    assert counts["unchanged"] > 0
    assert counts["fetched"] == counts["inserted"] + counts["unchanged"]
    assert (proof["named_by_amazon"], proof["missing"]) == (94, 0)


def test_orders_of_another_marketplace_are_counted_and_left(quick: AmazonWorld) -> None:
    quick.amazon.admin.inject("document-other-marketplace", count=None)
    counts = quick.import_orders(source="report").facts["counts"]
    assert as_amazon_has_them(quick, "report")
    assert counts["elsewhere"] > 0
    assert (counts["fetched"], counts["inserted"]) == (94, 94)
    assert "'999-" not in everything_stored(quick)


@pytest.mark.parametrize("written", ["ISO-8859-1", "windows-31j"])
def test_a_document_in_another_charset_than_it_says_is_an_error_and_no_garbage_is_stored(
    quick: AmazonWorld, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    at_once(quick, charset=written)
    with monkeypatch.context() as patched:
        patched.setattr(report_xml, "charset", lambda _content_type: "utf-8")
        with pytest.raises(ReportFailed, match=r"not in the charset that its answer names \(utf-8\)"):
            quick.import_orders(source="report")
    assert quick.query("SELECT count(*) FROM order_items WHERE title !~ '^[ -~À-ÿ–—’œ ]*$'") == [(0,)]
    quick.import_orders(source="report")
    assert as_amazon_has_them(quick, "report")


def test_a_report_that_is_cancelled_although_there_are_orders_is_asked_for_once_more(quick: AmazonWorld) -> None:
    quick.amazon.admin.inject("report-cancelled", count=1)
    quick.import_orders(source="report")
    assert as_amazon_has_them(quick, "report")
    assert len(quick.calls("createReport")) == 4
    (asked,) = quick.calls("searchOrders")
    assert asked["parameters"]["maxResultsPerPage"] == "1"
    assert asked["parameters"]["createdBefore"] == "2025-11-13T12:00:00Z"


def test_a_report_that_is_cancelled_twice_is_an_error_and_the_next_run_asks_anew(quick: AmazonWorld) -> None:
    quick.amazon.admin.inject("report-cancelled", count=None)
    with pytest.raises(ReportFailed, match=r"cancels it, although the Orders API has orders of its window.*search"):
        quick.import_orders(source="report")
    assert quick.query("SELECT count(*) FROM orders") == [(0,)]
    assert len(quick.calls("createReport")) == 4
    quick.amazon.admin.clear()
    quick.import_orders(source="report")
    assert as_amazon_has_them(quick, "report")


def test_a_fatal_report_is_told_with_amazons_explanation_and_the_next_run_asks_for_a_new_one(
    quick: AmazonWorld,
) -> None:
    quick.amazon.admin.inject("report-fatal", count=1)
    with pytest.raises(ReportFailed) as caught:
        quick.import_orders(source="report")
    message = str(caught.value)
    assert f"Amazon could not make it (FATAL), explaining: {EXPLANATION.strip()} The next run" in message
    assert message.endswith("asks for a new one; source: search reads the orders another way.")
    assert says_nothing_secret(quick, message)
    assert len(report_ids(quick)) == 2
    quick.amazon.admin.clear()
    quick.amazon.admin.clear_requests()
    quick.import_orders(source="report")
    assert len(quick.calls("createReport")) == 1
    assert as_amazon_has_them(quick, "report")


def test_reports_that_all_failed_are_all_asked_for_anew_by_one_run(quick: AmazonWorld) -> None:
    quick.amazon.admin.inject("report-fatal", count=None)
    with pytest.raises(ReportFailed):
        quick.import_orders(source="report")
    quick.amazon.admin.clear()
    quick.amazon.admin.clear_requests()
    quick.import_orders(source="report")
    assert len(quick.calls("createReport")) == 3
    assert as_amazon_has_them(quick, "report")


def test_a_fatal_report_without_an_explanation_is_told_so(quick: AmazonWorld) -> None:
    quick.amazon.admin.inject("report-fatal-unexplained", count=1, skip=2)
    with pytest.raises(ReportFailed, match=r"\(FATAL\), without an explanation"):
        quick.import_orders(source="report")
    # The reports before it are in.
    assert quick.query("SELECT count(*) > 0 FROM orders") == [(True,)]
    quick.amazon.admin.clear()
    quick.import_orders(source="report")
    assert as_amazon_has_them(quick, "report")


@pytest.mark.parametrize("fault", ["document-html-503", "document-expired", "document-reset", "document-truncated"])
def test_an_explanation_that_cannot_be_read_does_not_hide_the_failure(quick: AmazonWorld, fault: str) -> None:
    quick.amazon.admin.inject("report-fatal", count=1)
    quick.amazon.admin.inject(fault, count=None)
    with pytest.raises(ReportFailed, match=r"\(FATAL\)") as caught:
        quick.import_orders(source="report")
    assert says_nothing_secret(quick, str(caught.value))


def test_a_report_that_amazon_forgot_is_asked_for_again(quick: AmazonWorld) -> None:
    quick.amazon.admin.inject("report-stuck", count=None)
    with pytest.raises(KeybuzzError, match="Amazon prepares"):
        quick.import_orders(source="report", wait_budget=0)
    # Amazon keeps reports for 90 days.
    quick.amazon.admin.clock(advance=91 * 86_400)
    quick.amazon.admin.clear()
    quick.import_orders(source="report")
    assert as_amazon_has_them(quick, "report")
    assert len(quick.calls("createReport")) == 6


def test_a_document_that_amazon_forgot_is_made_again(quick: AmazonWorld) -> None:
    quick.amazon.admin.inject("document-html-503", count=None)
    with pytest.raises(Unavailable):
        quick.import_orders(source="report")
    # Amazon keeps the documents of order reports for 30 days, their ids for 90.
    quick.amazon.admin.clock(advance=31 * 86_400)
    quick.amazon.admin.clear()
    quick.import_orders(source="report")
    assert as_amazon_has_them(quick, "report")


def test_an_answer_that_gets_lost_costs_a_second_report_and_nothing_else(
    quick: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_asking, "LONGEST_PAUSE", 0.05)
    quick.amazon.admin.inject("truncated-200", count=1, operation="createReport")
    quick.import_orders(source="report")
    assert len(quick.calls("createReport")) == 4
    assert as_amazon_has_them(quick, "report")


@pytest.mark.parametrize("status", [200, 403, 503])
def test_no_secret_is_in_what_an_interrupted_import_leaves(quick: AmazonWorld, status: int) -> None:
    fault = {200: "document-reset", 403: "document-expired", 503: "document-html-503"}[status]
    quick.amazon.admin.inject(fault, count=None)
    with pytest.raises(Unavailable) as caught:
        quick.import_orders(source="report")
    found: Any = caught.value
    shown = f"{found!r} {found} {found.outcome!r} {found.__cause__!r}" + everything_stored(quick)
    signatures = quick.amazon.admin.issued()["document_signatures"]
    assert not [one for one in signatures if one in shown]
    assert fixture.CANARY not in shown
