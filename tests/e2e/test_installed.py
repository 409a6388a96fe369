# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built tarball, installed into an empty place, on the oldest and the newest supported ansible-core."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.e2e.conftest import Lab
from tests.e2e.playbooks import PROJECT, Playbooks
from tests.gates import trees
from tests.gates.cores import CORES, NotHereError, with_core

ENDS = [CORES[0], CORES[2]]
"""The oldest and the newest that is out; make matrix has them all."""


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.tarball(tmp_path_factory.mktemp("dist"), Path(sys.executable).parent / "ansible-galaxy")


def test_the_tarball_holds_the_collection_and_nothing_of_the_workshop(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = {name.split("/")[0] for name in archive.getnames()}
    assert {"plugins", "roles", "playbooks", "meta", "README.md", "LICENSE", "requirements.txt"} <= names
    assert not names & {"lab", "tests", ".venv", ".collections", ".lab", "build", "ansible.cfg", ".git"}


@pytest.fixture(scope="session", params=ENDS, ids=lambda core: f"core-{core.version}-python-{core.python}")
def programs(request: pytest.FixtureRequest) -> Path:
    """bin folder of an environment with one ansible-core and the modules' requirements; kept between runs."""
    try:
        return with_core(request.param)
    except NotHereError as error:
        pytest.skip(f"ansible-core {request.param.version} was not tested: {error}")


def test_the_installed_collection_repairs_the_lab(programs: Path, tarball: Path, healthy: Lab, tmp_path: Path) -> None:
    playbooks = Playbooks(healthy.directory, tmp_path, programs)
    playbooks.cwd = tmp_path
    collections = tmp_path / "collections"
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(collections)}
    subprocess.run(
        [programs / "ansible-galaxy", "collection", "install", str(tarball), "--offline", "-p", str(collections)],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env=playbooks.environment(environment),
    )
    inventory = ("-i", str(PROJECT / "inventories" / "lab"))
    healthy("break", "all")
    repaired = playbooks.run("keybuzz.amazon.repair_amazon", *inventory, env=environment)
    assert repaired.code == 0, repaired.output
    assert repaired.report["verdict"] == "in_sync"
    audited = playbooks.run("keybuzz.amazon.audit_amazon", *inventory, env=environment)
    assert audited.code == 0, audited.output
    again = playbooks.run("keybuzz.amazon.repair_amazon", *inventory, env=environment)
    assert (again.code, again.changed) == (0, 0), again.output
