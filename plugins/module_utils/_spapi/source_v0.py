# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Source ``v0``: getOrders and getOrderItems of the Orders API v0, until Amazon removes it on 2027-03-27."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Order, Rejected
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model_v0 import parse_v0_order
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import (
    Asking,
    Page,
    Place,
    Task,
    iso,
)

OPERATION, ITEMS_OPERATION = "getOrders", "getOrderItems"
PATH = "/orders/v0/orders"
REMOVED_ON = "2027-03-27"
"""Amazon's word on the end of the deprecated operations of v0."""
WARNING = (
    f"source v0 reads Amazon's Orders API v0, which Amazon removes on {REMOVED_ON}: calls fail from then on. "
    "Use source: auto, search or report."
)
MOST_ITEM_PAGES = 100
"""Pages of lines of one order after which an endless list is assumed."""


class V0Source:
    """See :class:`Source`. One call more for each order: its lines."""

    name = "v0"
    token_life: float | None = None
    bulk = False

    def query(self, task: Task) -> dict[str, str]:
        """The filters that a NextToken goes with."""
        word = "Created" if task.family == "created" else "LastUpdated"
        return {
            "MarketplaceIds": task.marketplace_id,
            f"{word}After": iso(task.after),
            f"{word}Before": iso(task.before),
        }

    def again(self, _state: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing: a list is read from its first page."""
        return {}

    def read(self, query: Mapping[str, str], place: Place, ask: Asking, *, page_size: int) -> Iterator[Page]:
        """A page of orders and the lines of each."""
        token, number = place.token, place.pages
        while True:
            number += 1
            params = {**query, "MaxResultsPerPage": str(page_size)}
            if token:
                params["NextToken"] = token
            payload = _payload(ask, OPERATION, PATH, params, "Orders")
            parsed = [_with_lines(ask, raw, f"page {number} row {row}") for row, raw in enumerate(payload["Orders"], 1)]
            token = payload.get("NextToken") or None
            yield Page(
                fetched=len(parsed),
                orders=tuple(order for order in parsed if isinstance(order, Order)),
                rejected=tuple(row for row in parsed if isinstance(row, Rejected)),
                next_token=token,
                last=token is None,
                weaker=True,
            )
            if token is None:
                return


def _with_lines(ask: Asking, raw: object, where: str) -> Order | Rejected:
    order_id = raw.get("AmazonOrderId") if isinstance(raw, dict) else None
    if not isinstance(order_id, str) or not order_id:
        return parse_v0_order(raw, [], where)
    return parse_v0_order(raw, _lines(ask, order_id), where)


def _lines(ask: Asking, order_id: str) -> list[Any]:
    path = f"{PATH}/{quote(order_id, safe='')}/orderItems"
    lines: list[Any] = []
    token, seen = None, set()
    for _page in range(MOST_ITEM_PAGES):
        payload = _payload(ask, ITEMS_OPERATION, path, {"NextToken": token} if token else {}, "OrderItems")
        lines += payload["OrderItems"]
        token = payload.get("NextToken") or None
        if token is None:
            return lines
        if token in seen:
            break
        seen.add(token)
    raise UnexpectedAnswerError(
        "reading the lines of an order at",
        f"{ask.endpoint}{PATH}",
        "Amazon's list of them does not end",
        "Nothing of the page was stored. Run again later, or use source: search.",
    )


def _payload(ask: Asking, operation: str, path: str, params: Mapping[str, str], rows: str) -> Mapping[str, Any]:
    payload: Any = ask.get(operation, path, params, payload_key="payload").payload["payload"]
    token = payload.get("NextToken") if isinstance(payload, dict) else None
    if not isinstance(payload, dict) or not isinstance(payload.get(rows), list) or not isinstance(token, str | None):
        raise UnexpectedAnswerError(
            "reading a page of",
            f"{ask.endpoint}{PATH}",
            "its frame is not that of the Orders API v0",
            f"Check amazon_endpoint. Amazon removes v0 on {REMOVED_ON}; use source: search.",
        )
    return payload
