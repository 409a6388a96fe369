# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports API 2021-06-30: createReport, getReports, getReport, cancelReport and getReportDocument."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lab.amazon.answers import Answer, Refused, invalid_input, json_answer
from lab.amazon.calls import Call, check_marketplaces, listed, moment
from lab.amazon.clock import parse_iso
from lab.amazon.pages import PageToken
from lab.amazon.report_queue import REPORT_DAYS, URL_SECONDS, Report
from lab.amazon.world import World

TYPES = frozenset(
    f"GET_{form}_ALL_ORDERS_DATA_BY_{time}_GENERAL"
    for form in ("XML", "FLAT_FILE")
    for time in ("ORDER_DATE", "LAST_UPDATE")
)
STATUSES = frozenset({"CANCELLED", "DONE", "FATAL", "IN_PROGRESS", "IN_QUEUE"})
# Where a document lies; who has an address with a signature gets it there.
DOCUMENTS = "/tortuga-prod-eu"


def _body_moment(call: Call, name: str, now: datetime) -> datetime:
    text = call.body.get(name)
    if text is None:
        return now
    try:
        value = parse_iso(text)
    except (TypeError, ValueError):
        raise invalid_input(f"Parameter {name} is not a date-time in ISO 8601 format.") from None
    # Amazon's model: "The value must be prior to or equal to the current date and time."
    if value > now:
        raise invalid_input(f"Parameter {name} lies in the future.")
    return value


def create_report(world: World, call: Call) -> Answer:
    """Asks for a report; one that was asked for before is made once more."""
    report_type = call.body.get("reportType")
    if not isinstance(report_type, str) or report_type not in TYPES:
        raise invalid_input(f"Report type {report_type!r} is not known.")
    ids = call.body.get("marketplaceIds")
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids) or not 1 <= len(ids) <= 25:
        raise invalid_input("Parameter marketplaceIds must hold 1 to 25 marketplace identifiers.")
    check_marketplaces(world, call, ids)
    now = world.clock.now()
    start, end = (_body_moment(call, name, now) for name in ("dataStartTime", "dataEndTime"))
    if end < start:
        raise invalid_input("The dataEndTime lies before the dataStartTime.")
    fault = call.fault if call.fault and call.fault.startswith("report-") else None
    report = world.reports.create(call.seller, report_type, (start, end), tuple(ids), fault)
    return json_answer({"reportId": report.id}, 202)


def _report(world: World, call: Call) -> Report:
    report = world.reports.report(call.seller, call.path["reportId"])
    if report is None:
        raise Refused(404, "NotFound", f"Report {call.path['reportId']} was not found.")
    return report


def get_report(world: World, call: Call) -> Answer:
    """One report, as it is now."""
    return json_answer(_report(world, call).describe())


def cancel_report(world: World, call: Call) -> Answer:
    """Cancels a report that has not started."""
    if not world.reports.cancel(_report(world, call)):
        raise invalid_input("Only reports with processingStatus IN_QUEUE can be cancelled.")
    return json_answer({})


def get_reports(world: World, call: Call) -> Answer:
    """One page of reports, newest first."""
    query, start = {name: value for name, value in call.query.items() if name != "nextToken"}, None
    if "nextToken" in call.query:
        token = world.seal.open(call.query["nextToken"])
        if token is None or (token.operation, token.seller_id) != (call.operation, call.seller.seller_id):
            raise invalid_input("The nextToken you have submitted is not valid.")
        # Amazon's model: the token is the only parameter; what it was made for stays in force.
        query, start = token.query, token.start
    elif "reportTypes" not in query:
        raise invalid_input("Either reportTypes or nextToken is required.")
    call = Call(call.operation, call.seller, query, call.path, call.fault)
    types = listed(call, "reportTypes", most=10)
    statuses = listed(call, "processingStatuses", allowed=STATUSES)
    marketplaces = set(listed(call, "marketplaceIds", most=10))
    size = query.get("pageSize", "10")
    if not (size.isascii() and size.isdigit() and 1 <= int(size) <= 100):
        raise invalid_input("Parameter pageSize must be a number between 1 and 100.")
    since = moment(call, "createdSince") or world.clock.now() - REPORT_DAYS
    until = moment(call, "createdUntil") or world.clock.now()
    rows = [
        report
        for report in world.reports.of(call.seller)
        if report.type in types
        and (not statuses or report.status in statuses)
        and (not marketplaces or marketplaces & set(report.marketplace_ids))
        and since.timestamp() <= report.created <= until.timestamp()
        and (start is None or report.id <= start[1])
    ]
    document: dict[str, Any] = {"reports": [report.describe() for report in rows[: int(size)]]}
    if len(rows) > int(size):
        following = rows[int(size)]
        token = PageToken(
            call.operation,
            call.seller.seller_id,
            query,
            "",
            (following.created, following.id),
            world.clock.timestamp(),
        )
        document["nextToken"] = world.seal.close(token)
    return json_answer(document)


def get_report_document(world: World, call: Call) -> Answer:
    """A new address for a document, good for five minutes."""
    encoded = call.query.get("enableContentEncodingUrlHeader", "false").lower()
    if encoded not in ("true", "false"):
        raise invalid_input("Parameter enableContentEncodingUrlHeader must be true or false.")
    document = world.reports.document(call.seller, call.path["reportDocumentId"])
    if document is None:
        raise Refused(404, "NotFound", f"Report document {call.path['reportDocumentId']} was not found.")
    signature = world.reports.sign(document, encoded=encoded == "true")
    host = call.host or f"{world.config.host}:{world.config.port}"
    time = world.clock.now().strftime("%Y%m%dT%H%M%SZ")
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={time}&X-Amz-SignedHeaders=host"
        f"&X-Amz-Expires={URL_SECONDS}&X-Amz-Signature={signature}"
    )
    answer = {"reportDocumentId": document.id, "url": f"https://{host}{DOCUMENTS}/{document.id}?{query}"}
    if document.settings.gzip and document.explanation is None:
        answer["compressionAlgorithm"] = "GZIP"
    return json_answer(answer)
