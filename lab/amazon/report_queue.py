# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports on their way from IN_QUEUE to their end, by the simulator's clock, and the documents they leave."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.amazon.books import Order, OrderBook, Snapshot, TimeField
from lab.amazon.clock import Clock, iso
from lab.amazon.config import Seller

# Users measured 31 days; a longer window comes back empty (amzn/selling-partner-api-docs issue 575).
MOST_DAYS = timedelta(days=31)
# Amazon's model: "This URL expires after 5 minutes."
URL_SECONDS = 300
# Amazon's model: reports are found for 90 days. Its list of order reports: their documents are kept for 30.
REPORT_DAYS = timedelta(days=90)
DOCUMENT_DAYS = timedelta(days=30)
# Charsets that Python writes under another name: Amazon uses this one for Japan.
CODECS = {"windows-31j": "cp932"}
ELEMENTS = ("Order", "OrderReport")
EXPLANATION = "The report could not be generated: the data source did not answer in time. Request the report again.\n"


@dataclass(frozen=True)
class Settings:
    """Seconds in the queue, of work, and of work for every 100,000 orders; how documents are written."""

    queue: float = 0.5
    progress: float = 0.5
    per_100k: float = 0.0
    gzip: bool = True
    charset: str = "UTF-8"
    element: str = "Order"

    @property
    def codec(self) -> str:
        """Python's name of the charset."""
        return CODECS.get(self.charset.lower(), self.charset)


def changed(settings: Settings, changes: dict[str, Any]) -> Settings:
    """Settings with some of them replaced. Raises ValueError for one that cannot be."""
    unknown = set(changes) - set(asdict(settings))
    if unknown:
        raise ValueError(f"unknown setting {sorted(unknown)[0]!r}; known: {', '.join(asdict(settings))}")
    new = replace(settings, **changes)
    if new.element not in ELEMENTS:
        raise ValueError(f"unknown element {new.element!r}; known: {', '.join(ELEMENTS)}")
    if min(new.queue, new.progress, new.per_100k) < 0:
        raise ValueError("a delay cannot be negative")
    try:
        "".encode(new.codec)
    except LookupError:
        raise ValueError(f"unknown charset {new.charset!r}") from None
    return new


@dataclass
class Document:
    """What a report left: orders as they were when it was done, or an explanation. Never changes but for ``faults``,
    the names of those that stay with a document from its first download on.
    """

    id: str
    seller: Seller
    report_type: str
    snapshot: Snapshot
    settings: Settings
    made: float
    explanation: str | None = None
    faults: set[str] = field(default_factory=set)


@dataclass
class Report:
    """One report; times are seconds since the epoch by the simulator's clock."""

    id: str
    seller: Seller
    type: str
    start: datetime
    end: datetime
    marketplace_ids: tuple[str, ...]
    created: float
    settings: Settings
    work: float
    fault: str | None = None
    status: str = "IN_QUEUE"
    queued_until: float = 0.0
    processing_start: float | None = None
    processing_end: float | None = None
    document_id: str | None = None

    def describe(self) -> dict[str, Any]:
        """The report in Amazon's model."""
        times = {"processingStartTime": self.processing_start, "processingEndTime": self.processing_end}
        return {
            "reportId": self.id,
            "reportType": self.type,
            "dataStartTime": iso(self.start),
            "dataEndTime": iso(self.end),
            "createdTime": _text(self.created),
            "processingStatus": self.status,
            "marketplaceIds": list(self.marketplace_ids),
            **{name: _text(time) for name, time in times.items() if time is not None},
            **({"reportDocumentId": self.document_id} if self.document_id else {}),
        }


@dataclass(frozen=True)
class Link:
    """What a presigned address stands for."""

    document: Document
    expires: float
    encoded: bool


def _text(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, UTC))


