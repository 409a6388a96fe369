# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports as a plain HTTP caller asks for them, and what stands in their documents.

The reader of the XML is written for the tests alone: it checks the simulator, not the import.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import httpx

from lab.amazon.clock import iso
from lab.amazon.report_queue import CODECS
from tests.lab.amazon_caller import UNTIL, Caller
from tests.lab.amazon_process import FRANCE

REPORTS = "/reports/2021-06-30/reports"
DOCUMENTS = "/reports/2021-06-30/documents"
XML = "GET_XML_ALL_ORDERS_DATA_BY_ORDER_DATE_GENERAL"
XML_BY_UPDATE = "GET_XML_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL"
FLAT = "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_ORDER_DATE_GENERAL"
FLAT_BY_UPDATE = "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL"
# Three windows of 30 days that meet and do not overlap: whole seconds, both ends inclusive.
END = datetime.fromisoformat(UNTIL)
WINDOWS = tuple(
    (END - timedelta(days=30 * (3 - number)), END - timedelta(days=30 * (2 - number), seconds=0 if number == 2 else 1))
    for number in range(3)
)
# A fixed time after the report's window, for a clock that stands still.
NOW = datetime(2026, 1, 13, 8, 0, tzinfo=UTC)


def asked(window: tuple[datetime, datetime] = WINDOWS[2], **changes: Any) -> dict[str, Any]:
    """The body of createReport; a value of None leaves a field out."""
    body = {
        "reportType": XML,
        "marketplaceIds": [FRANCE],
        "dataStartTime": iso(window[0]),
        "dataEndTime": iso(window[1]),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


@dataclass(frozen=True)
class Reporter:
    """The Reports API for one caller; :meth:`finish` lets the simulator's clock pass the delays."""

    caller: Caller

    def create(self, body: dict[str, Any] | None = None) -> httpx.Response:
        """One createReport."""
        return self.caller.http.post(REPORTS, json=asked() if body is None else body, headers=self.caller.headers())

    def created(self, body: dict[str, Any] | None = None) -> str:
        """The id of a new report."""
        answer = self.create(body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["reportId"])

    def report(self, report_id: str) -> dict[str, Any]:
        """One getReport."""
        document: dict[str, Any] = self.caller.get(f"{REPORTS}/{report_id}").json()
        return document

    def finished(self, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A new report at its end."""
        report_id = self.created(body)
        self.caller.simulator.admin.clock(advance=1.0)
        return self.report(report_id)

    def document(self, document_id: str, **query: Any) -> dict[str, Any]:
        """One getReportDocument."""
        answer: dict[str, Any] = self.caller.get(f"{DOCUMENTS}/{document_id}", **query).json()
        return answer

    def url(self, body: dict[str, Any] | None = None) -> str:
        """The address of a new report's document."""
        return str(self.document(self.finished(body)["reportDocumentId"])["url"])

    def download(self, url: str, **headers: str) -> httpx.Response:
        """The document, as it comes."""
        return self.caller.http.get(url, headers=headers)

    def text(self, body: dict[str, Any] | None = None) -> str:
        """The content of a new report."""
        return text_of(self.download(self.url(body)))


def text_of(answer: httpx.Response) -> str:
    """What a download says, in the charset it names."""
    assert answer.status_code == 200, answer.text
    content = gzip.decompress(answer.content) if answer.content[:2] == b"\x1f\x8b" else answer.content
    charset = answer.headers["content-type"].partition("charset=")[2]
    return content.decode(CODECS.get(charset, charset))


def orders_of(xml: str, element: str = "Order") -> list[ET.Element]:
    """The orders of a document."""
    return ET.fromstring(xml).findall(f"Message/{element}")  # noqa: S314 - the simulator's


def _text(element: ET.Element, path: str) -> str:
    found = element.findtext(path)
    assert found is not None, path
    return found


STATUSES = {"Unshipped": "UNSHIPPED", "PartiallyShipped": "PARTIALLY_SHIPPED", "Cancelled": "CANCELLED"}


def _status(word: str) -> str:
    return STATUSES.get(word) or next(name for name in ("SHIPPED", "PENDING") if word.upper().startswith(name))


def _items(order: ET.Element, tenant: str) -> Iterator[tuple[dict[str, Any], list[ET.Element]]]:
    for item in order.findall("OrderItem"):
        components = item.findall("ItemPrice/Component")
        principal = next((one.find("Amount") for one in components if one.findtext("Type") == "Principal"), None)
        quantity = int(_text(item, "Quantity"))
        cancelled = "CANCELLED" if _text(item, "ItemStatus") == "Cancelled" else "ACTIVE"
        yield (
            {
                "tenantId": tenant,
                "externalOrderId": _text(order, "AmazonOrderID"),
                "externalItemId": _text(item, "AmazonOrderItemCode"),
                "sku": _text(item, "SKU"),
                "asin": _text(item, "ASIN"),
                "title": _text(item, "ProductName"),
                "quantityOrdered": quantity,
                "quantityFulfilled": None,
                "unitPrice": None,
                "lineTotal": None if principal is None else Decimal(principal.text or ""),
                "currency": None if principal is None else principal.attrib["currency"],
                "lineStatus": cancelled if quantity else "CANCELLED_ZERO_QUANTITY",
            },
            components,
        )


def read(documents: Iterable[str], tenant: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of orders and items out of XML documents, sorted as the oracle sorts them; Amazon.fr alone."""
    orders, items = [], []
    for order in (order for document in documents for order in orders_of(document)):
        assert _text(order, "SalesChannel") == "Amazon.fr"
        lines = list(_items(order, tenant))
        items += [row for row, _ in lines]
        amounts = [component.find("Amount") for _, components in lines for component in components]
        order_id = _text(order, "AmazonOrderID")
        orders.append(
            {
                "tenantId": tenant,
                "externalOrderId": order_id,
                "orderRef": "#" + order_id[-6:],
                "marketplaceId": FRANCE,
                "orderDate": datetime.fromisoformat(_text(order, "PurchaseDate")),
                "totalAmount": sum(Decimal(one.text or "") for one in amounts if one is not None) if amounts else None,
                "currency": amounts[0].attrib["currency"] if amounts and amounts[0] is not None else None,
                "amountBasis": "REPORT_COMPONENTS" if amounts else None,
                "orderStatus": _status(_text(order, "OrderStatus")),
                "fulfillmentChannel": _text(order, "FulfillmentData/FulfillmentChannel").upper(),
                "lastUpdatedAt": datetime.fromisoformat(_text(order, "LastUpdatedDate")),
            }
        )
    orders.sort(key=lambda row: str(row["externalOrderId"]))
    items.sort(key=lambda row: (row["externalOrderId"], row["externalItemId"]))
    return orders, items
