# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for the proof of parity, in sync before each test and after it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.world import World
from tests.parity.proof import Prover


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="keybuzz-parity-") as folder:
        started = World.up(Path(folder) / "lab")
        try:
            if os.environ.get("LAB_REQUIRE_APISERVER"):
                assert started.state["kubernetes"]["kind"] == "kube-apiserver"
            yield started
        finally:
            started.down()


@pytest.fixture(scope="session")
def prover(world: World) -> Prover:
    prover = Prover(world)
    prover.settle()
    return prover
