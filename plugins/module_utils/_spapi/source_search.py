# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Source ``search``: searchOrders of the Orders API 2026-01-01, orders together with their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import Answer
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Order, Rejected, parse_order
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import (
    Asking,
    Page,
    Place,
    Task,
    iso,
)

OPERATION = "searchOrders"
PATH = "/orders/2026-01-01/orders"
ORDER_OPERATION = "getOrder"
INCLUDED_DATA = "PROCEEDS,FULFILLMENT,CANCELLATION"
"""Totals, status and who cancelled. Not BUYER and not RECIPIENT: what is not asked for cannot be lost."""
TOKEN_LIFE = 24 * 3600.0
"""Seconds a page token of searchOrders lives (Amazon: Orders API v2026-01-01)."""


class SearchSource:
    """See :class:`Source`. 20 pages of 100 orders at once, then one in 178.6 s (Amazon: usage plan)."""

    name = "search"
    token_life: float | None = TOKEN_LIFE
    bulk = False

    def query(self, task: Task) -> dict[str, str]:
        """The parameters a page token is bound to."""
        word = "created" if task.family == "created" else "lastUpdated"
        return {
            "marketplaceIds": task.marketplace_id,
            f"{word}After": iso(task.after),
            f"{word}Before": iso(task.before),
            "includedData": INCLUDED_DATA,
        }

    def again(self, _state: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing: a list is read from its first page."""
        return {}

    def read(self, query: Mapping[str, str], place: Place, ask: Asking, *, page_size: int) -> Iterator[Page]:
        """One call a page."""
        token, number = place.token, place.pages
        while True:
            number += 1
            params = {**query, "maxResultsPerPage": str(page_size)}
            if token:
                params["paginationToken"] = token
            page = read_page(f"{ask.endpoint}{PATH}", ask.get(OPERATION, PATH, params, payload_key="orders"), number)
            yield page
            if page.last:
                return
            token = page.next_token


def read_page(address: str, answer: Answer, page_number: int) -> Page:
    """Split a page into what can be stored and what cannot. Nothing of it is dropped.

    :raises UnexpectedAnswerError: when the page's own frame is not what Amazon's model promises.
    """
    rows: Any = answer.payload["orders"]
    pagination: Any = answer.payload.get("pagination")
    token = pagination.get("nextToken") if isinstance(pagination, dict) else None
    sound = isinstance(rows, list) and (pagination is None or isinstance(pagination, dict))
    if not sound or (token is not None and not isinstance(token, str)):
        raise UnexpectedAnswerError(
            "reading a page of",
            address,
            "its frame is not that of the Orders API 2026-01-01",
            "Check amazon_endpoint, and whether a newer release of this collection knows a newer API.",
        )
    parsed = [parse_order(raw, f"page {page_number} row {row}") for row, raw in enumerate(rows, start=1)]
    return Page(
        fetched=len(rows),
        orders=tuple(order for order in parsed if isinstance(order, Order)),
        rejected=tuple(row for row in parsed if isinstance(row, Rejected)),
        next_token=token or None,
        rate=answer.rate,
        last=not token,
    )


def read_order(ask: Asking, order_id: str) -> Order | Rejected:
    """One order by its id, from getOrder of the same API."""
    path = f"{PATH}/{quote(order_id, safe='')}"
    answer = ask.get(ORDER_OPERATION, path, {"includedData": INCLUDED_DATA}, payload_key="order")
    return parse_order(answer.payload["order"], order_id)
