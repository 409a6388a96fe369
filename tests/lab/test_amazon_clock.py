# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that stands still: everything that has a life or a delay follows it alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.amazon.clock import Clock
from tests.lab.amazon_caller import SEARCH, Caller, error_of
from tests.lab.amazon_process import Simulator, running_simulator
from tests.lab.amazon_reports import NOW, Reporter


def test_clock_at_speed_0_moves_by_advance_alone() -> None:
    real = [500.0]
    clock = Clock(speed=0, real=lambda: real[0])
    real[0] += 1_000
    assert clock.timestamp() == 500
    clock.set(advance=2.5)
    real[0] += 1_000
    assert clock.timestamp() == 502.5
    clock.set(speed=1)
    real[0] += 10
    assert clock.timestamp() == 512.5
    clock.set(speed=0, at=datetime(2026, 1, 1, tzinfo=UTC), advance=1)
    real[0] += 10
    assert clock.now() == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)


@pytest.fixture
def still(simulator: Simulator) -> Caller:
    simulator.admin.reset()
    simulator.admin.clock(speed=0, at=NOW)
    return Caller(simulator)


def test_simulators_time_stands_still_between_two_calls(still: Caller) -> None:
    admin = still.simulator.admin
    first = admin.state()["clock"]
    assert first == {"now": "2026-01-13T08:00:00.000Z", "speed": 0}
    still.search()
    assert admin.state()["clock"] == first
    assert admin.clock(advance=0.25)["now"] == "2026-01-13T08:00:00.250Z"


def test_access_tokens_buckets_and_page_tokens_follow_a_clock_that_stands_still(still: Caller) -> None:
    admin = still.simulator.admin
    token = still.search(maxResultsPerPage=10).json()["pagination"]["nextToken"]
    admin.buckets("searchOrders", tokens=0)
    assert [still.search().status_code for _ in range(3)] == [429] * 3
    admin.clock(advance=3_599)
    assert still.search().status_code == 200
    admin.clock(advance=1)
    assert error_of(still.search())[0] == 403
    fresh = Caller(still.simulator)
    admin.clock(advance=82_800)
    fresh.headers()
    assert fresh.search(maxResultsPerPage=10, paginationToken=token).status_code == 200
    admin.clock(advance=1)
    assert fresh.search(maxResultsPerPage=10, paginationToken=token).status_code == 400


def test_reports_and_their_addresses_follow_a_clock_that_stands_still(still: Caller) -> None:
    reporter, admin = Reporter(still), still.simulator.admin
    report_id = reporter.created()
    states = []
    for advance in (0, 0.4, 0.2, 0.3, 0.1):
        admin.clock(advance=advance)
        states.append(reporter.report(report_id)["processingStatus"])
    assert states == ["IN_QUEUE", "IN_QUEUE", "IN_PROGRESS", "IN_PROGRESS", "DONE"]
    url = reporter.document(reporter.report(report_id)["reportDocumentId"])["url"]
    statuses = []
    for advance in (0, 299, 1):
        admin.clock(advance=advance)
        statuses.append(reporter.download(url).status_code)
    assert statuses == [200, 200, 403]


def test_consents_code_follows_a_clock_that_stands_still(still: Caller) -> None:
    admin = still.simulator.admin
    code = admin.consent("ecomlg-001")["code"]
    admin.clock(advance=301)
    assert still.lwa(grant_type="authorization_code", code=code).status_code == 400
    code = admin.consent("ecomlg-001")["code"]
    assert still.lwa(grant_type="authorization_code", code=code).status_code == 200


def test_simulator_can_start_with_a_clock_that_stands_still(tmp_path: Path) -> None:
    offset = (NOW - datetime.now(UTC)).total_seconds()
    with running_simulator(tmp_path, clock={"speed": 0, "offset": offset}) as simulator:
        now = simulator.admin.state()["clock"]["now"]
        assert abs(datetime.fromisoformat(now) - NOW) < timedelta(seconds=20)
        assert Caller(simulator).get(SEARCH, createdAfter="2025-10-14T12:00:00Z").status_code == 200
        assert simulator.admin.state()["clock"]["now"] == now
