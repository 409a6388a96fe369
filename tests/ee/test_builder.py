# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The definition of the execution environment: ansible-builder takes it, and finds in the tarball what it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gates import trees
from tests.gates.cores import PROJECT, environment

DEFINITION = PROJECT / "extensions" / "execution-environment" / "execution-environment.yml"
BIN = Path(sys.executable).parent


BUILDER = ("ansible-builder>=3.2,<4",)


@pytest.fixture(scope="session")
def program() -> Path:
    return environment("ansible-builder", BUILDER) / "ansible-builder"


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The definition and the tarball where they lie in a checkout, and nothing else."""
    folder = tmp_path_factory.mktemp("checkout")
    beside = folder / DEFINITION.parent.relative_to(PROJECT)
    beside.mkdir(parents=True)
    (beside / DEFINITION.name).write_text(DEFINITION.read_text(encoding="utf-8"), encoding="utf-8")
    trees.tarball(folder / "dist", BIN / "ansible-galaxy")
    return folder


@pytest.fixture(scope="session")
def context(program: Path, checkout: Path) -> Path:
    """The build context that `ansible-builder create` makes."""
    definition = checkout / DEFINITION.relative_to(PROJECT)
    run(
        program, "create", "--file", definition, "--context", checkout / "context", "--output-filename", "Containerfile"
    )
    return checkout / "context"


def run(*words: object) -> str:
    finished = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_the_context_has_the_tarball_and_installs_it(context: Path) -> None:
    (tarball,) = (context / "_build" / "collection").iterdir()
    assert re.fullmatch(r"keybuzz-amazon-[0-9][^/]*\.tar\.gz", tarball.name)
    lines = (context / "Containerfile").read_text(encoding="utf-8").splitlines()
    wanted = yaml.safe_load((context / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    (collection,) = wanted["collections"]
    moved = next(line for line in lines if line.startswith("RUN mv "))
    assert moved == f"RUN mv /build/collection/keybuzz-amazon-*.tar.gz {collection['name']}"
    installed = next(at for at, line in enumerate(lines) if "ansible-galaxy collection install" in line)
    assert lines.index(moved) < installed


def test_the_galaxy_stage_installs_the_tarball_whatever_its_version_is(context: Path, tmp_path: Path) -> None:
    """Its two commands, with a folder of the test in place of the image's."""
    build = tmp_path / "build"
    shutil.copytree(context / "_build", build)
    lines = (context / "Containerfile").read_text(encoding="utf-8").splitlines()
    moved = next(line.removeprefix("RUN ") for line in lines if line.startswith("RUN mv "))
    run("bash", "-c", moved.replace("/build/", f"{build}/"))
    wanted = build / "requirements.yml"
    wanted.write_text(wanted.read_text(encoding="utf-8").replace("/build/", f"{build}/"), encoding="utf-8")
    collections = tmp_path / "collections"
    run(BIN / "ansible-galaxy", "collection", "install", "--force", "--offline", "-r", wanted, "-p", collections)
    assert (collections / "ansible_collections" / "keybuzz" / "amazon" / "meta" / "execution-environment.yml").is_file()


def test_the_image_has_a_python_that_its_ansible_core_runs_on(context: Path) -> None:
    text = (context / "Containerfile").read_text(encoding="utf-8")
    assert 'ARG PYPKG="python3.12"' in text and 'ARG PYCMD="/usr/bin/python3.12"' in text
    refs = re.search(r'ARG ANSIBLE_INSTALL_REFS="([^"]*)"', text)
    assert refs is not None and refs[1] == "ansible-core>=2.21,<2.22 ansible-runner>=2.4,<3"


def test_no_argument_or_variable_of_the_image_can_hold_a_secret(context: Path) -> None:
    names = re.findall(r"^(?:ARG|ENV) (\w+)", (context / "Containerfile").read_text(encoding="utf-8"), re.M)
    assert names and not [name for name in names if re.search(r"TOKEN|SECRET|PASS|KEY", name)]


@pytest.fixture(scope="session")
def found(program: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `ansible-builder introspect` finds where the tarball is installed."""
    collections = tmp_path_factory.mktemp("installed") / "collections"
    (tarball,) = (checkout / "dist").glob("*.tar.gz")
    run(BIN / "ansible-galaxy", "collection", "install", tarball, "--force", "--offline", "-p", collections)
    document: dict[str, Any] = yaml.safe_load(run(program, "introspect", collections))
    return document


def test_what_the_modules_import_is_found_with_its_ranges(found: dict[str, Any]) -> None:
    lines = (PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert [line.split("  # from collection keybuzz.amazon")[0] for line in found["python"]] == wanted
    assert all(">=" in line and ",<" in line for line in wanted), "a range has two ends"


def test_the_systems_authorities_are_found_as_a_package_of_the_system(found: dict[str, Any]) -> None:
    assert [line.split()[0] for line in found["system"]] == ["ca-certificates"]
