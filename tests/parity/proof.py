# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One combination: break, check, repair, check again; and what has to be true of the four."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from lab import pieces
from lab.world import World
from tests.e2e.evidence import Evidence
from tests.parity.combinations import Combination
from tests.parity.difference import between, changed, superseded_follows
from tests.parity.playbook import Call, Play, StepFailed
from tests.parity.snapshot import Observer

FIRST_LOOK, REPAIR, SECOND_LOOK = "First look", "Repair step by step", "Second look"
IDLE = frozenset({"none", "reauthorize"})
CLEAN = frozenset({"in_sync", "ignored"})


@dataclass
class Finding:
    """What one combination showed. ``wrong`` is empty where everything held."""

    combination: Combination
    predicted: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    applied: frozenset[str] = frozenset()
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Prover:
    """Carries combinations out on one lab, which has to be in sync, and leaves it in sync."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._observer = Observer(world)
        self._evidence = Evidence(world.state)

    def settle(self) -> None:
        """Bring a new lab into sync: the first import, and the marks a repair leaves on what it writes."""
        pieces.break_pieces(self._world, pieces.ALL, wait=False)
        Play(self._world.directory, self._world.state["tenant"]).run()

    def prove(self, combination: Combination) -> Finding:
        found = Finding(combination)
        started = time.monotonic()
        try:
            self._prove(combination, found)
        except StepFailed as error:
            found.wrong.append(f"the repair stopped: {error}")
        finally:
            found.seconds = time.monotonic() - started
            if found.wrong:
                self._put_back()
        return found

    def _prove(self, combination: Combination, found: Finding) -> None:
        self._break(combination)
        broken = self._observer.take()
        mark = self._evidence.mark()
        first = self._look()
        after_check = self._observer.take()
        wrong = found.wrong.append
        if changed(broken, after_check):
            wrong(f"check changed {sorted(changed(broken, after_check))}")
        writes = [
            *self._evidence.vault_writes(mark),
            *self._evidence.kubernetes_writes(mark),
            *self._evidence.sql_writes(mark),
        ]
        if writes:
            wrong(f"check asked to write {writes}")

        found.predicted, found.waiting = predicted(first), waiting(first)
        play = Play(self._world.directory, self._world.state["tenant"]).run()
        repaired = self._observer.take()
        if predicted(play.phase(FIRST_LOOK)) != found.predicted:
            wrong(f"the repair's own look predicted {sorted(predicted(play.phase(FIRST_LOOK)))}")
        found.applied = applied(play.phase(REPAIR))
        self._compare(found, between(after_check, repaired), superseded_follows(broken, set(found.predicted)))

        second = self._look()
        for call in second:
            left = [item["id"] for item in call.result["drift"] if item["status"] not in CLEAN]
            if call.result["verdict"] != "in_sync" or call.result["changed"] or left:
                wrong(f"the second check says {call.result['verdict']} of {call.step}: {left}")
        if changed(repaired, self._observer.take()):
            wrong("the second check changed something")

    def _compare(self, found: Finding, difference: Any, follows: set[str]) -> None:
        """Predicted, applied, different on the servers, and what was broken: four sets that have to be one.

        Two things may be in the last three and not in the first. A token of ours that was replaced is revoked when the
        new one is in use: it has to be, whenever there was one, and at no other time. And an item that waits: check
        says of it ``blocked`` with ``depends_on`` on items that are predicted, so what it is can only be known when
        those are repaired. It may be applied then, and whether it has to be is what the broken pieces say.
        """
        wrong = found.wrong.append
        truth = found.combination.items | follows
        if found.applied != truth:
            wrong(f"broken is {sorted(truth)}, applied is {sorted(found.applied)}")
        if difference.items != found.applied:
            wrong(f"applied is {sorted(found.applied)}, different is {sorted(difference.items)}")
        if difference.unexplained:
            wrong(f"no item answers for {sorted(difference.unexplained)}")
        unpredicted = found.applied - found.predicted - follows
        if not unpredicted <= found.waiting:
            wrong(f"applied and not predicted: {sorted(unpredicted - found.waiting)}")
        if not found.predicted <= found.applied:
            wrong(f"predicted and not applied: {sorted(found.predicted - found.applied)}")

    def _look(self) -> list[Call]:
        return Play(self._world.directory, self._world.state["tenant"], check_mode=True).run().phase(FIRST_LOOK)

    def _break(self, combination: Combination) -> None:
        if "orders" in combination.pieces:
            as_if_first_import(self._world)
        pieces.break_pieces(self._world, pieces.chosen(combination.pieces), wait=False)

    def _put_back(self) -> None:
        pieces.heal_pieces(self._world, pieces.EVERY)
        Play(self._world.directory, self._world.state["tenant"]).run()


def as_if_first_import(world: World) -> None:
    """Amazon gives twenty pages and then one in three minutes: here each import finds them all."""
    world.amazon.refill()
    with closing(world.database()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM amazon_quota")


def predicted(calls: Iterable[Call]) -> frozenset[str]:
    """What a check says a repair would write."""
    return frozenset(item["id"] for call in calls for item in call.result["drift"] if item["action"] not in IDLE)


def waiting(calls: Iterable[Call]) -> frozenset[str]:
    """Items a check cannot know yet: each waits, at whatever remove, only for items that it predicts."""
    items = {item["id"]: item for call in calls for item in call.result["drift"]}
    known = {name for name, item in items.items() if item["action"] not in IDLE}
    found: set[str] = set()
    while True:
        more = {
            name
            for name, item in items.items()
            if name not in known | found and item["depends_on"] and set(item["depends_on"]) <= known | found
        }
        if not more:
            return frozenset(found)
        found |= more


def applied(calls: Iterable[Call]) -> frozenset[str]:
    """What the repair's calls say they wrote: pending as found, and not pending any more."""
    found: set[str] = set()
    for call in calls:
        if call.module == "environment_lease":
            continue
        done = _pending(call.result["drift"]) - _pending(call.result["remaining"])
        assert bool(done) == bool(call.result["changed"]), f"{call.step}: changed does not say what the items say"
        found |= done
    return frozenset(found)


def _pending(items: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(item["id"]) for item in items if item["action"] not in IDLE}
