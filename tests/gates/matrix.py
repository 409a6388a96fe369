# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.gates.matrix [--core 2.21] [--only sanity,units,integration]``: ansible-test on each ansible-core.

Sanity is asked of what the tarball holds; units and the integration target of the files that Git knows. Whatever could
not be run ends the command with 1, and says what is missing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.gates import trees
from tests.gates.cores import CORES, PROJECT, Core, NotHereError, surroundings, with_core

KINDS = ("sanity", "units", "integration")
LOGS = PROJECT / "build" / "matrix"
# ansible-test fetches the script that brings pip into its environments from a server of its own. Where that cannot be
# reached, Python's own pip does; it then installs the release that ansible-test wants from the package registry.
BRING_PIP = """\
import runpy
import sys

sys.argv = ["ensurepip", "--default-pip"]
runpy.run_module("ensurepip", run_name="__main__")
"""
PIP_SCRIPTS = ("get_pip_24_2.py", "get_pip_25_2.py")


def home(folder: Path) -> Path:
    """A home folder for ansible-test, which keeps its environments there."""
    made = folder / "home"
    cache = made / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for name in PIP_SCRIPTS:
        (cache / name).write_text(BRING_PIP, encoding="utf-8")
    return made


def commands(core: Core) -> dict[str, list[str]]:
    """What ansible-test is asked, by kind."""
    left_out = [word for name, _why in core.left_out for word in ("--skip-test", name)]
    return {
        "sanity": ["sanity", "--python", core.python, "--color", "no", *left_out],
        "units": ["units", "--venv", "--python", core.python, "--color", "no"],
        # In its place: the target starts the lab of this tree.
        "integration": [
            *("integration", "--venv", "--python", core.python, "--color", "no"),
            *("--no-temp-workdir", "repair_amazon"),
        ],
    }


def run(core: Core, kinds: Sequence[str]) -> list[str]:
    """Run the kinds with one ansible-core, and print a line each. Returns what failed, in words."""
    try:
        programs = with_core(core)
    except (NotHereError, subprocess.CalledProcessError) as error:
        print(f"{core.version}: NOT RUN: {error}", flush=True)
        return [f"{core.version} was not run"]
    failed = []
    with tempfile.TemporaryDirectory(prefix="keybuzz-matrix-") as temporary:
        folder = Path(temporary)
        archive = trees.tarball(folder / "dist", programs / "ansible-galaxy")
        shipped, whole = trees.shipped(folder / "shipped", archive), trees.whole(folder / "whole")
        environment = surroundings(
            programs,
            without=("ANSIBLE_", "LAB_"),
            # Its environments are kept below build/: they are made once.
            HOME=str(home(PROJECT / "build" / "ansible-test")),
            XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        )
        for kind in kinds:
            began = time.monotonic()
            log = LOGS / f"{core.version}-{kind}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("w", encoding="utf-8") as said:
                done = subprocess.run(
                    [str(programs / "ansible-test"), *commands(core)[kind]],
                    cwd=shipped if kind == "sanity" else whole,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
            seconds = time.monotonic() - began
            skipped = "".join(f", without {name}: {why}" for name, why in core.left_out) if kind == "sanity" else ""
            if done.returncode:
                failed.append(f"{core.version} {kind}")
                print(
                    f"{core.version} {kind}: FAILED after {seconds:.0f} s, see {log.relative_to(PROJECT)}", flush=True
                )
                print("".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[-15:]), flush=True)
            else:
                print(f"{core.version} {kind}: passed in {seconds:.0f} s{skipped}", flush=True)
    return failed


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.gates.matrix", description=__doc__)
    parser.add_argument("--core", action="append", choices=[core.version for core in CORES])
    parser.add_argument("--only", default=",".join(KINDS))
    given = parser.parse_args()
    kinds = [kind for kind in KINDS if kind in given.only.split(",")]
    chosen = [core for core in CORES if not given.core or core.version in given.core]
    failed = [problem for core in chosen for problem in run(core, kinds)]
    names = ", ".join(core.version for core in chosen)
    print(f"matrix: {'; '.join(failed)}" if failed else f"matrix: {', '.join(kinds)} pass on ansible-core {names}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
