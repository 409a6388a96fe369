# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 in the middle of the import, then again: everything is there, nothing twice."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest

from lab.amazon.control import Control
from lab.amazon.fixture import ORDER_COUNT, SINCE, UNTIL
from lab.world import World
from tests.e2e.conftest import Lab
from tests.e2e.playbooks import Playbooks

TENANT = "ecomlg-001"
MORE = 400


@pytest.fixture
def busy_seller(healthy: Lab) -> Iterator[Control]:
    """A seller with five pages of orders in the window, none of them imported, at an Amazon that takes its time."""
    healthy("break", "orders")
    amazon = Control(healthy.state["amazon"]["admin_url"])
    amazon.refill()
    amazon.generate_orders(TENANT, MORE, start=SINCE, end=UNTIL, seed=7)
    amazon.inject("slow", count=None, operation="searchOrders", seconds=1.0)
    yield amazon
    amazon.clear()
    amazon.restore_orders(TENANT)
    # The rows of the synthetic orders go before the fixture's come back.
    healthy("break", "orders")


def test_killed_in_the_middle_it_resumes_and_loses_and_doubles_nothing(
    busy_seller: Control, lab: Lab, playbooks: Playbooks
) -> None:
    world = World.load(lab.directory)
    command = playbooks.command("playbooks/backfill_orders.yml", playbooks.home, "-e", f"tenant={TENANT}")
    running = subprocess.Popen(
        command,
        cwd=playbooks.cwd,
        env=playbooks.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not 200 <= stored(world) < ORDER_COUNT + MORE:
        assert running.poll() is None, "the import ended before it could be killed"
        assert time.monotonic() < deadline, "the import never got to its second page"
        time.sleep(0.05)
    for process in [*psutil.Process(running.pid).children(recursive=True), psutil.Process(running.pid)]:
        process.kill()
    running.wait()
    half = stored(world)
    assert 0 < half < ORDER_COUNT + MORE

    busy_seller.clear()
    fetched_before = len(busy_seller.requests("searchOrders"))
    again = playbooks.run("playbooks/backfill_orders.yml")
    assert again.code == 0, again.output
    assert stored(world) == ORDER_COUNT + MORE
    with closing(world.database()) as connection, connection.cursor() as cursor:
        cursor.execute('SELECT "externalOrderId" FROM orders WHERE "tenantId" = %s', (TENANT,))
        identities = [identity for (identity,) in cursor.fetchall()]
    assert sorted(identities) == sorted(order["orderId"] for order in busy_seller.orders(TENANT))
    pages_left = -(-(ORDER_COUNT + MORE - half) // 100)
    assert len(busy_seller.requests("searchOrders")) - fetched_before <= pages_left + 1, (
        "at most one page fetched twice"
    )


def stored(world: World) -> int:
    with closing(world.database()) as connection, connection.cursor() as cursor:
        cursor.execute('SELECT count(*) FROM orders WHERE "tenantId" = %s', (TENANT,))
        row = cursor.fetchone()
        assert row is not None
        return int(row[0])
