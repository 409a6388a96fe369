# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of ansible-core that the collection is held to, and environments with each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
ENVIRONMENTS = PROJECT / "build" / "venvs"


class NotHereError(Exception):
    """Something that the gate needs is not on this machine; the text says what and how to get it."""


@dataclass(frozen=True)
class Core:
    """One release.

    :param python: the Python that runs it here, of those that it supports.
    :param wanted: what pip is asked for.
    :param left_out: tests of ansible-test sanity that cannot run with it, and why.
    """

    version: str
    python: str
    wanted: str
    left_out: tuple[tuple[str, str], ...] = ()


CORES = (
    Core("2.19", "3.11", "ansible-core~=2.19.0"),
    Core("2.20", "3.12", "ansible-core~=2.20.0"),
    Core("2.21", "3.12", "ansible-core~=2.21.0"),
    # A release candidate until it is out.
    Core(
        "2.22",
        "3.13",
        "ansible-core>=2.22.0rc1,<2.23",
        (("pylint", "it installs dill from GitHub, which is no package registry; pylint runs with 2.21"),),
    ),
)


def interpreter(version: str) -> str | None:
    """A working Python of this version: a version manager's shim may be there without the Python behind it."""
    candidates = [
        shutil.which(f"python{version}"),
        *sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))),
    ]
    for candidate in filter(None, candidates):
        probe = subprocess.run(
            [candidate, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, check=False
        )
        if probe.returncode == 0:
            return candidate
    return None


def environment(
    name: str,
    requirements: Sequence[str],
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}",
    *,
    anew: bool = False,
) -> Path:
    """bin folder of an environment with these requirements; it is kept until they change.

    :param python: by default the Python that runs this.
    :param anew: ask the index again, because what is wanted does not say which version that is.
    :raises NotHereError: there is no such Python.
    :raises subprocess.CalledProcessError: pip could not install them.
    """
    chosen = interpreter(python)
    if chosen is None:
        raise NotHereError(f"Python {python} is not on this machine: install it as python{python}, or with pyenv.")
    folder = ENVIRONMENTS / f"{name}-python-{python}"
    done = folder / ".installed"
    wanted = "\n".join(requirements)
    if anew or not done.is_file() or done.read_text(encoding="utf-8") != wanted:
        subprocess.run([chosen, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)
        done.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def module_requirements() -> list[str]:
    """What the modules import, with its ranges, as pip is asked for it."""
    lines = (PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def surroundings(programs: Path, *, without: tuple[str, ...] = ("ANSIBLE_",), **more: str) -> dict[str, str]:
    """Variables of the process for these programs, without the settings of whoever calls."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    return {**kept, "PATH": f"{programs}:{os.environ['PATH']}", **more}


def said(
    command: Sequence[str], cwd: Path | str, env: Mapping[str, str], *, timeout: float | None = None
) -> tuple[int, str]:
    """Exit code of a command, and all that it said. :raises subprocess.TimeoutExpired: after so many seconds."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done.returncode, done.stdout


def with_core(core: Core) -> Path:
    """bin folder of an environment with this ansible-core and what the modules import."""
    return environment(f"core-{core.version}", [core.wanted, *module_requirements()], core.python)
