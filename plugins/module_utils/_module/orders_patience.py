# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Asking Amazon for a page with patience: the shared token bucket, waits within a budget, retries with a bound."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple
from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_progress import Progress
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import quota
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import Throttled, Unavailable
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import SellingPartner
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import LwaNotTrusted, LwaUnavailable
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import SEARCH_OPERATION, Page, search_page
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import buckets
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import transaction
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Connection

FAILURES = 6
"""Tries of one page when Amazon is out of order: pauses of about 1, 2, 4, 8, 16 s between them."""
LONGEST_PAUSE = 60.0
JITTER = 0.05


class WaitBudgetSpent(UnreachableError):
    """Amazon's usage plan asks for a longer wait than the caller allows. The run stays where it is."""


class Patience:
    """Calls of one (application, selling partner, operation) with their waits.

    :param budget: seconds that may be waited in all.
    :param interval: seconds between two lines of progress while waiting.
    """

    def __init__(
        self,
        connection: Connection,
        table: Table,
        key: buckets.Key,
        *,
        budget: float,
        progress: Progress,
        interval: float,
        where: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._table = table
        self._key = key
        self._budget = budget
        self._progress = progress
        self._interval = max(0.1, interval)
        self._where = where
        self._sleep = sleep
        self.waited = 0.0
        self.calls = 0

    def page(
        self,
        partner: SellingPartner,
        query: Mapping[str, str],
        *,
        page_token: str | None,
        page_size: int,
        page_number: int,
    ) -> Page:
        """One page, whatever has to be waited for.

        :raises WaitBudgetSpent: no token of the usage plan within the budget.
        :raises KeybuzzError: what stays wrong after all tries, and at once what another try cannot mend.
        """
        failures = throttles = 0
        while True:
            self._take()
            self.calls += 1
            try:
                page = search_page(partner, query, page_token=page_token, page_size=page_size, page_number=page_number)
            except Throttled:
                throttles += 1
                self._refused(throttles)
            except (Unavailable, LwaUnavailable) as error:
                failures += 1
                if isinstance(error, LwaNotTrusted) or failures >= FAILURES:
                    raise
                pause = min(LONGEST_PAUSE, 2.0 ** (failures - 1))
                self._wait(pause * random.uniform(0.75, 1.25), "Amazon is out of order", error)  # noqa: S311
            else:
                self._learn(page.rate)
                return page

    def _take(self) -> None:
        """Take a token before the call, in a transaction of its own: a killed process has taken it too."""
        while missing := self._account(quota.take):
            # Jitter, so that tenants of one application do not come back in the same instant.
            self._wait(missing * random.uniform(1.0, 1.0 + JITTER), "Amazon's usage plan", None)  # noqa: S311

    def _refused(self, throttles: int) -> None:
        """HTTP 429: the bucket is empty. A rate that was learned may be too high by now: wait longer each time."""

        def empty(bucket: quota.Bucket, now: float) -> tuple[quota.Bucket, float]:
            return quota.emptied(bucket, now), 1 / bucket.rate

        one_token = self._account(empty)
        slowest = 1 / quota.PLANS[SEARCH_OPERATION].rate
        longer = max(one_token, min(slowest, one_token * 2.0 ** (throttles - 1)))
        if longer > one_token:
            self._wait(longer - one_token, "Amazon's usage plan", None)

    def _learn(self, rate: float | None) -> None:
        if rate is not None:
            self._account(lambda bucket, now: (quota.learned(bucket, rate, now), 0.0))

    def _account(self, change: Callable[[quota.Bucket, float], tuple[quota.Bucket, float]]) -> float:
        """Change the bucket's row in one short transaction; returns the second value of ``change``."""
        with transaction(self._connection, "keeping account of Amazon's usage plan in", self._where) as cursor:
            plan = quota.PLANS[self._key[2]]
            row, now = buckets.lock_row(cursor, self._table, self._key, (plan.rate, plan.burst))
            bucket, answer = change(quota.Bucket(*row), now)
            if astuple(bucket) != row:
                buckets.write_row(cursor, self._table, self._key, astuple(bucket))
        return answer

    def _wait(self, seconds: float, why: str, cause: KeybuzzError | None) -> None:
        if self.waited + seconds > self._budget:
            raise WaitBudgetSpent(
                "waiting for",
                f"{why} ({SEARCH_OPERATION})",
                f"another {seconds:.0f} s are needed, and {self.waited:.0f} of {self._budget:g} s are spent"
                + (f"; the last answer was: {cause.answered}" if cause else ""),
                "What was read is stored. Run again later to go on, or raise wait_budget.",
            )
        self.waited += seconds
        # Shown by the wall clock, waited for by one that nobody sets.
        shown, end = time.time() + seconds, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._progress.waiting(why, shown)
            self._sleep(min(left, self._interval))
