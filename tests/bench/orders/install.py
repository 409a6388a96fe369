# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.bench.orders.install``: the peers of requirements-bench.txt in environments below .venv-bench."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.orders.peers import FOLDER, PROJECT

REQUIREMENTS = PROJECT / "requirements-bench.txt"
HEADING = "# environment: "
# Airbyte's connector: "Requires-Python: <3.12,>=3.10".
OLDER = {"airbyte": ("python3.11", "python3.10")}


def environments(text: str) -> dict[str, list[str]]:
    """The requirements below each heading."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(HEADING):
            lines = found.setdefault(line.removeprefix(HEADING).strip(), [])
        elif line.strip() and not line.startswith("#"):
            lines.append(line.strip())
    return found


def interpreter(name: str) -> str | None:
    """The Python that makes an environment; None where there is none it could use."""
    if name not in OLDER or sys.version_info < (3, 12):
        return sys.executable
    return next((found for found in map(shutil.which, OLDER[name]) if found), None)


def install(folder: Path, python: str, requirements: list[str]) -> None:
    """One environment, kept where it is there already. Raises CalledProcessError."""
    if not (folder / "bin" / "python").exists():
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements], check=True)


def named(name: str, python: str = sys.executable) -> Path:
    """One of the environments by its name; made, or brought up to date. Raises CalledProcessError."""
    FOLDER.mkdir(exist_ok=True)
    # Whatever lies here belongs to nobody's commit.
    (FOLDER / ".gitignore").write_text("*\n", encoding="utf-8")
    install(FOLDER / name, python, environments(REQUIREMENTS.read_text(encoding="utf-8"))[name])
    return FOLDER / name


def main() -> int:
    """All environments; one that cannot be made is left out, and the benchmark says so in its table."""
    missing = 0
    for name, requirements in environments(REQUIREMENTS.read_text(encoding="utf-8")).items():
        python = interpreter(name)
        if python is None:
            print(f"{name}: left out, none of {', '.join(OLDER[name])} is there", file=sys.stderr)
            missing += 1
            continue
        try:
            named(name, python)
        except subprocess.CalledProcessError as failed:
            print(f"{name}: left out, {failed.cmd[0]} ended with {failed.returncode}", file=sys.stderr)
            missing += 1
        else:
            print(f"{name}: {', '.join(requirements)}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
