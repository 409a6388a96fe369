# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports 2021-06-30: every rule of a request, a report's life by the simulator's clock, and the request log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from lab.amazon import fixture
from lab.amazon.clock import iso
from lab.errors import LabError
from tests.lab.amazon_caller import Caller, error_of
from tests.lab.amazon_process import FRANCE, Simulator
from tests.lab.amazon_reports import (
    DOCUMENTS,
    FLAT,
    NOW,
    REPORTS,
    WINDOWS,
    XML,
    XML_BY_UPDATE,
    Reporter,
    asked,
    orders_of,
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


@pytest.mark.parametrize(
    "changes",
    [
        {"reportType": None},
        {"reportType": "GET_MERCHANT_LISTINGS_ALL_DATA"},
        {"reportType": ["x"]},
        {"marketplaceIds": None},
        {"marketplaceIds": []},
        {"marketplaceIds": FRANCE},
        {"marketplaceIds": [FRANCE] * 26},
        {"marketplaceIds": ["A13V1IB3VIYZZX"]},
        {"dataStartTime": "2025-12-14"},
        {"dataStartTime": 20251214},
        {"dataEndTime": "2025-12-14T12:00:00"},
        {"dataEndTime": iso(NOW + timedelta(seconds=1))},
        {"dataEndTime": iso(WINDOWS[2][0] - timedelta(seconds=1))},
    ],
)
def test_request_that_breaks_a_rule_is_invalid_input(reporter: Reporter, changes: dict[str, Any]) -> None:
    assert error_of(reporter.create(asked(**changes)))[:2] == (400, "InvalidInput")
    assert reporter.caller.simulator.admin.reports()["reports"] == []


def test_body_that_is_no_json_object_is_refused(reporter: Reporter) -> None:
    http, headers = reporter.caller.http, reporter.caller.headers()
    json_headers = {**headers, "content-type": "application/json"}
    assert error_of(http.post(REPORTS, content=b"{", headers=json_headers))[:2] == (400, "InvalidInput")
    assert error_of(http.post(REPORTS, content=b"[]", headers=json_headers))[:2] == (400, "InvalidInput")
    assert error_of(http.post(REPORTS, data={"a": "b"}, headers=headers))[0] == 415
    assert http.post(REPORTS, json=asked()).status_code == 403


def test_marketplace_in_which_the_seller_does_not_sell_is_forbidden(reporter: Reporter) -> None:
    assert error_of(reporter.create(asked(marketplaceIds=[FRANCE, "ATVPDKIKX0DER"])))[0] == 403


def test_report_goes_from_queue_to_progress_to_done_by_the_simulators_clock(reporter: Reporter) -> None:
    admin = reporter.caller.simulator.admin
    admin.reports(queue=60, progress=100, per_100k=50_000)
    report_id = reporter.created()
    base = {
        "reportId": report_id,
        "reportType": XML,
        "marketplaceIds": [FRANCE],
        "createdTime": iso(NOW),
        "dataStartTime": iso(WINDOWS[2][0]),
        "dataEndTime": iso(WINDOWS[2][1]),
    }
    queued = {**base, "processingStatus": "IN_QUEUE"}
    assert reporter.report(report_id) == queued
    admin.clock(advance=59)
    assert reporter.report(report_id) == queued
    admin.clock(advance=1)
    started = {"processingStartTime": iso(NOW + timedelta(seconds=60))}
    assert reporter.report(report_id) == {**base, **started, "processingStatus": "IN_PROGRESS"}
    orders = [one for one in fixture.orders() if one["createdTime"] >= iso(WINDOWS[2][0])]
    work = 100 + len(orders) / 2
    admin.clock(advance=work - 0.5)
    assert reporter.report(report_id)["processingStatus"] == "IN_PROGRESS"
    admin.clock(advance=1_000)
    done = reporter.report(report_id)
    assert (done["processingStatus"], done["processingStartTime"]) == ("DONE", started["processingStartTime"])
    # Its end is when the work was done, not when somebody looked.
    ended = datetime.fromisoformat(done["processingEndTime"])
    assert abs((ended - NOW).total_seconds() - 60 - work) < 1
    assert done["reportDocumentId"].startswith("amzn1.spdoc.1.4.eu.")


def test_report_by_last_update_selects_by_it_and_ignores_the_marketplaces(reporter: Reporter) -> None:
    reporter.caller.simulator.admin.change_order(TENANT, "407-8949262-6149120", "CANCELLED", at=NOW)
    window = (NOW - timedelta(hours=1), NOW)
    assert reporter.finished(asked(window))["processingStatus"] == "CANCELLED"
    (only,) = orders_of(reporter.text(asked(window, reportType=XML_BY_UPDATE, marketplaceIds=[ITALY])))
    assert only.findtext("AmazonOrderID") == "407-8949262-6149120"
    assert reporter.finished(asked(marketplaceIds=[ITALY]))["processingStatus"] == "CANCELLED"


@pytest.mark.parametrize(
    ("window", "status"),
    [
        ((NOW - timedelta(minutes=5), NOW), "CANCELLED"),
        ((NOW - timedelta(days=31), NOW), "DONE"),
        ((NOW - timedelta(days=31, seconds=1), NOW), "CANCELLED"),
    ],
)
def test_empty_window_and_one_of_more_than_31_days_are_cancelled(
    reporter: Reporter, window: tuple[datetime, datetime], status: str
) -> None:
    report = reporter.finished(asked(window))
    assert report["processingStatus"] == status
    assert ("reportDocumentId" in report) is (status == "DONE")
    assert "processingEndTime" in report


def test_identical_request_makes_a_new_report(reporter: Reporter) -> None:
    assert reporter.created() != reporter.created()


def test_only_a_report_in_the_queue_can_be_cancelled(reporter: Reporter) -> None:
    def cancel(report_id: str) -> int:
        return reporter.caller.http.delete(f"{REPORTS}/{report_id}", headers=reporter.caller.headers()).status_code

    report_id = reporter.created()
    assert cancel(report_id) == 200
    assert reporter.report(report_id)["processingStatus"] == "CANCELLED"
    assert cancel(report_id) == 400
    reporter.caller.simulator.admin.clock(advance=10)
    assert reporter.report(report_id)["processingStatus"] == "CANCELLED"
    assert cancel(reporter.finished()["reportId"]) == 400
    assert cancel("1") == 404


def test_reports_are_listed_newest_first_in_pages_and_by_their_filters(reporter: Reporter) -> None:
    get = reporter.caller.get
    made = [reporter.created() for _ in range(5)]
    first = get(REPORTS, reportTypes=XML, pageSize=2).json()
    second = get(REPORTS, nextToken=first["nextToken"]).json()
    third = get(REPORTS, nextToken=second["nextToken"]).json()
    assert "nextToken" not in third
    pages = [first, second, third]
    assert [one["reportId"] for page in pages for one in page["reports"]] == made[::-1]
    assert get(REPORTS, reportTypes=FLAT).json() == {"reports": []}
    assert len(get(REPORTS, reportTypes=f"{FLAT},{XML}", processingStatuses="IN_QUEUE").json()["reports"]) == 5
    assert get(REPORTS, reportTypes=XML, processingStatuses="DONE").json()["reports"] == []
    assert get(REPORTS, reportTypes=XML, marketplaceIds=ITALY).json()["reports"] == []
    assert get(REPORTS, reportTypes=XML, createdUntil=iso(NOW - timedelta(seconds=1))).json()["reports"] == []


@pytest.mark.parametrize("query", [{}, {"nextToken": "x"}, {"reportTypes": XML, "pageSize": 101}])
def test_wrong_listing_is_invalid_input(reporter: Reporter, query: dict[str, Any]) -> None:
    assert error_of(reporter.caller.get(REPORTS, **query))[:2] == (400, "InvalidInput")


def test_other_seller_finds_neither_report_nor_document(reporter: Reporter) -> None:
    report = reporter.finished()
    other = Caller(reporter.caller.simulator, "switaa-002")
    assert error_of(other.get(f"{REPORTS}/{report['reportId']}"))[:2] == (404, "NotFound")
    assert error_of(other.get(f"{DOCUMENTS}/{report['reportDocumentId']}"))[:2] == (404, "NotFound")
    assert other.get(REPORTS, reportTypes=XML).json() == {"reports": []}


def test_request_log_has_what_was_asked_and_no_signature(reporter: Reporter) -> None:
    url, admin = reporter.url(), reporter.caller.simulator.admin
    text_of(reporter.download(url))
    (create,) = admin.requests("createReport")
    assert (create["method"], create["status"], create["path"]) == ("POST", 202, REPORTS)
    assert create["parameters"] == {**asked(), "marketplaceIds": FRANCE}
    (download,) = admin.requests("reportDocument")
    count = sum(1 for one in fixture.orders() if one["createdTime"] >= iso(WINDOWS[2][0]))
    assert (download["rows"], download["complete"], download["tenant"]) == (count, True, TENANT)
    signature = url.partition("X-Amz-Signature=")[2]
    assert admin.issued()["document_signatures"][-1] == signature
    assert signature not in str(admin.requests())
    assert signature not in reporter.caller.simulator.log.read_text(encoding="utf-8")


def test_usage_plans_and_rate_headers_are_amazons(reporter: Reporter) -> None:
    answers = [reporter.create() for _ in range(16)]
    assert [answer.status_code for answer in answers] == [202] * 15 + [429]
    assert answers[0].headers["x-amzn-ratelimit-limit"] == "0.0167"
    assert "x-amzn-ratelimit-limit" not in answers[-1].headers
    report_id = answers[0].json()["reportId"]
    polls = [reporter.caller.get(f"{REPORTS}/{report_id}") for _ in range(16)]
    assert [answer.status_code for answer in polls] == [200] * 15 + [429]
    assert polls[0].headers["x-amzn-ratelimit-limit"] == "2.0"
    reporter.caller.simulator.admin.clock(advance=0.5)
    assert reporter.caller.get(f"{REPORTS}/{report_id}").status_code == 200


def test_reset_forgets_reports_and_settings(reporter: Reporter) -> None:
    admin = reporter.caller.simulator.admin
    before = admin.reports()["settings"]
    url = reporter.url()
    admin.reports(queue=7, charset="ISO-8859-1")
    admin.reset()
    assert admin.reports() == {"settings": before, "reports": []}
    assert (before["queue"], before["progress"]) == (0.5, 0.5)
    assert reporter.download(url).status_code == 403


@pytest.mark.parametrize("wrong", [{"element": "Bestellung"}, {"charset": "utf-99"}, {"queue": -1.0}])
def test_setting_that_cannot_be_is_refused(reporter: Reporter, wrong: dict[str, Any]) -> None:
    with pytest.raises(LabError, match=r"unknown element|unknown charset|negative"):
        reporter.caller.simulator.admin.reports(**wrong)
