# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built tarball, installed into an empty place, on the oldest and the newest supported ansible-core."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.e2e.conftest import Lab
from tests.e2e.playbooks import PROJECT, Playbooks

CORES = [("2.19", "3.11"), ("2.21", "3.12")]


def interpreter(version: str) -> str | None:
    """A working Python of this version: a version manager's shim may be there without the Python behind it."""
    candidates = [
        shutil.which(f"python{version}"),
        *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
    ]
    for candidate in filter(None, candidates):
        probe = subprocess.run(
            [candidate, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, check=False
        )
        if probe.returncode == 0:
            return str(candidate)
    return None


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--output-path", str(folder), str(PROJECT)],
        check=True,
        capture_output=True,
        env=Playbooks(folder, folder).environment(),
    )
    return next(folder.glob("keybuzz-amazon-*.tar.gz"))


def test_the_tarball_holds_the_collection_and_nothing_of_the_workshop(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = {name.split("/")[0] for name in archive.getnames()}
    assert {"plugins", "roles", "playbooks", "meta", "README.md", "LICENSE", "requirements.txt"} <= names
    assert not names & {"lab", "tests", ".venv", ".collections", ".lab", "build", "ansible.cfg", ".git"}


@pytest.fixture(scope="session", params=CORES, ids=lambda core: f"core-{core[0]}-python-{core[1]}")
def programs(request: pytest.FixtureRequest) -> Path:
    """bin folder of an environment with one ansible-core and the modules' requirements; kept between runs."""
    core, python = request.param
    chosen = interpreter(python)
    if chosen is None:
        pytest.skip(f"Python {python} is not on this machine, so ansible-core {core} was not tested")
    folder = PROJECT / "build" / "venvs" / f"core-{core}-python-{python}"
    done = folder / ".installed"
    wanted = (PROJECT / "requirements.txt").read_text()
    if not done.is_file() or done.read_text() != wanted:
        subprocess.run([chosen, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"ansible-core~={core}.0", "-r", str(PROJECT / "requirements.txt")], check=True)
        done.write_text(wanted)
    return folder / "bin"


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
