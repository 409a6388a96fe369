# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Sources of orders: what is asked of Amazon, and the pages it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import Answer
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import SellingPartner
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Order, Rejected, parse_order

SEARCH_OPERATION = "searchOrders"
SEARCH_PATH = "/orders/2026-01-01/orders"
INCLUDED_DATA = "PROCEEDS,FULFILLMENT,CANCELLATION"
"""Totals, status and who cancelled. Not BUYER and not RECIPIENT: what is not asked for cannot be lost."""
TOKEN_LIFE = 24 * 3600.0
"""Seconds a page token of searchOrders lives (Amazon: Orders API v2026-01-01)."""
LARGEST_PAGE = 100
SETTLING = 120.0
"""A window must end this many seconds before Amazon's now (Amazon: createdBefore)."""
HISTORY_DAYS = 730
"""Amazon keeps two years of orders."""


@dataclass(frozen=True)
class Page:
    """One page, normalised.

    :param fetched: rows Amazon sent, duplicates included.
    :param next_token: token of the following page, ``None`` on the last one.
    :param rate: requests a second, when Amazon said so.
    """

    fetched: int
    orders: tuple[Order, ...]
    rejected: tuple[Rejected, ...]
    next_token: str | None
    rate: float | None


def search_query(marketplace_id: str, after: datetime, before: datetime) -> dict[str, str]:
    """The parameters that must be the same for all pages of a window: what a checkpoint stores."""
    return {
        "marketplaceIds": marketplace_id,
        "createdAfter": iso(after),
        "createdBefore": iso(before),
        "includedData": INCLUDED_DATA,
    }


def search_page(
    partner: SellingPartner,
    query: Mapping[str, str],
    *,
    page_token: str | None,
    page_size: int,
    page_number: int,
) -> Page:
    """Ask for one page of ``searchOrders``; one call, no retry."""
    params = {**query, "maxResultsPerPage": str(page_size)}
    if page_token:
        params["paginationToken"] = page_token
    answer = partner.get(SEARCH_PATH, params, payload_key="orders")
    return read_page(f"{partner.endpoint}{SEARCH_PATH}", answer, page_number)


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
    )


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with Z, to the second, as Amazon writes it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
