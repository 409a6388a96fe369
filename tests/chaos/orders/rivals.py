# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two imports of one tenant: the second is refused, and one that was thought dead does not write when it wakes up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.chaos.orders.imports import Ended, Nursery
from tests.chaos.orders.kills import HEARTBEATS_OLD, Undisturbed, undisturbed
from tests.chaos.orders.stage import END_SESSIONS, PARTS, Scenario, Stage, report, search

LOCKS = ("session", "heartbeat")
BETWEEN = (("before {call}", 2), ("after {call}", 2), ("after COMMIT of a page", 1), ("before the rows of a page", 2))
"""Points at which a process that sleeps holds no row: another one can go past it."""
WITHIN = (("before the checkpoint", 2), ("before COMMIT of a page", 2))
"""Points at which it has written and not committed."""


@dataclass
class RivalTally:
    """What was done."""

    refused: int = 0
    woken: int = 0
    wrong: list[str] = field(default_factory=list)


class Rivals:
    """A first import and a second one."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.second = Nursery()
        self.tally = RivalTally()

    def all_of_it(self) -> RivalTally:
        """Both locks, both sources."""
        try:
            for plain in (search(), report(20)):
                for lock in LOCKS:
                    scenario = replace(plain, options={**plain.options, "lock": lock})
                    known = undisturbed(self.stage, scenario)
                    for point, number in (*self._points(scenario, BETWEEN), *self._points(scenario, WITHIN)):
                        self._refused(scenario, known, point, number)
                    for point, number in self._points(scenario, BETWEEN):
                        for overtaken in ("finished", "reading"):
                            self.woken(scenario, known, point, number, overtaken)
                    for point, number in self._points(scenario, WITHIN):
                        self._rows_held(scenario, known, point, number)
        finally:
            self.second.close()
        return self.tally

    def _points(self, scenario: Scenario, points: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
        if scenario.source != "report":
            return [(point.format(call=scenario.page_operation), number) for point, number in points]
        # Its first pages are the ids of the reports, which hold no order.
        return [
            (point.format(call="getReportDocument"), number + (0 if "call" in point else PARTS))
            for point, number in points
        ]

    def _hold(self, nursery: Nursery, scenario: Scenario, point: str, number: int) -> int:
        order = {"act": "hold", "point": point, "nth": number, "settings": dict(scenario.settings)}
        pid = nursery.start(self.stage.params(scenario), **order)
        nursery.at()
        return pid

    def _run(self, nursery: Nursery, scenario: Scenario, **settings: Any) -> Ended:
        return nursery.run(self.stage.params(scenario), settings={**scenario.settings, **settings})

    def _judge(self, label: str, scenario: Scenario, known: Undisturbed, *more: str | None) -> None:
        standing = self.stage.standing()
        wrong = [one for one in more if one]
        wrong += [*self.stage.whole(scenario.source), *self.stage.balanced(standing)]
        if standing.statuses != ("COMPLETED",):
            wrong.append(f"the runs are {standing.statuses}")
        if standing.counters != known.standing.counters:
            wrong.append(f"counters {standing.counters} instead of {known.standing.counters}")
        self.tally.wrong += [f"{label}: {one}" for one in wrong]

    def _refused(self, scenario: Scenario, known: Undisturbed, point: str, number: int) -> None:
        """While the first is anywhere, the second ends at once, asks Amazon for nothing and changes nothing."""
        label = f"{scenario.name}, lock {scenario.options['lock']}, second import at {point!r}"
        self.stage.begin(scenario)
        self._hold(self.stage.nursery, scenario, point, number)
        calls, versions = self.stage.calls(), self.stage.versions()
        second = self._run(self.second, scenario)
        untouched = (self.stage.calls(), self.stage.versions()) == (calls, versions)
        self.stage.nursery.go()
        first = self.stage.nursery.ended()
        self.tally.refused += 1
        self._judge(
            label,
            scenario,
            known,
            None if second.kind == "BlockedError" else f"the second was not refused: {second.kind} {second.error}",
            None if untouched else "the second one left a trace",
            None if first.well else f"the first one failed: {first.kind} {first.error}",
        )

    def woken(self, scenario: Scenario, known: Undisturbed, point: str, number: int, overtaken: str) -> None:
        """The first sleeps, is taken for dead and overtaken; then it wakes up: not one row may change by it."""
        label = f"{scenario.name}, lock {scenario.options['lock']}, asleep at {point!r}, the other one {overtaken}"
        self.stage.begin(scenario)
        pid = self._hold(self.stage.nursery, scenario, point, number)
        os.kill(pid, signal.SIGSTOP)
        if scenario.options["lock"] == "heartbeat":
            self.stage.query(HEARTBEATS_OLD)
        else:
            self.stage.query(END_SESSIONS)
            self.stage.alone()
        finish = self._overtake(scenario, overtaken)
        versions = self.stage.versions()
        self.stage.nursery.go()
        os.kill(pid, signal.SIGCONT)
        first = self.stage.nursery.ended()
        untouched = self.stage.versions() == versions
        second = finish()
        expected = "StaleError" if scenario.options["lock"] == "heartbeat" else "UnreachableError"
        self.tally.woken += 1
        self._judge(
            label,
            scenario,
            known,
            None if first.kind == expected else f"the woken one: {first.kind} {first.error}, not {expected}",
            None if untouched else "the woken one wrote",
            None if second.well else f"the other one failed: {second.kind} {second.error}",
        )

    def _overtake(self, scenario: Scenario, overtaken: str) -> Callable[[], Ended]:
        """The second import, at its end or in its middle; the answer lets it come to its end."""
        if overtaken == "finished":
            ended = self._run(self.second, scenario)
            return lambda: ended
        self._hold(self.second, scenario, "before the rows of a page", 1)

        def finish() -> Ended:
            self.second.go()
            return self.second.ended()

        return finish

    def _rows_held(self, scenario: Scenario, known: Undisturbed, point: str, number: int) -> None:
        """Asleep with rows in its hands: the second cannot pass, by no lock's age; the first goes on when it wakes."""
        if scenario.options["lock"] != "heartbeat":
            return
        label = f"{scenario.name}, lock heartbeat, asleep with rows held at {point!r}"
        self.stage.begin(scenario)
        pid = self._hold(self.stage.nursery, scenario, point, number)
        os.kill(pid, signal.SIGSTOP)
        aged = point.startswith("before the checkpoint")
        if aged:  # later its row is locked, and nobody could age it
            self.stage.query(HEARTBEATS_OLD)
        second = self._run(self.second, scenario, lock_wait="1s")
        self.stage.nursery.go()
        os.kill(pid, signal.SIGCONT)
        first = self.stage.nursery.ended()
        if not first.well:
            # The second one has taken the run over before it met the rows: what the first held is gone with it.
            self.stage.alone()
            self.stage.query(HEARTBEATS_OLD)
            third = self._run(self.second, scenario)
        else:
            third = first
        self.tally.woken += 1
        self._judge(
            label,
            scenario,
            known,
            None if second.kind in {"RowsHeld", "BlockedError"} else f"the second: {second.kind} {second.error}",
            None if third.well else f"nobody finished: {third.kind} {third.error}",
        )
