# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Usage plans: the simulator throttles as Amazon does, by its own clock."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.amazon.clock import Clock
from lab.amazon.fixture import orders
from lab.amazon.usage_plans import DEFAULT_PLANS, UsagePlans
from tests.lab.amazon_caller import PARTICIPATIONS, SEARCH, Caller, error_of

QUOTA = (429, "QuotaExceeded", "You exceeded your quota for the requested resource.")


def test_21st_search_in_a_row_is_throttled_and_one_passes_179_seconds_later(caller: Caller) -> None:
    assert [caller.search(maxResultsPerPage=1).status_code for _ in range(20)] == [200] * 20
    throttled = caller.search()
    assert error_of(throttled) == QUOTA
    assert "x-amzn-ratelimit-limit" not in throttled.headers
    assert "retry-after" not in throttled.headers
    caller.simulator.admin.clock(advance=179)
    assert caller.search().status_code == 200
    assert caller.search().status_code == 429


def test_faster_clock_fills_buckets_faster(caller: Caller) -> None:
    # One token in 10 s: the wait below is far too short for it, and long for a clock 200 times faster.
    caller.simulator.admin.buckets("searchOrders", tokens=0, rate=0.1)
    assert caller.search().status_code == 429
    caller.simulator.admin.clock(speed=200)
    time.sleep(0.1)
    assert caller.search().status_code == 200


def test_each_seller_and_each_operation_has_a_bucket_of_its_own(caller: Caller) -> None:
    caller.simulator.admin.buckets("searchOrders", tokens=0, tenant="ecomlg-001")
    assert caller.search().status_code == 429
    assert caller.get(PARTICIPATIONS).status_code == 200
    assert Caller(caller.simulator, "switaa-002").search().status_code == 200


def test_refused_request_costs_a_token_and_an_unauthorised_one_does_not(caller: Caller) -> None:
    caller.simulator.admin.buckets("searchOrders", tokens=2)
    assert caller.http.get(SEARCH).status_code == 403
    assert caller.search(maxResultsPerPage=0).status_code == 400
    assert caller.search().status_code == 200
    assert caller.search().status_code == 429


def test_rate_header_comes_with_200_400_and_404_and_can_be_switched_off(caller: Caller) -> None:
    header = "x-amzn-ratelimit-limit"
    assert caller.search().headers[header] == "0.0056"
    assert caller.search(maxResultsPerPage=0).headers[header] == "0.0056"
    assert caller.get(f"{SEARCH}/000-0000000-0000000").headers[header] == "0.5"
    assert header not in caller.search(marketplaceIds="ATVPDKIKX0DER").headers
    caller.simulator.admin.rate_header(False)
    assert header not in caller.search().headers


def test_seller_may_have_another_plan_than_the_default(caller: Caller) -> None:
    caller.simulator.admin.buckets("searchOrders", rate=2.0, burst=3, tenant="ecomlg-001")
    assert caller.search().headers["x-amzn-ratelimit-limit"] == "2.0"
    state = caller.simulator.admin.state()["buckets"]
    (bucket,) = [row for row in state if row["operation"] == "searchOrders"]
    assert bucket["burst"] == 3
    assert 2.0 <= bucket["tokens"] < 3.0


def test_thirty_requests_at_once_are_answered_and_counted_exactly(caller: Caller) -> None:
    order_id = orders()[0]["orderId"]
    caller.simulator.admin.buckets("getOrder", tokens=24, rate=0.0)
    caller.headers()
    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(lambda _: caller.get(f"{SEARCH}/{order_id}").status_code, range(30)))
    assert statuses.count(200) == 24
    assert statuses.count(429) == 6


@pytest.mark.parametrize("operation", sorted(DEFAULT_PLANS))
def test_bucket_gives_its_burst_and_then_one_token_a_period(operation: str) -> None:
    now = [1_000_000.0]
    plans = UsagePlans(Clock(real=lambda: now[0]))
    plan = DEFAULT_PLANS[operation]
    assert sum(plans.take("app", "seller", operation) for _ in range(plan.burst + 5)) == plan.burst
    now[0] += 0.9 / plan.rate
    assert not plans.take("app", "seller", operation)
    now[0] += 0.2 / plan.rate
    assert plans.take("app", "seller", operation)
    now[0] += 10 * plan.burst / plan.rate
    assert sum(plans.take("app", "seller", operation) for _ in range(plan.burst + 5)) == plan.burst


def test_clock_is_continuous_when_its_speed_changes() -> None:
    real = [500.0]
    clock = Clock(real=lambda: real[0])
    real[0] += 10
    clock.set(speed=60)
    assert clock.timestamp() == 510
    real[0] += 1
    assert clock.timestamp() == 570
    clock.set(speed=1, advance=30)
    assert clock.timestamp() == 600
    clock.set(offset=-1)
    assert clock.timestamp() == 510
