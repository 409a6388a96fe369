# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token buckets: arithmetic that must not drift."""

from __future__ import annotations

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import quota
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.quota import Bucket
from hypothesis import given
from hypothesis import strategies as st


def test_twenty_pages_at_once_and_then_one_in_178_6_seconds() -> None:
    bucket = quota.full("searchOrders", 0.0)
    for _ in range(20):
        bucket, missing = quota.take(bucket, 0.0)
        assert missing == 0
    bucket, missing = quota.take(bucket, 0.0)
    assert missing == pytest.approx(178.57, abs=0.01)
    assert quota.take(bucket, missing)[1] == 0


def test_a_refused_call_empties_the_bucket_whatever_was_believed() -> None:
    assert quota.emptied(quota.full("searchOrders", 0.0), 5.0) == Bucket(0.0056, 20, 0.0, 5.0)


def test_a_clock_that_goes_back_gives_and_takes_nothing() -> None:
    assert quota.at(Bucket(1.0, 20, 3.0, 100.0), 50.0).tokens == 3.0


def test_a_learned_rate_counts_from_now_on_and_not_backwards() -> None:
    bucket = quota.learned(Bucket(0.5, 20, 0.0, 0.0), 5.0, 10.0)
    assert (bucket.rate, bucket.tokens) == (5.0, 5.0)


@pytest.mark.parametrize("text", [None, "", "fast", "0", "-1", "nan", "inf", "1e9"])
def test_a_rate_that_makes_no_sense_is_not_learned(text: str | None) -> None:
    assert quota.rate_header(text) is None


@given(
    st.lists(st.floats(0, 400, allow_nan=False), max_size=60),
    st.sampled_from([0.0056, 0.0167, 0.5, 5.0]),
)
def test_no_schedule_ever_takes_more_than_burst_plus_what_flowed(gaps: list[float], rate: float) -> None:
    bucket, now, taken = Bucket(rate, 20, 20, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        bucket, missing = quota.take(bucket, now)
        taken += not missing
        assert 0 <= bucket.tokens <= 20
    assert taken <= 20 + now * rate + 1e-6
