# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL goes away in the middle: stopped at once, one session ended, an answer to COMMIT that never arrives."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lab import postgres
from lab.certificates import authority
from lab.processes import Processes, wait_until
from tests.chaos.gate import Dropped
from tests.chaos.gate_postgres import PostgresGate
from tests.chaos.orders.kills import Tally, finish, undisturbed
from tests.chaos.orders.stage import END_SESSIONS, PARTS, Scenario, Stage, report, search

OPEN_PAGE = (
    ("in the middle of a COPY", 3),
    ("after the orders of a page", 2),
    ("after the lines of new orders", 2),
    ("after the checkpoint", 2),
    ("before COMMIT of a page", 2),
    ("before COMMIT of a page", 4),
)
"""Points at which the transaction of a page is open."""
DURABLE = "ALTER ROLE keybuzz_repair {} synchronous_commit"
"""The lab's server may forget the last commits when it is stopped at once; one that keeps an import does not."""


@dataclass
class DatabaseTally:
    """What was done."""

    stops: int = 0
    ended_sessions: int = 0
    lost_answers: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)


def all_of_it(stage: Stage) -> DatabaseTally:
    """The three ways, for both sources."""
    done = DatabaseTally()
    stage.query(f"{DURABLE.format('SET')} = on")
    try:
        for scenario in (search(), report(20)):
            known = undisturbed(stage, scenario)
            # The first pages of a report are the ids of its parts, which hold no order.
            first = PARTS if scenario.source == "report" else 0
            open_page = [(point, number if "COPY" in point else number + first) for point, number in OPEN_PAGE]
            for point, number in open_page:
                _held(stage, scenario, point, number)
                _stop_and_start(stage)
                done.stops += 1
                _let_fail(stage, done.tally, label := f"{scenario.name}, PostgreSQL stopped at {number} of {point!r}")
                finish(stage, scenario, known, done.tally, label)
            for point, number in (*open_page, ("after COMMIT of a page", 2), ("before the token refresh", 1)):
                _held(stage, scenario, point, number)
                stage.query(END_SESSIONS)
                done.ended_sessions += 1
                _let_fail(stage, done.tally, label := f"{scenario.name}, its session ended at {number} of {point!r}")
                finish(stage, scenario, known, done.tally, label)
            lost_answers(stage, scenario, done)
    finally:
        stage.query(DURABLE.format("RESET"))
    return done


def _held(stage: Stage, scenario: Scenario, point: str, number: int) -> None:
    stage.begin(scenario)
    order = {"act": "hold", "point": point, "nth": number, "settings": dict(scenario.settings)}
    stage.nursery.start(stage.params(scenario), **order)
    stage.nursery.at()


def _let_fail(stage: Stage, tally: Tally, label: str) -> None:
    stage.nursery.go()
    ended = stage.nursery.ended()
    if ended.kind != "UnreachableError":
        tally.wrong.append(f"{label}: the import did not say that its connection is lost: {ended.kind} {ended.error}")


def _stop_and_start(stage: Stage) -> None:
    """``pg_ctl stop -m immediate``, and the same server again."""
    processes = Processes(stage.directory)
    record = processes.record(postgres.NAME)
    process = record.process() if record else None
    assert process is not None, "the lab's PostgreSQL is not there"
    command = process.cmdline()
    at = command.index("--")
    binary, data = Path(command[at + 1]), command[command.index("-D") + 1]
    account = {
        name: int(word.partition("=")[2]) for word in command[:at] for name in ("user", "group") if f"--{name}=" in word
    }
    subprocess.run(
        [str(binary.with_name("pg_ctl")), "stop", "-D", data, "-m", "immediate", "-w"],
        check=True,
        capture_output=True,
        cwd="/",
        user=account.get("user"),
        group=account.get("group"),
        extra_groups=[] if account else None,
    )
    process.wait(timeout=20)
    stage.forget_connection()
    processes.spawn(postgres.NAME, command)
    wait_until("PostgreSQL", lambda: bool(stage.query("SELECT 1")), timeout=30, log=processes.log(postgres.NAME))


class _DropsAnswer:
    """Drops the connection when the server has done its ``number``-th COMMIT that wrote, before the client knows."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._lock = threading.Lock()
        self.dropped: str | None = None

    def __call__(self, what: str) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.dropped = what
                raise Dropped


def lost_answers(stage: Stage, scenario: Scenario, done: DatabaseTally) -> None:
    """For every COMMIT of an import, one after the other."""
    known = undisturbed(stage, scenario)
    platform = authority(stage.directory, "platform")
    gate = PostgresGate(stage.world.database.port, platform.ca_file, platform.leaf("gate", ["127.0.0.1"]))
    try:
        number = 0
        while True:
            number += 1
            stage.begin(scenario)
            gate.reset()
            gate.committed = drops = _DropsAnswer(number)
            params = stage.params(scenario, pg_host="127.0.0.1", pg_port=gate.port)
            ended = stage.nursery.run(params, settings=dict(scenario.settings))
            if drops.dropped is None:
                assert ended.well, ended.error
                return
            label = f"{scenario.name}, answer to COMMIT number {number} lost ({drops.dropped})"
            kind = "a page" if "COPY" in drops.dropped else "another transaction"
            done.lost_answers[kind] += 1
            if ended.kind != "UnreachableError" and not ended.well:
                done.tally.wrong.append(f"{label}: {ended.kind} {ended.error}")
            finish(stage, scenario, known, done.tally, label)
    finally:
        gate.close()
