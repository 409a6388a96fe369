# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One whole lab for the tests of its core, and a simulator of Amazon alone for the tests of its rules."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import startup
from lab.world import World
from tests.lab.amazon_caller import Caller
from tests.lab.amazon_process import Simulator, running_simulator


@pytest.fixture(scope="session")
def core_world() -> Iterator[World]:
    """A lab that is up and healthy; nothing of it is left after the session."""
    with tempfile.TemporaryDirectory(prefix="lab-core-") as place:
        folder = Path(place).resolve() / "lab"
        try:
            world = World.up(folder, say=lambda _: None)
            if os.environ.get("LAB_REQUIRE_APISERVER") == "1":
                assert world.cluster.kind == "kube-apiserver", world.cluster.why
            yield world
        finally:
            startup.down(folder, lambda _: None)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One simulator for the tests of a file."""
    with running_simulator(tmp_path_factory.mktemp("amazon")) as running:
        yield running


@pytest.fixture
def caller(simulator: Simulator) -> Caller:
    """A plain HTTP caller of a simulator that has forgotten what the test before did."""
    simulator.admin.reset()
    return Caller(simulator)
