# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Asking Amazon with patience: the shared token buckets, waits within a budget, retries with a bound."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import astuple
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_progress import Progress
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import quota
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import Answer, Throttled, Unavailable
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import SellingPartner
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import LwaNotTrusted, LwaUnavailable
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import buckets
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.sessions import Sessions

FAILURES = 6
"""Tries of one call when Amazon is out of order: pauses of about 1, 2, 4, 8, 16 s between them."""
LONGEST_PAUSE = 60.0
JITTER = 0.05
USAGE_PLAN = "Amazon's usage plan"


class WaitBudgetSpent(UnreachableError):
    """Amazon asks for a longer wait than the caller allows. The run stays where it is."""


class Asking:
    """The calls of one (application, selling partner) with their waits; see ``sources.Asking``.

    :param owner: application and selling partner, by whom Amazon counts.
    :param budget: seconds that may be waited in all.
    :param interval: seconds between two lines of progress while waiting.
    :param beat: called about every ``interval`` while waiting.
    """

    def __init__(
        self,
        partner: SellingPartner,
        sessions: Sessions,
        table: Table,
        owner: tuple[str, str],
        *,
        budget: float,
        progress: Progress,
        interval: float,
        beat: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._partner = partner
        self._sessions = sessions
        self._table = table
        self._owner = owner
        self._budget = budget
        self._progress = progress
        self._interval = max(0.1, interval)
        self._sleep = sleep
        self.beat = beat
        self.endpoint = partner.endpoint
        self.waited: defaultdict[str, float] = defaultdict(float)
        """Seconds by reason."""
        self.calls: Counter[str] = Counter()
        """Calls by operation, tries included."""
        self._rates: dict[str, float] = {}

    def get(self, operation: str, path: str, params: Mapping[str, str], *, payload_key: str) -> Answer:
        """One GET, whatever has to be waited for.

        :raises WaitBudgetSpent: no token of the usage plan within the budget.
        :raises KeybuzzError: what stays wrong after all tries, and at once what another try cannot mend.
        """
        return self._patiently(operation, lambda: self._partner.get(path, params, payload_key=payload_key))

    def post(self, operation: str, path: str, body: Mapping[str, Any], *, payload_key: str) -> Answer:
        """One POST, likewise."""
        return self._patiently(operation, lambda: self._partner.post(path, body, payload_key=payload_key))

    def download(self, url: str) -> AbstractContextManager[tuple[Mapping[str, str], Iterator[bytes]]]:
        """A presigned address, once."""
        return self._partner.download(url)

    def pause(self, seconds: float, why: str) -> None:
        """Wait, visibly. :raises WaitBudgetSpent: the budget does not allow it."""
        self._wait(seconds, why, f"because {why}", None)

    def _patiently(self, operation: str, call: Callable[[], Answer]) -> Answer:
        failures = throttles = 0
        while True:
            self._take(operation)
            self.calls[operation] += 1
            try:
                answer = call()
            except Throttled:
                throttles += 1
                self._refused(operation, throttles)
            except (Unavailable, LwaUnavailable) as error:
                failures += 1
                if isinstance(error, LwaNotTrusted) or failures >= FAILURES:
                    raise
                pause = min(LONGEST_PAUSE, 2.0 ** (failures - 1))
                why = "Amazon is out of order"
                self._wait(pause * random.uniform(0.75, 1.25), why, f"because {why}", error)  # noqa: S311
            else:
                self._learn(operation, answer.rate)
                return answer

    def _take(self, operation: str) -> None:
        """Take a token before the call, in a transaction of its own: a killed process has taken it too."""
        while missing := self._account(operation, quota.take):
            # Jitter, so that tenants of one application do not come back in the same instant.
            self._throttled(operation, missing * random.uniform(1.0, 1.0 + JITTER))  # noqa: S311

    def _refused(self, operation: str, throttles: int) -> None:
        """HTTP 429: the bucket is empty. A rate that was learned may be too high by now: wait longer each time."""

        def empty(bucket: quota.Bucket, now: float) -> tuple[quota.Bucket, float]:
            return quota.emptied(bucket, now), 1 / bucket.rate

        one_token = self._account(operation, empty)
        slowest = 1 / quota.PLANS[operation].rate
        longer = max(one_token, min(slowest, one_token * 2.0 ** (throttles - 1)))
        if longer > one_token:
            self._throttled(operation, longer - one_token)

    def _learn(self, operation: str, rate: float | None) -> None:
        if rate is not None and rate != self._rates.get(operation):
            self._account(operation, lambda bucket, now: (quota.learned(bucket, rate, now), 0.0))

    def _account(self, operation: str, change: Callable[[quota.Bucket, float], tuple[quota.Bucket, float]]) -> float:
        """Change the bucket's row in one short transaction; returns the second value of ``change``."""
        key = (*self._owner, operation)
        with self._sessions.transaction("keeping account of Amazon's usage plan in") as cursor:
            plan = quota.PLANS[operation]
            row, now = buckets.lock_row(cursor, self._table, key, (plan.rate, plan.burst))
            bucket, answer = change(quota.Bucket(*row), now)
            if astuple(bucket) != row:
                buckets.write_row(cursor, self._table, key, astuple(bucket))
        self._rates[operation] = bucket.rate
        return answer

    def _throttled(self, operation: str, seconds: float) -> None:
        self._wait(seconds, USAGE_PLAN, f"for {USAGE_PLAN} ({operation})", None)

    def _wait(self, seconds: float, reason: str, why: str, cause: KeybuzzError | None) -> None:
        """:param why: what follows on the word waiting."""
        spent = sum(self.waited.values())
        if spent + seconds > self._budget:
            raise WaitBudgetSpent(
                "waiting",
                why,
                f"another {seconds:.0f} s are needed, and {spent:.0f} of {self._budget:g} s are spent"
                + (f"; the last answer was: {cause.answered}" if cause else ""),
                "What was read is stored. Run again later to go on, or raise wait_budget.",
            )
        self.waited[reason] += seconds
        # Shown by the wall clock, waited for by one that nobody sets.
        shown, end = time.time() + seconds, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._progress.waiting(why.removeprefix("because ").removeprefix("for "), shown)
            self.beat()
            self._sleep(min(left, self._interval))
