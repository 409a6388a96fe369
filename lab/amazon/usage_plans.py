# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon's usage plans: one token bucket per application, selling partner and operation.

Rates and bursts are the defaults of Amazon's API models; a bucket starts full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.amazon.clock import Clock


@dataclass(frozen=True)
class Plan:
    """``rate`` tokens a second flow into a bucket that holds ``burst``."""

    rate: float
    burst: int


# Amazon's models, "Usage Plan" of each operation.
DEFAULT_PLANS = {
    "searchOrders": Plan(0.0056, 20),
    "getOrder": Plan(0.5, 30),
    "getOrders": Plan(0.0167, 20),
    "getOrderV0": Plan(0.5, 30),
    "getOrderItems": Plan(0.5, 30),
    "getMarketplaceParticipations": Plan(0.016, 15),
    "createReport": Plan(0.0167, 15),
    "getReport": Plan(2.0, 15),
    "getReports": Plan(0.0222, 10),
    "cancelReport": Plan(0.0222, 10),
    "getReportDocument": Plan(0.0167, 15),
}


@dataclass
class _Bucket:
    tokens: float
    updated: float


class UsagePlans:
    """The buckets of every seller, filled by the simulator's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._plans: dict[tuple[str, str], Plan] = {}
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def plan(self, seller_id: str, operation: str) -> Plan:
        """The plan in force: Amazon may give one seller more than the default."""
        return self._plans.get((seller_id, operation), DEFAULT_PLANS[operation])

    def _bucket(self, application: str, seller_id: str, operation: str) -> _Bucket:
        plan = self.plan(seller_id, operation)
        now = self._clock.timestamp()
        bucket = self._buckets.setdefault((application, seller_id, operation), _Bucket(plan.burst, now))
        # A clock that was set back takes nothing out of a bucket.
        flowed = max(0.0, now - bucket.updated) * plan.rate
        bucket.tokens = min(float(plan.burst), bucket.tokens + flowed)
        bucket.updated = now
        return bucket

    def take(self, application: str, seller_id: str, operation: str) -> bool:
        """Takes one token, or says that there is none."""
        bucket = self._bucket(application, seller_id, operation)
        # Sums of fractions: 178.6 s at 0.0056/s is a hair more or less than one token.
        if bucket.tokens < 1 - 1e-9:
            return False
        bucket.tokens -= 1
        return True

    def set(
        self,
        application: str,
        seller_id: str,
        operation: str,
        *,
        tokens: float | None = None,
        rate: float | None = None,
        burst: int | None = None,
    ) -> None:
        """Gives a bucket another content, or a seller another plan for one operation."""
        plan = self.plan(seller_id, operation)
        if rate is not None or burst is not None:
            self._plans[(seller_id, operation)] = Plan(
                plan.rate if rate is None else rate, plan.burst if burst is None else burst
            )
        bucket = self._bucket(application, seller_id, operation)
        if tokens is not None:
            bucket.tokens = tokens
        elif burst is not None:
            bucket.tokens = float(burst)

    def reset(self) -> None:
        """Every bucket full and every plan Amazon's default."""
        self._buckets.clear()
        self._plans.clear()

    def describe(self) -> list[dict[str, Any]]:
        """Every bucket that was used, with the tokens in it now."""
        rows = []
        for application, seller_id, operation in sorted(self._buckets):
            plan = self.plan(seller_id, operation)
            rows.append(
                {
                    "seller_id": seller_id,
                    "operation": operation,
                    "tokens": round(self._bucket(application, seller_id, operation).tokens, 6),
                    "rate": plan.rate,
                    "burst": plan.burst,
                }
            )
        return rows
