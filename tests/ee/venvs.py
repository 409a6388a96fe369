# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments of their own below build/venvs, kept between runs while what they were made of stays the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "build" / "venvs"


def made(name: str, wanted: Sequence[str], *, anew: bool = False) -> Path:
    """The environment's bin folder.

    :param wanted: what pip installs.
    :param anew: ask the index again, because what is wanted does not say which version that is.
    :raises subprocess.CalledProcessError: it cannot be made; pip has said why.
    """
    folder = FOLDER / f"{name}-python-{sys.version_info.major}.{sys.version_info.minor}"
    done = folder / ".installed"
    text = "\n".join(wanted) + "\n"
    if anew or not done.is_file() or done.read_text(encoding="utf-8") != text:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *wanted], check=True)
        done.write_text(text, encoding="utf-8")
    return folder / "bin"


def builder() -> Path:
    """ansible-builder, of the range in requirements.txt beside this file."""
    lines = Path(__file__).with_name("requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line.strip() and not line.startswith("#")]
    return made("ansible-builder", wanted) / "ansible-builder"
