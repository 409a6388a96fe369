# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every right of the repair, the bootstrap and the audit, taken away one at a time.

Without it, the look names it and nothing is written; or the run does without it and says so; or nobody needs it.
``make chaos`` takes all rights; without PERMISSION=all it is a sample, drawn from PARITY_SEED or the day.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.chaos import rights
from tests.chaos.chaos_world import ChaosWorld
from tests.chaos.figures import record
from tests.chaos.permission import FIRST, Judged, Matrix, audit_credentials
from tests.e2e.playbooks import Playbooks
from tests.parity.difference import changed
from tests.parity.playbook import Play
from tests.parity.snapshot import Observer

SAMPLE = 6  # rights of one holder on one server
SEED = os.environ.get("PARITY_SEED") or str(date.today())


@pytest.fixture(scope="module")
def judged() -> Iterator[list[Judged]]:
    """Of all tests of this file, for the figures."""
    found: list[Judged] = []
    yield found
    outcomes = Counter(one.outcome for one in found)
    figures: dict[str, object] = {
        "dropped": len(found),
        "of": os.environ.get("PERMISSION") or f"a sample, PARITY_SEED={SEED}",
        "named": sum(one.named for one in found),
        "stopped_before_writing": outcomes["stopped"] - sum(one.half_applied for one in found),
        "optional": outcomes["optional"],
        "not_needed": outcomes["not needed"],
        "green": sum(one.green for one in found),
        "half_applied": sum(one.half_applied for one in found),
        "rights_nobody_needs": [str(one.right) for one in found if one.outcome == "not needed"],
    }
    print(record("permission" if os.environ.get("PERMISSION") == "all" else "permission-sample", figures))


@pytest.fixture(scope="module")
def matrix(chaos_lab: ChaosWorld) -> Iterator[Matrix]:
    chaos_lab.heal()
    Play(chaos_lab.world.directory, chaos_lab.world.state["tenant"]).run()
    yield Matrix(chaos_lab.world, chaos_lab.heal)
    chaos_lab.heal()


@pytest.fixture
def auditor(chaos_lab: ChaosWorld, tmp_path: Path) -> dict[str, str]:
    return audit_credentials(chaos_lab.world, tmp_path)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("holder", "server"),
    [("repair", "vault"), ("bootstrap", "vault"), ("repair", "kubernetes"), ("repair", "postgres")],
)
def test_a_repair_without_a_right_names_it_before_it_writes(
    holder: str, server: str, matrix: Matrix, judged: list[Judged]
) -> None:
    wrong = []
    for right in _chosen(matrix, holder, server):
        found = matrix.repair(right)
        judged.append(found)
        wrong += [f"{right}: {line}" for line in found.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("server", ["vault", "kubernetes", "postgres"])
@pytest.mark.parametrize("broken", [(), FIRST], ids=["in sync", "broken"])
def test_an_audit_without_a_right_says_so_and_is_not_green(
    broken: tuple[str, ...], server: str, matrix: Matrix, auditor: dict[str, str], judged: list[Judged]
) -> None:
    wrong = []
    for right in _chosen(matrix, "audit", server):
        found = matrix.audit(right, auditor, broken)
        judged.append(found)
        wrong += [f"{right}: {line}" for line in found.wrong]
    assert not wrong, "\n".join(wrong)


def test_the_playbook_itself_stops_before_it_writes_and_says_what_it_lacks(
    matrix: Matrix, chaos_lab: ChaosWorld, playbooks: Playbooks
) -> None:
    chaos_lab.heal()
    chaos_lab.break_all()
    lacking = rights.Right("kubernetes", "repair", "patch", "keybuzz-backend-dev/deployments/keybuzz-backend")
    observer = Observer(chaos_lab.world)
    found = observer.take()
    with rights.without(chaos_lab.world, lacking):
        repair = playbooks.repair()
    assert repair.code != 0
    assert "patch deployments.apps keybuzz-backend-dev/keybuzz-backend" in " ".join(repair.output.split())
    assert changed(found, observer.take()) == set()


def _chosen(matrix: Matrix, holder: str, server: str) -> list[rights.Right]:
    found = [right for right in rights.of(matrix.world, holder) if right.server == server]
    if os.environ.get("PERMISSION") == "all" or len(found) <= SAMPLE:
        return found
    return random.Random(f"{SEED}:{holder}").sample(found, SAMPLE)  # noqa: S311 - a draw of test cases
