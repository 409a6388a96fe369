# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Source ``report``: the all-orders reports in XML, one for every thirty days of a window.

All reports are asked for at once, so that Amazon makes them side by side. The id of each is stored before it is waited
for; the next run uses it again. A document is read as it arrives and never held in memory or on disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import islice
from typing import Any
from urllib.parse import quote

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import report_xml, source_search
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import (
    BadRequest,
    NotFound,
    NotTrusted,
    Unavailable,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Order, Rejected
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model_report import elsewhere, parse_report_order
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.report_parts import (
    Part,
    begun_anew,
    parts_of,
    place_state,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import (
    Asking,
    Family,
    Page,
    Place,
    Task,
    iso,
)

CREATE, LOOK, DOCUMENT = "createReport", "getReport", "getReportDocument"
REPORTS = "/reports/2021-06-30/reports"
DOCUMENTS = "/reports/2021-06-30/documents"
TYPES: Mapping[Family, str] = {
    "created": "GET_XML_ALL_ORDERS_DATA_BY_ORDER_DATE_GENERAL",
    "updated": "GET_XML_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL",
}
FIRST_LOOK, LONGEST_PAUSE = 1.0, 60.0
PAUSE_SHARE = 0.05
"""A report is looked at again after a twentieth of the time it has taken so far: its end is noticed that late."""
TRIES = 5
"""Downloads of one document without a single new order, before it is given up."""
EXPLANATION = 300
"""Characters of Amazon's explanation of a failed report that are shown."""


class ReportFailed(UnexpectedAnswerError):
    """Amazon did not make the report, or made one that cannot be read. The next run asks for a new one."""


class ReportSource:
    """See :class:`Source`. No page has to wait for a token, however many orders there are."""

    name = "report"
    token_life: float | None = None
    bulk = True

    def query(self, task: Task) -> dict[str, str]:
        """What the reports are asked for."""
        return {
            "reportType": TYPES[task.family],
            "marketplaceIds": task.marketplace_id,
            "dataStartTime": iso(task.after),
            "dataEndTime": iso(task.before),
        }

    def again(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The reports that Amazon has made already."""
        return begun_anew(state)

    def read(self, query: Mapping[str, str], place: Place, ask: Asking, *, page_size: int) -> Iterator[Page]:
        """Waypoints while reports are asked for, then pages of ``page_size`` orders of each document."""
        yield from _Reading(query, ask, parts_of(query, place.state), page_size).pages()


class _Reading:
    """One reading of a window; ``parts`` is where it stands, and goes into the checkpoint with each page."""

    def __init__(self, query: Mapping[str, str], ask: Asking, parts: list[Part], page_size: int) -> None:
        self._query = query
        self._ask = ask
        self._parts = parts
        self._page_size = page_size
        self._asked: set[int] = set()

    def pages(self) -> Iterator[Page]:
        """All that is left to read."""
        for at, part in enumerate(self._parts):
            if part.report is None and not part.finished:
                yield self._ask_for(at)
        for at in range(len(self._parts)):
            if not self._parts[at].finished:
                yield from self._part(at)
        yield replace(self._waypoint(), last=True, waypoint=False)

    def _waypoint(self) -> Page:
        return Page(0, (), (), None, state=place_state(self._parts), weaker=True, waypoint=True)

    def _ask_for(self, at: int) -> Page:
        part = self._parts[at]
        body = {
            "reportType": self._query["reportType"],
            "marketplaceIds": [self._query["marketplaceIds"]],
            "dataStartTime": part.after,
            "dataEndTime": part.before,
        }
        try:
            answer = self._ask.post(CREATE, REPORTS, body, payload_key="reportId")
        except BadRequest as error:
            # Amazon: "The value must be prior to or equal to the current date and time", and refuses without a reason.
            clock = "A window that ends in Amazon's future is refused as well: check this host's clock."
            raise BadRequest(error.doing, error.address, error.answered, f"{error.remedy} {clock}") from None
        self._parts[at] = replace(part, report=str(answer.payload["reportId"]), done=0)
        self._asked.add(at)
        return self._waypoint()

    def _part(self, at: int) -> Iterator[Page]:
        """The pages of one report.

        One that Amazon forgot, or cancelled for nothing, or that failed for an earlier run, is asked for once more.
        Amazon keeps a report for 90 days, and its document for 30.
        """
        for again in (False, True):
            try:
                document = self._made(at)
                if document is not None:
                    yield from self._document(at, document)
            except ReportFailed:
                if at not in self._asked:  # an earlier run did, perhaps of several that failed together
                    yield self._ask_for(at)
                    continue
                # It is of no use to the next run either.
                self._parts[at] = replace(self._parts[at], report=None)
                yield self._waypoint()
                raise
            except NotFound:
                if again:
                    raise
                yield self._ask_for(at)
                continue
            if document is not None or not self._has_orders(at):
                self._parts[at] = replace(self._parts[at], finished=True)
                yield replace(self._waypoint(), part_ended=self._query["reportType"] == TYPES["created"])
                return
            if not again:
                yield self._ask_for(at)
        raise ReportFailed(
            "waiting for a report at",
            f"{self._ask.endpoint}{REPORTS}",
            "Amazon cancels it, although the Orders API has orders of its window",
            "Run again later, or read them with source: search.",
        )

    def _made(self, at: int) -> str | None:
        """Wait until the report is made. Returns its document's id; ``None`` for one that Amazon cancelled.

        :raises ReportFailed: Amazon could not make it.
        """
        pause, waited = FIRST_LOOK, 0.0
        path = f"{REPORTS}/{quote(str(self._parts[at].report), safe='')}"
        while True:
            payload = self._ask.get(LOOK, path, {}, payload_key="processingStatus").payload
            status, document = payload["processingStatus"], payload.get("reportDocumentId")
            if status == "DONE" and isinstance(document, str):
                return document
            if status == "CANCELLED":
                return None
            if status == "FATAL":
                raise _failed(self._ask, document)
            if status not in {"IN_QUEUE", "IN_PROGRESS"}:
                raise UnexpectedAnswerError(
                    "waiting for a report at",
                    f"{self._ask.endpoint}{REPORTS}",
                    "its status is none that the Reports API 2021-06-30 knows",
                    "Check amazon_endpoint, or read the orders with source: search.",
                )
            queued = ", it is in the queue" if status == "IN_QUEUE" else ""
            self._ask.pause(pause, f"Amazon prepares report {at + 1} of {len(self._parts)}{queued}")
            waited += pause
            pause = min(LONGEST_PAUSE, max(FIRST_LOOK, waited * PAUSE_SHARE))

    def _has_orders(self, at: int) -> bool:
        """CANCELLED is Amazon's word for an empty window, and for one that was really cancelled: ask which it is."""
        family = "created" if self._query["reportType"] == TYPES["created"] else "lastUpdated"
        params = {
            "marketplaceIds": self._query["marketplaceIds"],
            f"{family}After": self._parts[at].after,
            f"{family}Before": self._parts[at].before,
            "maxResultsPerPage": "1",
        }
        path, operation = source_search.PATH, source_search.OPERATION
        return bool(self._ask.get(operation, path, params, payload_key="orders").payload["orders"])

    def _document(self, at: int, document: str) -> Iterator[Page]:
        """Pages of a document from where the part stands. A download that breaks off begins anew behind them.

        :raises ReportFailed: the document stays damaged, as it would for the next run: its content never changes.
        """
        failures = 0
        while True:
            before = self._parts[at].done
            try:
                yield from self._download(at, document)
                return
            except (report_xml.Damaged, Unavailable) as error:
                failures = 1 if self._parts[at].done > before else failures + 1
                if failures >= TRIES or isinstance(error, NotTrusted):
                    raise _given_up(self._ask, error) from None
            self._ask.pause(2.0 ** (failures - 1), "the download broke off")

    def _download(self, at: int, document: str) -> Iterator[Page]:
        marketplace_id = self._query["marketplaceIds"]
        with _opened(self._ask, document) as (headers, chunks):
            orders = report_xml.raw_orders(chunks, headers.get("content-type", ""))
            skipped = sum(1 for _order in islice(orders, self._parts[at].done))
            if skipped < self._parts[at].done:
                raise report_xml.Damaged("it holds less than it did before")
            while raws := list(islice(orders, self._page_size)):
                number = self._parts[at].done
                ours = [(row, raw) for row, raw in enumerate(raws, number + 1) if not elsewhere(raw, marketplace_id)]
                parsed = [parse_report_order(raw, marketplace_id, f"order {row}") for row, raw in ours]
                self._parts[at] = replace(self._parts[at], done=number + len(raws))
                yield Page(
                    fetched=len(parsed),
                    orders=tuple(one for one in parsed if isinstance(one, Order)),
                    rejected=tuple(one for one in parsed if isinstance(one, Rejected)),
                    next_token=None,
                    state=place_state(self._parts),
                    weaker=True,
                    elsewhere=len(raws) - len(ours),
                )


def _opened(ask: Asking, document: str) -> AbstractContextManager[tuple[Mapping[str, str], Iterator[bytes]]]:
    """A document from its start. Its address lives five minutes, so each opening asks for a new one."""
    answer = ask.get(DOCUMENT, f"{DOCUMENTS}/{quote(document, safe='')}", {}, payload_key="url")
    return ask.download(str(answer.payload["url"]))


def _failed(ask: Asking, document: object) -> ReportFailed:
    why = _explanation(ask, document) if isinstance(document, str) else ""
    return ReportFailed(
        "waiting for a report at",
        f"{ask.endpoint}{REPORTS}",
        f"Amazon could not make it (FATAL), {f'explaining: {why}' if why else 'without an explanation'}",
        "The next run asks for a new one; source: search reads the orders another way.",
    )


def _explanation(ask: Asking, document: str) -> str:
    """Amazon's words on a failure: a short text, shown without anything that is not plain."""
    try:
        with _opened(ask, document) as (_headers, chunks):
            text = b"".join(islice(report_xml.unpacked(chunks), 16))[: 4 * EXPLANATION].decode("utf-8", "replace")
    except (KeybuzzError, report_xml.Damaged):
        return ""
    plain = "".join(character if " " <= character <= "~" else " " for character in text)
    return " ".join(plain.split())[:EXPLANATION].rstrip(".")


def _given_up(ask: Asking, error: Exception) -> KeybuzzError:
    if isinstance(error, KeybuzzError):
        return error
    return ReportFailed(
        "reading a report document of",
        ask.endpoint,
        str(error),
        "What was read before is stored. The next run asks for a new report; source: search reads the orders another "
        "way.",
    )
