# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One process's share of all combinations, on a lab of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lab.world import World
from tests.parity.combinations import Combination
from tests.parity.proof import Finding, Prover


def prove_on_a_lab(share: list[Combination]) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="keybuzz-parity-") as folder:
        world = World.up(Path(folder) / "lab", say=lambda _: None)
        try:
            prover = Prover(world)
            prover.settle()
            found = []
            for combination in share:
                found.append(prover.prove(combination))
                lines = [f"\n{combination} FAILED", *(f"  {line}" for line in found[-1].wrong), ""]
                print("." if not found[-1].wrong else "\n".join(lines), end="", flush=True)
            return found
        finally:
            world.down(say=lambda _: None)
