# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.gates.quality``: ansible-lint (production), antsibull-docs, galaxy-importer on the tarball."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.gates import trees
from tests.gates.cores import PROJECT, NotHereError, environment, said, surroundings

PYTHON = "3.12"
LINT = ("ansible-core~=2.21.0", "ansible-lint>=26.10,<27", "antsibull-docs>=2.28,<3", "galaxy-importer>=0.4.44,<0.5")
LOGS = PROJECT / "build" / "quality"
# ansible-test sanity is asked by the matrix. This would want a container.
IMPORTER = """\
[galaxy-importer]
RUN_ANSIBLE_TEST = False
RUN_ANSIBLE_LINT = True
"""
COMPLAINS = ("WARNING", "ERROR")


def complaints(name: str, status: int, text: str) -> list[str]:
    """What is to be mended. The importer ends with 0 whatever it finds."""
    lines = text.splitlines()
    if name == "galaxy-importer":
        found = [line for line in lines if line.startswith(COMPLAINS)]
        return found if status == 0 else [*found, f"it ended with {status}"]
    if name == "antsibull-docs":
        return lines
    return lines if status else []


def main() -> int:
    """The command: a line a gate; ends with 1 where one complains."""
    try:
        programs = environment("quality", LINT, PYTHON)
    except NotHereError as error:
        print(f"quality: NOT RUN: {error}")
        return 1
    LOGS.mkdir(parents=True, exist_ok=True)
    failed = []
    with tempfile.TemporaryDirectory(prefix="keybuzz-quality-") as temporary:
        folder = Path(temporary)
        archive = trees.tarball(folder / "dist", programs / "ansible-galaxy")
        tree = trees.shipped(folder / "collections", archive)
        settings = folder / "importer.cfg"
        settings.write_text(IMPORTER, encoding="utf-8")
        home = folder / "home"
        home.mkdir()
        env = surroundings(
            programs,
            HOME=str(home),
            ANSIBLE_COLLECTIONS_PATH=str(folder / "collections"),
            GALAXY_IMPORTER_CONFIG=str(settings),
        )
        references = ["--validate-collection-refs=all", "--disallow-unknown-collection-refs"]
        gates = {
            "ansible-lint": (["ansible-lint", "--nocolor", "-q", "-f", "pep8"], tree),
            "antsibull-docs": (["antsibull-docs", "lint-collection-docs", "--plugin-docs", *references, "."], tree),
            "galaxy-importer": (["python", "-m", "galaxy_importer.main", str(archive)], folder),
        }
        for name, (command, cwd) in gates.items():
            began = time.monotonic()
            status, text = said([str(programs / command[0]), *command[1:]], cwd, env)
            (LOGS / f"{name}.log").write_text(text, encoding="utf-8")
            found = complaints(name, status, text)
            seconds = time.monotonic() - began
            if found:
                failed.append(name)
            print(f"{name}: {'passed' if not found else f'{len(found)} to mend'} in {seconds:.0f} s", flush=True)
            for line in found[:40]:
                print(f"  {line}")
    print(f"quality: {', '.join(failed)} complain" if failed else f"quality: {', '.join(gates)} have nothing to say")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
