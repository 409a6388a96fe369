# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least time that Amazon's usage plans leave to an import: token buckets, full at the start.

Rates and bursts are the defaults of Amazon's API models. The network's time is not in these figures.
"""

from __future__ import annotations

import math

PAGE = 100
"""Orders of one page at most; getOrders and searchOrders alike (Amazon's models, maxResultsPerPage)."""

# tokens a second, tokens a full bucket holds (Amazon's models, "Usage Plan" of each operation)
SEARCH_ORDERS = (0.0056, 20)
GET_ORDERS = (0.0167, 20)
GET_ORDER_ITEMS = (0.5, 30)
CREATE_REPORT = (0.0167, 15)
GET_REPORT_DOCUMENT = (0.0167, 15)

DAYS = 90
REPORT_DAYS = 30
"""Days of one report: the longest window that is known to be answered (Airbyte's limit; no official number)."""

GENERATION_BASE = 300.0
GENERATION_PER_100_000 = 60.0
"""Assumed, as Amazon publishes nothing: a report is made in 300 s and 60 s more for each 100,000 orders in it."""

ROUTES = ("search", "report", "v0")


def throttle_seconds(calls: int, plan: tuple[float, int]) -> float:
    """Seconds until the last of ``calls`` calls may be made: max(0, (calls - burst) / rate)."""
    rate, burst = plan
    return max(0.0, (calls - burst) / rate)


def pages(orders: int) -> int:
    """Pages that ``orders`` orders fill; an empty window takes one as well."""
    return max(1, math.ceil(orders / PAGE))


def reports() -> int:
    """Reports that cover the window."""
    return math.ceil(DAYS / REPORT_DAYS)


def generation_seconds(orders: int) -> float:
    """The assumed time of one report with ``orders`` orders."""
    return GENERATION_BASE + GENERATION_PER_100_000 * orders / 100_000


def lower_bound(route: str, orders: int) -> float:
    """Throttle seconds that no client of a route can avoid, whatever it runs side by side.

    ``search``: the pages. ``v0``: the longer of the pages and one getOrderItems an order. ``report``: the reports.
    """
    if route == "search":
        return throttle_seconds(pages(orders), SEARCH_ORDERS)
    if route == "v0":
        return max(throttle_seconds(pages(orders), GET_ORDERS), throttle_seconds(orders, GET_ORDER_ITEMS))
    if route == "report":
        return max(throttle_seconds(reports(), CREATE_REPORT), throttle_seconds(reports(), GET_REPORT_DOCUMENT))
    raise ValueError(f"there is no route {route!r}; there are {', '.join(ROUTES)}")


def calls(route: str, orders: int) -> int:
    """Calls of a route without polls: what a perfect client makes."""
    if route == "search":
        return pages(orders)
    if route == "v0":
        return pages(orders) + orders
    return 2 * reports()


METERED = frozenset(
    {
        "searchOrders",
        "getOrder",
        "getOrders",
        "getOrderV0",
        "getOrderItems",
        "getMarketplaceParticipations",
        "createReport",
        "getReport",
        "getReports",
        "getReportDocument",
        "cancelReport",
    }
)
"""Operations that have a usage plan, by the names of the simulator's request log."""
