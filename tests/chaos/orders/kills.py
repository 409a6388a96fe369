# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL at every point that an import passes, at random ones, and while a call is on its way."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.chaos.orders.imports import Ended
from tests.chaos.orders.stage import PARTS, Scenario, Stage, Standing, report, search, v0

HEARTBEATS_OLD = 'UPDATE amazon_backfill_runs SET "heartbeatAt" = "heartbeatAt" - interval \'10 minutes\''


@dataclass
class Tally:
    """What was done and what came out.

    :param kills: by point.
    :param refetched: pages or documents of one import that were read a second time, to how many imports.
    :param wrong: what is not as it has to be, in words.
    """

    kills: Counter[str] = field(default_factory=Counter)
    imports: int = 0
    refetched: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Undisturbed:
    """An import that nobody has disturbed: what all others have to come to.

    :param passed: every point it passed, in order.
    """

    standing: Standing
    calls: Mapping[str, int]
    passed: tuple[str, ...]
    seconds: float


def undisturbed(stage: Stage, scenario: Scenario) -> Undisturbed:
    """Import once without any disturbance, and see that it is right."""
    stage.begin(scenario)
    ended = stage.nursery.run(stage.params(scenario), settings=dict(scenario.settings))
    standing = stage.standing()
    wrong = [*stage.whole(scenario.source), *stage.balanced(standing)]
    assert ended.well, ended.error
    assert not wrong, wrong
    return Undisturbed(standing, stage.calls(), ended.passed, ended.seconds)


def places(passed: Sequence[str], most: int | None) -> Iterator[tuple[str, int]]:
    """Every passing of every point, or of each point the first, the last and evenly chosen ones between them."""
    for point, count in Counter(passed).items():
        numbers = range(1, count + 1)
        if most is not None and count > most:
            step = (count - 1) / max(1, most - 1)
            numbers = sorted({1 + round(at * step) for at in range(most)})  # type: ignore[assignment]
        for number in numbers:
            yield point, number


def killed_everywhere(stage: Stage, scenario: Scenario, tally: Tally, *, most: int | None = None) -> int:
    """Kill one import at each place, finish it with the next one. Returns how many places there were."""
    known = undisturbed(stage, scenario)
    found = list(places(known.passed, most))
    for point, number in found:
        label = f"{scenario.name}, killed at passing {number} of {point!r}"
        stage.begin(scenario)
        order = {"act": "kill", "point": point, "nth": number, "settings": dict(scenario.settings)}
        ended = stage.nursery.run(stage.params(scenario), **order)
        if ended.signal != 9:
            # How often a report is looked at differs from run to run: the last look may be missing this time.
            tally.wrong += [] if ended.well else [f"{label}: it failed: {ended.kind} {ended.error}"]
            continue
        tally.kills[point] += 1
        finish(stage, scenario, known, tally, label)
    never = {point for point, _number in found} - set(tally.kills)
    tally.wrong += [f"{scenario.name}: nothing was killed at {point!r}" for point in sorted(never)]
    return len(found)


def finish(stage: Stage, scenario: Scenario, known: Undisturbed, tally: Tally, label: str) -> None:
    """After one kill: what is stored is right, the next import goes on exactly there, and then nothing is left."""
    stage.alone()
    wrong, standing, before = [], stage.standing(), stage.calls()
    wrong += stage.partly(scenario.source, standing)
    stage.world.amazon.admin.clear()
    stage.world.amazon.admin.clear_requests()
    if scenario.options.get("lock") == "heartbeat" and standing.statuses and not standing.complete:
        wrong += _held_off(stage, scenario, tally)
    ended = stage.nursery.run(stage.params(scenario), settings=dict(scenario.settings))
    after = stage.calls()
    wrong += at_its_end(stage, scenario, known, ended)
    wrong += _refetched(scenario, known, standing, before=before, after=after, tally=tally)
    stage.world.amazon.admin.clear_requests()
    again = stage.nursery.run(stage.params(scenario), settings=dict(scenario.settings))
    if not again.well or (again.facts or {})["changed"] or stage.calls():
        wrong.append(f"an import after the end is not idle: {again.error}")
    tally.imports += 1
    tally.wrong += [f"{label}: {one}" for one in wrong]


