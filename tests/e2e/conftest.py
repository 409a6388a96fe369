# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for all end-to-end tests, on the real API server where it was built."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.evidence import Evidence
from tests.e2e.playbooks import PROJECT, Playbooks


class Lab:
    """A running lab, driven by its own command line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *arguments: str) -> str:
        """Runs ``python -m lab …`` and returns what it printed; a failure shows that text."""
        finished = subprocess.run(
            [sys.executable, "-m", "lab", *arguments],
            cwd=PROJECT,
            env={**os.environ, "LAB_DIR": str(self.directory)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert finished.returncode == 0, f"lab {' '.join(arguments)} failed:\n{finished.stdout}"
        return finished.stdout

    @property
    def state(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.directory / "state.json").read_text())
        return document


@contextlib.contextmanager
def running() -> Iterator[Lab]:
    """A lab that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="keybuzz-e2e-") as folder:
        world = Lab(Path(folder) / "lab")
        try:
            world("up")
            if os.environ.get("LAB_REQUIRE_APISERVER"):
                assert world.state["kubernetes"]["kind"] == "kube-apiserver"
            yield world
        finally:
            world("down")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with running() as world:
        yield world


@pytest.fixture(scope="session")
def evidence(lab: Lab) -> Evidence:
    return Evidence(lab.state)


@pytest.fixture
def playbooks(lab: Lab, tmp_path: Path) -> Playbooks:
    return Playbooks(lab.directory, tmp_path)


@pytest.fixture(scope="session")
def repaired_once(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The lab with its first import done, so that everything is in sync."""
    run = Playbooks(lab.directory, tmp_path_factory.mktemp("first")).repair()
    assert run.code == 0, run.output
    # The lab's healthy world is what a repair makes of it: only the first import was still to be done.
    assert run.pending("found") <= {"amazon_orders/ecomlg-001/window"}, run.output


@pytest.fixture
def healthy(lab: Lab, repaired_once: None) -> Iterator[Lab]:
    """The lab in sync before the test, and put back into that state after it."""
    yield lab
    lab("heal")