class ReportQueue:
    """All reports of all sellers. Everything that happens to them happens when somebody looks: see :meth:`settle`."""

    def __init__(self, clock: Clock, books: dict[str, OrderBook]) -> None:
        self._clock = clock
        self._books = books
        self._numbers = 0
        self.settings = Settings()
        self.signatures: list[str] = []
        self._reports: dict[str, Report] = {}
        self._open: list[Report] = []
        self._documents: dict[str, Document] = {}
        self._links: dict[str, Link] = {}

    def reset(self) -> None:
        """No reports, no documents, the settings of the start; ids go on."""
        self.settings = Settings()
        for known in (self._reports, self._documents, self._links):
            known.clear()
        self._open.clear()

    def create(
        self,
        seller: Seller,
        report_type: str,
        window: tuple[datetime, datetime],
        marketplace_ids: tuple[str, ...],
        fault: str | None,
    ) -> Report:
        """A new report, whether or not there is one like it."""
        self._numbers += 1
        now = self._clock.timestamp()
        report = Report(
            id=str(50_000_018_000 + self._numbers),
            seller=seller,
            type=report_type,
            start=window[0],
            end=window[1],
            marketplace_ids=marketplace_ids,
            created=now,
            settings=self.settings,
            work=0.0,
            fault=fault,
            queued_until=now + self.settings.queue,
        )
        report.work = self.settings.progress
        if self.settings.per_100k:
            report.work += self.settings.per_100k * len(self._orders(report)) / 100_000
        self._reports[report.id] = report
        self._open.append(report)
        return report

    def _orders(self, report: Report) -> Snapshot:
        by_order_date = report.type.endswith("_BY_ORDER_DATE_GENERAL")
        time_field: TimeField = "createdTime" if by_order_date else "lastUpdatedTime"

        # By last update all marketplaces of the region come, whatever was asked (issue 1404 of the same place).
        def wanted(order: Order) -> bool:
            return not by_order_date or order["salesChannel"].get("marketplaceId") in report.marketplace_ids

        return self._books[report.seller.tenant].snapshot(time_field, report.start, report.end, wanted)

    def settle(self) -> None:
        """Brings every report to where it is now. To be called before a book changes, too: a document holds what
        was there when its report was done.
        """
        now = self._clock.timestamp()
        for report in list(self._open):
            if report.fault == "report-stuck" or now < report.queued_until:
                continue
            report.status, report.processing_start = "IN_PROGRESS", report.queued_until
            if now >= report.queued_until + report.work:
                self._finish(report, report.queued_until + report.work)

    def _finish(self, report: Report, at: float) -> None:
        self._open.remove(report)
        report.processing_end = at
        too_long = report.end - report.start > MOST_DAYS
        snapshot = Snapshot(()) if too_long or report.fault else self._orders(report)
        explanation = None
        if report.fault in ("report-fatal", "report-fatal-unexplained"):
            report.status = "FATAL"
            explanation = EXPLANATION if report.fault == "report-fatal" else None
        elif len(snapshot):
            report.status = "DONE"
        else:
            report.status = "CANCELLED"
        if explanation or report.status == "DONE":
            report.document_id = f"amzn1.spdoc.1.4.eu.{uuid.uuid4()}"
            self._documents[report.document_id] = Document(
                report.document_id, report.seller, report.type, snapshot, report.settings, at, explanation
            )

    def cancel(self, report: Report) -> bool:
        """Cancels a report that is still in the queue; False for any other."""
        if report.status != "IN_QUEUE":
            return False
        self._open.remove(report)
        report.status = "CANCELLED"
        report.processing_end = self._clock.timestamp()
        return True

    def release(self) -> None:
        """Reports that were stuck go on, from the beginning of their time in the queue."""
        for report in self._open:
            if report.fault == "report-stuck":
                report.fault = None
                report.queued_until = self._clock.timestamp() + report.settings.queue

    def of(self, seller: Seller) -> list[Report]:
        """All reports of a seller as they are now, newest first."""
        self.settle()
        return [report for report in reversed(self._reports.values()) if report.seller == seller and self._kept(report)]

    def _kept(self, report: Report) -> bool:
        return self._clock.timestamp() - report.created <= REPORT_DAYS.total_seconds()

    def report(self, seller: Seller, report_id: str) -> Report | None:
        """One report as it is now."""
        self.settle()
        report = self._reports.get(report_id)
        return report if report and report.seller == seller and self._kept(report) else None

    def document(self, seller: Seller, document_id: str) -> Document | None:
        """One document; None when it is older than 30 days."""
        self.settle()
        document = self._documents.get(document_id)
        if document is None or document.seller != seller:
            return None
        return document if self._clock.timestamp() - document.made <= DOCUMENT_DAYS.total_seconds() else None

    def sign(self, document: Document, *, encoded: bool) -> str:
        """A new signature: who has it may download the document for five minutes."""
        signature = secrets.token_hex(32)
        self.signatures.append(signature)
        self._links[signature] = Link(document, self._clock.timestamp() + URL_SECONDS, encoded)
        return signature

    def link(self, signature: str) -> Link | None:
        """What a signature stands for, expired or not."""
        return self._links.get(signature)

    def describe(self) -> dict[str, Any]:
        """Settings, and all reports with their tenants, oldest first."""
        self.settle()
        reports = [{"tenant": report.seller.tenant, **report.describe()} for report in self._reports.values()]
        return {"settings": asdict(self.settings), "reports": reports}
