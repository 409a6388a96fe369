# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Amazon's usage plans as token buckets: pure arithmetic, no clock and no storage of its own.

A bucket belongs to one (application, selling partner, operation). Amazon never tells how many tokens are left, so
the bucket is a belief: it is kept between processes, corrected by the rate that comes with good answers, and
emptied when Amazon says no.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

ROUNDING = 1e-9
"""Sums of fractions: 178.6 s at 0.0056/s is a hair more or less than one token."""
HIGHEST_RATE = 1000.0


@dataclass(frozen=True)
class Plan:
    """``rate`` tokens a second flow into a bucket that holds ``burst``."""

    rate: float
    burst: float


# Amazon's API models, "Usage Plan" of each operation.
PLANS: Mapping[str, Plan] = {
    "searchOrders": Plan(0.0056, 20),
    "getOrder": Plan(0.5, 30),
    "getOrders": Plan(0.0167, 20),
    "getOrderItems": Plan(0.5, 30),
    "createReport": Plan(0.0167, 15),
    "getReport": Plan(2.0, 15),
    "getReportDocument": Plan(0.0167, 15),
    "getMarketplaceParticipations": Plan(0.016, 15),
}


def wait_for(bucket: Bucket, calls: int) -> float:
    """Seconds that this many calls wait for tokens from now on: the lower bound of any client."""
    missing = calls - bucket.tokens
    return max(0.0, missing - ROUNDING) / bucket.rate


@dataclass(frozen=True)
class Bucket:
    """What is believed of one bucket at ``updated_at`` (seconds since the epoch, one clock for all who share it)."""

    rate: float
    burst: float
    tokens: float
    updated_at: float


def full(operation: str, now: float) -> Bucket:
    """A bucket nobody has used yet."""
    plan = PLANS[operation]
    return Bucket(plan.rate, plan.burst, plan.burst, now)


def at(bucket: Bucket, now: float) -> Bucket:
    """The bucket at a later time. A clock that went back takes nothing out and adds nothing."""
    flowed = max(0.0, now - bucket.updated_at) * bucket.rate
    return replace(bucket, tokens=min(bucket.burst, bucket.tokens + flowed), updated_at=now)


def take(bucket: Bucket, now: float) -> tuple[Bucket, float]:
    """Take one token, or say how many seconds are missing until there is one (then nothing is taken)."""
    current = at(bucket, now)
    if current.tokens >= 1 - ROUNDING:
        return replace(current, tokens=max(0.0, current.tokens - 1)), 0.0
    return current, (1 - current.tokens) / current.rate


def emptied(bucket: Bucket, now: float) -> Bucket:
    """After HTTP 429: there was no token, whatever we believed."""
    return replace(at(bucket, now), tokens=0.0)


def learned(bucket: Bucket, rate: float | None, now: float) -> Bucket:
    """Take over the rate that Amazon sent with an answer. The burst is never sent and stays as it is."""
    if rate is None or rate == bucket.rate:
        return bucket
    return replace(at(bucket, now), rate=rate)


def rate_header(value: str | None) -> float | None:
    """The number of ``x-amzn-RateLimit-Limit``; ``None`` when it is absent or makes no sense."""
    try:
        rate = float(value) if value is not None else 0.0
    except ValueError:
        return None
    return rate if 0 < rate <= HIGHEST_RATE else None
