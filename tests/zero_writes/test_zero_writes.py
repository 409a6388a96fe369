# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode and audits write nothing, by the servers' own logs. A sample of states and variants; ``make zero-writes``
takes all of them.

The seed is printed with the name of each test. ``ZERO_WRITES_SEED=17 pytest tests/zero_writes`` draws the same again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from datetime import date

import pytest

from tests.chaos.figures import record
from tests.zero_writes.control import blind_spots
from tests.zero_writes.proof import HOLDERS, STATES, Finding, Prover
from tests.zero_writes.tally import figures
from tests.zero_writes.variant import Variant

# The day's number, so that each day sees another sample and both workers of a run collect the same.
SEED = int(os.environ.get("ZERO_WRITES_SEED") or date.today().toordinal())
DRAWN_STATES = 2
SHARE = 0.2  # of the variants


def sample() -> list[str]:
    """Everything broken at once, and a few drawn."""
    drawn = random.Random(SEED).sample([one for one in STATES if one != "everything"], DRAWN_STATES)  # noqa: S311
    return ["everything", *drawn]


@pytest.fixture(scope="module")
def findings() -> Iterator[list[Finding]]:
    found: list[Finding] = []
    yield found
    print(record("zero_writes-sample", {"seed": SEED, **figures(found)}))


@pytest.mark.parametrize("state", sample(), ids=lambda state: f"seed{SEED}-{state}")
def test_nothing_is_written_in_check_mode_nor_by_a_look(state: str, prover: Prover, findings: list[Finding]) -> None:
    with prover.broken(state):
        found = [prover.prove(state, holder, lambda variants: _drawn(state, variants)) for holder in HOLDERS]
    findings += found
    assert [f"{one}: {line}" for one in found for line in one.wrong] == []


def test_what_is_written_is_seen_on_each_server(prover: Prover) -> None:
    assert list(blind_spots(prover)) == []


def _drawn(state: str, variants: Sequence[Variant]) -> list[Variant]:
    """In their own order: a plan is held after it is written."""
    draw = random.Random(f"{SEED}:{state}")  # noqa: S311 - a draw of test cases
    return [one for one in variants if one.module == "repair_plan" or draw.random() < SHARE]