def _held_off(stage: Stage, scenario: Scenario, tally: Tally) -> list[str]:
    """A young heartbeat holds the next import off; an old one does not."""
    if not stage.query('SELECT 1 FROM amazon_backfill_runs WHERE "holder" IS NOT NULL'):
        return []
    refused = stage.nursery.run(stage.params(scenario), settings=dict(scenario.settings))
    stage.alone()
    stage.query(HEARTBEATS_OLD)
    if refused.kind != "BlockedError" or stage.calls():
        return [f"the heartbeat of a killed import did not hold off the next one: {refused.kind} {refused.error}"]
    tally.refused += 1
    return []


def at_its_end(stage: Stage, scenario: Scenario, known: Undisturbed, ended: Ended) -> list[str]:
    """What is not as it has to be behind an import that should have finished."""
    standing = stage.standing()
    wrong = [*stage.whole(scenario.source), *stage.balanced(standing)]
    if not ended.well:
        wrong.append(f"the next import failed: {ended.kind} {ended.error}")
    if standing.statuses != ("COMPLETED",):
        wrong.append(f"the runs are {standing.statuses}")
    if standing.counters != known.standing.counters:
        wrong.append(f"counters {standing.counters} instead of {known.standing.counters}")
    return wrong


def _refetched(
    scenario: Scenario,
    known: Undisturbed,
    standing: Standing,
    *,
    before: Mapping[str, int],
    after: Mapping[str, int],
    tally: Tally,
) -> list[str]:
    """Hold what Amazon was asked before and after the kill against where the run stood."""
    operation, wrong = scenario.page_operation, []
    total = known.calls[operation]
    done = standing.finished if scenario.source == "report" else standing.pages
    left = 0 if standing.complete else total - done
    if after.get(operation, 0) != left:
        wrong.append(f"{left} of {total} were left to read, and {operation} was called {after.get(operation, 0)} times")
    twice = before.get(operation, 0) + after.get(operation, 0) - total
    tally.refetched[twice] += 1
    if twice > 1:
        wrong.append(f"{twice} were read twice")
    if scenario.source == "report":
        # Only one whose id the kill came before may be asked for a second time.
        orphans = before.get("createReport", 0) - standing.reports
        if orphans > 1:
            wrong.append(f"{orphans} reports were asked for before the kill, and their ids are not stored")
        missing = 0 if standing.complete else PARTS - standing.reports
        if after.get("createReport", 0) != missing:
            wrong.append(f"{missing} reports had no id stored, and {after.get('createReport', 0)} were asked for")
    return wrong


# --- while a call is on its way ---

IN_FLIGHT: tuple[tuple[str, str, str, str], ...] = (
    ("search", "lwa-slow", "token", "before the token refresh"),
    ("search", "slow", "searchOrders", "before searchOrders"),
    ("report", "lwa-slow", "token", "before the token refresh"),
    ("report", "slow", "createReport", "before createReport"),
    ("report", "slow", "getReport", "before getReport"),
    ("report", "slow", "getReportDocument", "before getReportDocument"),
    ("report", "document-slow", "reportDocument", "before a download"),
    ("v0", "slow", "getOrders", "before getOrders"),
    ("v0", "slow", "getOrderItems", "before getOrderItems"),
)
"""Scenario, fault of the simulator, the operation it meets, and the point after which the kill comes."""


def killed_in_flight(stage: Stage, tally: Tally) -> int:
    """Kill an import while Amazon works on its answer."""
    scenarios = {one.name: one for one in (search(), report(), v0())}
    known = {name: undisturbed(stage, one) for name, one in scenarios.items()}
    for name, fault, operation, point in IN_FLIGHT:
        scenario, amazon = scenarios[name], stage.world.amazon.admin
        for number in (1,) if operation == "token" else (1, 2):
            stage.begin(scenario)
            amazon.inject(fault, operation=operation, skip=number - 1, seconds=0.5)
            order = {"act": "kill-in-flight", "point": point, "nth": number, "delay": 0.15}
            ended = stage.nursery.run(stage.params(scenario), settings=dict(scenario.settings), **order)
            label = f"{name}, killed while {operation} number {number} was on its way"
            _until(lambda: any(row["fault"] == fault for row in stage.world.calls()))  # noqa: B023
            if ended.signal != 9:
                tally.wrong.append(f"{label}: it was not: {ended.error}")
                continue
            tally.kills[f"in flight: {operation}"] += 1
            finish(stage, scenario, known[name], tally, label)
    return len(IN_FLIGHT)


