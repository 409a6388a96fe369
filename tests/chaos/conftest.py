# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab per worker for all tests of this folder, with gates before its servers and quick ways to break and heal it.

``world`` gives it in sync; a test that needs it broken says ``world.break_all()`` or ``world.break_("app-creds")``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.world import World
from tests.chaos.chaos_world import ChaosWorld
from tests.e2e.playbooks import Playbooks


@pytest.fixture(scope="session")
def chaos_lab() -> Iterator[ChaosWorld]:
    with tempfile.TemporaryDirectory(prefix="keybuzz-chaos-") as folder:
        directory = Path(folder) / "lab"
        world = World.up(directory)
        try:
            chaos = ChaosWorld(world)
            yield chaos
            chaos.gates.close()
        finally:
            world.down()


@pytest.fixture
def world(chaos_lab: ChaosWorld) -> Iterator[ChaosWorld]:
    """The lab healed before the test, whatever the one before has left."""
    chaos_lab.heal()
    yield chaos_lab
    chaos_lab.gates.reset()


@pytest.fixture
def playbooks(chaos_lab: ChaosWorld, tmp_path: Path) -> Playbooks:
    return Playbooks(chaos_lab.world.directory, tmp_path)
