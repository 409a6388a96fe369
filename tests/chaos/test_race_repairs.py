# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real repairs of one environment at once: nobody is overwritten, nothing is doubled, and all ends in sync."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.chaos_world import ChaosWorld
from tests.chaos.figures import record
from tests.chaos.test_kill import break_to_the_ground, forget_other_tokens, own_tokens, wrong_orders
from tests.e2e.playbooks import Playbooks, Run

# What a repair that came second may say: it found the other one at it, or what it had read was not true any more.
GAVE_WAY = re.compile(r"stale|Lease|changed by (somebody else|others)|is already|another (run|import)|holds", re.I)


@pytest.mark.timeout(600)
def test_two_repairs_at_once(world: ChaosWorld, tmp_path: Path) -> None:
    forget_other_tokens(world)
    break_to_the_ground(world)
    before = set(own_tokens(world))  # the lab's own, which is not a repair's to revoke
    homes = [tmp_path / name for name in ("one", "two")]
    for home in homes:
        home.mkdir()
    operators = [Playbooks(world.world.directory, home) for home in homes]
    with ThreadPoolExecutor(max_workers=2) as pool:
        ends: list[Run] = list(pool.map(lambda operator: operator.repair(), operators))
    codes = [end.code for end in ends]
    assert 0 in codes, "\n\n".join(end.output for end in ends)
    for end in ends:
        assert end.code == 0 or GAVE_WAY.search(end.output), end.output

    look = operators[0].audit()
    assert look.code == 0, look.output
    assert wrong_orders(world) == []
    assert len(set(own_tokens(world)) - before) == 1, "a token nobody uses is alive"
    after = operators[0].repair()
    assert (after.code, after.changed) == (0, 0), after.output
    print(record("race", {"two_repairs": "both done" if codes == [0, 0] else "one done, one gave way"}))