def _until(true: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


# --- random moments ---


def killed_at_random(stage: Stage, seed: int, kills: int, tally: Tally) -> int:
    """Kill imports at random moments until there were so many kills, several of each import. Returns how many."""
    rng = random.Random(seed)  # noqa: S311 - to be had again by its seed
    known: dict[tuple[str, int], Undisturbed] = {}
    done = 0
    while done < kills:
        source, size = rng.choice(("search", "report")), rng.choice((5, 8, 13, 21))
        scenario = search(size) if source == "search" else report(size)
        if (source, size) not in known:
            known[source, size] = undisturbed(stage, scenario)
        label = f"random {done}, {source} by pages of {size}"
        done += _killed_often(stage, scenario, known[source, size], tally, rng=rng, label=label)
    return done


def _killed_often(
    stage: Stage, scenario: Scenario, known: Undisturbed, tally: Tally, *, rng: random.Random, label: str
) -> int:
    """One import that is killed up to six times and then finished."""
    stage.begin(scenario)
    kills, wrong = 0, []
    for _ in range(rng.randint(2, 6)):
        if rng.random() < 0.75:
            order: dict[str, Any] = {"act": "kill", "point": "*", "nth": rng.randint(1, len(known.passed))}
        else:
            order = {"act": "kill-after", "delay": rng.uniform(0.05, known.seconds)}
        ended = stage.nursery.run(stage.params(scenario), settings=dict(scenario.settings), **order)
        if ended.signal != 9:
            if not ended.well:
                wrong.append(f"an import failed: {ended.kind} {ended.error}")
            break
        kills += 1
        tally.kills[f"random: {ended.killed_at or 'by the clock'}"] += 1
        stage.alone()
        standing = stage.standing()
        wrong += [*stage.partly(scenario.source, standing), *_in_step(scenario, standing, stage.calls(), kills)]
    ended = stage.nursery.run(stage.params(scenario), settings=dict(scenario.settings))
    calls = stage.calls()
    wrong += at_its_end(stage, scenario, known, ended)
    wrong += _in_step(scenario, stage.standing(), calls, kills)
    tally.refetched[calls[scenario.page_operation] - known.calls[scenario.page_operation]] += 1
    tally.imports += 1
    tally.wrong += [f"{label}: {one}" for one in wrong]
    return kills


def _in_step(scenario: Scenario, standing: Standing, calls: Mapping[str, int], kills: int) -> list[str]:
    """For each kill at most one page, one document and one report more was asked for than is on record."""
    wrong = []
    operation = scenario.page_operation
    stored = standing.finished if scenario.source == "report" else standing.pages
    if calls.get(operation, 0) > stored + kills:
        wrong.append(f"{calls[operation]} calls of {operation}, {stored} are stored, after {kills} kills")
    if calls.get("createReport", 0) > standing.reports + kills:
        wrong.append(f"{calls['createReport']} reports asked for, {standing.reports} stored, after {kills} kills")
    return wrong


def scenarios() -> Iterator[tuple[Scenario, int | None]]:
    """What is killed everywhere, and how many passings of a point are enough (``None``: every one)."""
    yield search(), None
    yield report(), 5
    yield v0(), 1
    yield replace(search(50), name="search, first import ever", first_time=True), 1
    yield replace(search(50), name="search, waiting for the usage plan", waits=True), 1
    yield replace(search(50), name="search, lock by heartbeat", options=_with(search(50), lock="heartbeat")), 1


def _with(scenario: Scenario, **options: Any) -> dict[str, Any]:
    return {**scenario.options, **options}


def grouped(kills: Mapping[str, int]) -> dict[str, int]:
    """Kills by point, the random ones beside the ordered ones."""
    together: defaultdict[str, int] = defaultdict(int)
    for point, count in kills.items():
        together[point.removeprefix("random: ")] += count
    return dict(sorted(together.items()))
