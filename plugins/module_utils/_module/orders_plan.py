# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which source ends first: pure arithmetic over the usage plan as it stands and the number of orders expected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import (
    quota,
    source_report,
    source_search,
    source_v0,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.report_parts import LONGEST
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import LARGEST_PAGE

CALL_SECONDS = 0.5
"""What one call takes on the way, about; it decides only between plans that wait equally long."""
MAKING_SECONDS, MAKING_SECONDS_PER_ORDER = 300.0, 60 / 100_000
"""How long Amazon makes a report, assumed: it publishes nothing. A report that was made lately counts instead."""


@dataclass(frozen=True)
class Estimate:
    """What one source would need.

    :param calls: by operation, the most there will be if Amazon works.
    :param waiting: seconds of waiting for tokens.
    :param making: seconds that Amazon works on reports.
    """

    source: str
    calls: Mapping[str, int]
    waiting: float
    making: float = 0.0

    @property
    def seconds(self) -> float:
        """From now to the end, about."""
        return self.waiting + self.making + CALL_SECONDS * sum(self.calls.values())

    def words(self) -> str:
        """For a line."""
        making = f" and about {self.making:.0f} s for Amazon to make it" if self.making else ""
        return f"{self.source} {sum(self.calls.values())} calls, {self.waiting:.0f} s of waiting{making}"


@dataclass(frozen=True)
class Plan:
    """The source that is taken, and why.

    :param orders: how many are expected; ``None``: nobody knows before the first page.
    :param known_from: what that number rests on.
    :param calls_before: what was spent before this plan, on the page that told how many orders there are.
    """

    source: str
    orders: int | None
    known_from: str
    estimates: tuple[Estimate, ...]
    why: str
    calls_before: Mapping[str, int] = field(default_factory=dict)

    def facts(self) -> dict[str, object]:
        """As a module's result."""
        return {
            "source": self.source,
            "expected_orders": self.orders,
            "expected_from": self.known_from,
            "why": self.why,
            "calls_before": dict(self.calls_before),
            "estimates": [
                {
                    "source": one.source,
                    "calls": dict(one.calls),
                    "waiting_seconds": round(one.waiting, 1),
                    "making_seconds": round(one.making, 1),
                    "seconds": round(one.seconds, 1),
                }
                for one in self.estimates
            ],
        }


def choose(
    buckets: Mapping[str, quota.Bucket],
    orders: int | None,
    known_from: str,
    window: timedelta,
    *,
    today: date,
    making: float | None = None,
    among: Sequence[str] = ("search", "report", "v0"),
    page_size: int = LARGEST_PAGE,
) -> Plan:
    """The source that ends first. With one source left there is no choice, but still a plan.

    :param buckets: as they stand now, by operation; one that is missing is full.
    :param window: its length.
    :param making: seconds that the last report took, if one was made lately.
    :param page_size: orders on a page of Amazon's lists.
    """
    given = _Given(buckets, window, making, page_size)
    if orders is None:
        return _unknown(given, among)
    estimates = _estimates(given, orders, [one for one in among if _usable(one, today)] or among)
    best = min(estimates, key=lambda one: one.seconds)
    others = "; ".join(one.words() for one in estimates if one is not best)
    why = f"source {best.words()} for {_about(orders)} ({known_from})" + (f"; instead of {others}" if others else "")
    return Plan(best.source, orders, known_from, tuple(estimates), f"{why}.")


@dataclass(frozen=True)
class _Given:
    """What all estimates of a plan rest on, see :func:`choose`."""

    buckets: Mapping[str, quota.Bucket]
    window: timedelta
    making: float | None
    page_size: int

    def bucket(self, operation: str) -> quota.Bucket:
        return self.buckets.get(operation) or quota.full(operation, 0.0)


def _unknown(given: _Given, among: Sequence[str]) -> Plan:
    if "search" not in among:
        (only, *_rest) = among
        return Plan(
            only,
            None,
            "",
            (),
            f"source {only}, the only one to choose from; how many orders there are shows while it is read.",
        )
    first = _estimates(given, 1, ["search"])
    bucket = given.bucket(source_search.OPERATION)
    others = ", then decides whether a report ends earlier" if len(among) > 1 else ""
    at_once = f"{int(bucket.tokens)} pages of {given.page_size} orders"
    why = (
        f"source search: how many orders there are is not known before its first page (1 call){others}; "
        f"{at_once} can be read at once, then one in {1 / bucket.rate:.0f} s."
    )
    return Plan("search", None, "", tuple(first), why)


def looks(seconds: float) -> int:
    """How often a report that is made in this time is looked at, at most: see ``source_report``."""
    at, pause, count = 0.0, source_report.FIRST_LOOK, 1
    while at < seconds:
        at += pause
        count += 1
        pause = min(source_report.LONGEST_PAUSE, max(source_report.FIRST_LOOK, at * source_report.PAUSE_SHARE))
    return count


def expected_after(fetched: int, covered: float | None) -> int:
    """How many orders there are in all, judged by the pages so far.

    :param covered: share of the window that they cover, when they come oldest first; ``None`` when they do not: then
        as many again are expected.
    """
    return 2 * fetched if covered is None else math.ceil(fetched / max(covered, fetched / 1e9))


def _estimates(given: _Given, orders: int, among: Sequence[str]) -> list[Estimate]:
    pages = max(1, math.ceil(orders / given.page_size))
    parts = max(1, math.ceil(given.window / LONGEST))
    made = given.making if given.making is not None else MAKING_SECONDS + MAKING_SECONDS_PER_ORDER * orders
    # A part without orders is cancelled, and searchOrders is asked whether there are really none.
    empty = max(0, parts - orders)
    calls: Mapping[str, Mapping[str, int]] = {
        "search": {source_search.OPERATION: pages},
        "report": {
            source_report.CREATE: parts,
            source_report.LOOK: looks(made) + parts - 1,
            source_report.DOCUMENT: parts,
            **({source_search.OPERATION: empty} if empty else {}),
        },
        "v0": {source_v0.OPERATION: pages, source_v0.ITEMS_OPERATION: orders},
    }
    return [
        Estimate(
            source=source,
            calls=calls[source],
            # The buckets of one source fill side by side; looking at a report never waits long.
            waiting=max(
                quota.wait_for(given.bucket(name), count)
                for name, count in calls[source].items()
                if name != source_report.LOOK
            ),
            making=made if source == "report" else 0.0,
        )
        for source in among
    ]


def _usable(source: str, today: date) -> bool:
    return source != "v0" or today < date.fromisoformat(source_v0.REMOVED_ON)


def _about(orders: int) -> str:
    return "1 order" if orders == 1 else f"{orders} orders"
