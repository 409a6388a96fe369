# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check predicts exactly what a repair changes. A sample of the broken states; ``make parity`` takes all of them.

The seed is printed with the name of each test. ``PARITY_SEED=17 pytest tests/parity`` draws the same sample again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date

import pytest

from tests.chaos.figures import record
from tests.parity.combinations import Combination, sample
from tests.parity.proof import Finding, Prover
from tests.parity.tally import figures

SIZE = 40
# The day's number, so that each day sees another sample and both workers of a run collect the same.
SEED = int(os.environ.get("PARITY_SEED") or date.today().toordinal())


@pytest.fixture(scope="module")
def findings() -> Iterator[list[Finding]]:
    found: list[Finding] = []
    yield found
    print(record("parity-sample", figures(SEED, found)))


@pytest.mark.parametrize("combination", sample(SEED, SIZE), ids=lambda combination: f"seed{SEED}-{combination}")
def test_predicted_is_applied_is_different(combination: Combination, prover: Prover, findings: list[Finding]) -> None:
    finding = prover.prove(combination)
    findings.append(finding)
    assert finding.wrong == []
