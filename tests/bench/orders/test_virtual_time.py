# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual time: for a process, for the database, and the calculation that stands in for the largest sizes."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest

from lab import postgres, seed
from lab.certificates import authority
from lab.processes import Processes
from tests.bench.orders import bounds, database_clock, measure
from tests.bench.orders.virtual_clock import VirtualClock
from tests.lab.amazon_process import Simulator


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with measure.standing_simulator(tmp_path_factory.mktemp("amazon")) as running:
        yield running


def simulated(simulator: Simulator) -> float:
    return datetime.fromisoformat(simulator.admin.state()["clock"]["now"]).timestamp()


def test_a_sleep_of_four_hours_moves_the_simulator_by_four_hours_and_returns_at_once(simulator: Simulator) -> None:
    clock = VirtualClock(simulator.admin_url)
    before = simulated(simulator)
    clock.sleep(4 * 3600)
    assert (clock.slept, simulated(simulator) - before) == (14_400, 14_400)
    assert clock.timestamp() == pytest.approx(simulated(simulator), abs=0.002)


def test_threads_that_sleep_side_by_side_share_the_time(simulator: Simulator) -> None:
    clock = VirtualClock(simulator.admin_url)
    clock.grace = 0.05
    threads = [threading.Thread(target=clock.sleep, args=(seconds,)) for seconds in (60, 10, 35)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.slept == 60


def test_a_sleep_never_ends_early(simulator: Simulator) -> None:
    clock = VirtualClock(simulator.admin_url)
    clock.sleep(1 / 0.0056)
    assert clock.slept == 178.572
    with contextlib.suppress(ValueError):
        clock.sleep(-1)
    assert clock.slept == 178.572


def test_a_clock_that_was_not_used_for_a_while_finds_the_simulator_again(simulator: Simulator) -> None:
    clock = VirtualClock(simulator.admin_url)
    clock.sleep(1)
    clock._connection.sock.shutdown(socket.SHUT_RDWR)
    clock._used -= 5
    clock.sleep(1)
    assert (clock.slept, clock.broken) == (2, None)


def test_a_clock_that_fails_says_so(simulator: Simulator) -> None:
    clock = VirtualClock(simulator.admin_url)
    clock._connection.sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(OSError):
        clock.sleep(1)
    assert clock.broken == "the virtual clock failed: BrokenPipeError"


@pytest.mark.parametrize(
    ("route", "orders", "seconds"),
    [
        ("search", 1_000, 0),
        ("search", 10_000, 14_286),
        ("search", 1_000_000, 1_782_143),
        ("v0", 94, 128),
        ("v0", 10_000, 19_940),
        ("report", 1_000_000, 0),
    ],
)
def test_bounds_are_those_of_the_token_bucket(route: str, orders: int, seconds: float) -> None:
    assert bounds.lower_bound(route, orders) == pytest.approx(seconds, abs=0.5)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Postgres]:
    directory = tmp_path_factory.mktemp("database")
    for name in ("secrets", "logs"):
        (directory / name).mkdir(mode=0o700)
    processes = Processes(directory)
    try:
        started = postgres.start(directory, processes, authority(directory, "platform"), seed.draw())
        with contextlib.closing(started.connect("admin")) as admin:
            database_clock.install(admin, [started.users["repair"]])
        yield started
    finally:
        processes.stop_everything()
        shutil.rmtree(postgres.private_folder(directory), ignore_errors=True)


def test_the_importers_role_reads_the_simulators_time_from_the_database(
    simulator: Simulator, database: postgres.Postgres
) -> None:
    with contextlib.closing(database.connect("admin")) as admin:
        moment = datetime.fromisoformat(simulator.admin.clock(advance=86_400.0)["now"])
        database_clock.show(admin, moment.timestamp())
    with contextlib.closing(database.connect("repair")) as repair, repair, repair.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), now(), pg_catalog.clock_timestamp(), current_schema()")
        row = cursor.fetchone()
    assert row is not None
    shown, stood, real, schema = row
    assert (shown, stood, schema) == (moment, moment, "public")
    assert (moment - real).total_seconds() > 80_000


def test_tables_that_the_importers_role_makes_lie_in_public_and_default_to_virtual_time(
    database: postgres.Postgres,
) -> None:
    with contextlib.closing(database.connect("repair")) as repair, repair, repair.cursor() as cursor:
        cursor.execute("CREATE TABLE stamped (one int, at timestamptz DEFAULT now())")
        cursor.execute("INSERT INTO public.stamped VALUES (1) RETURNING at = virtual.now()")
        assert cursor.fetchone() == (True,)
        cursor.execute("DROP TABLE stamped")
