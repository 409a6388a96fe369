# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs check, repair and audit on a broken lab and draws what the terminal showed: docs/terminal/repair.svg.

Called by ``make recording``, with the lab up.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

PROJECT = Path(__file__).parents[2]
TARGET = Path(__file__).parent / "repair.svg"
WIDTH = 100
COMMANDS = [
    "ansible-playbook repair_amazon.yml -e tenant=ecomlg-001 --check",
    "ansible-playbook repair_amazon.yml -e tenant=ecomlg-001",
    "ansible-playbook audit_amazon.yml -e tenant=ecomlg-001",
]


def run(command: str) -> str:
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "1", "COLUMNS": str(WIDTH)}
    finished = subprocess.run(
        command.split(),
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return finished.stdout


def tables_only(output: str) -> str:
    """The report's table and verdict. The tasks before and the details between are left out, and said to be."""
    table = re.search(r"^\S*(?:AUDIT|CHECK|REPAIR) of .*?\n\s*\n", output, re.MULTILINE | re.DOTALL)
    verdict = re.search(r"^\S*VERDICT .*$", output, re.MULTILINE)
    if table is None or verdict is None:
        sys.exit(f"The run printed no report:\n{output[-2000:]}")
    details = "[… details left out]\n" if verdict.start() > table.end() else ""
    return f"[… tasks left out]\n\n{table[0]}{details}{verdict[0]}"


def main() -> None:
    subprocess.run([sys.executable, "-m", "lab", "break", "all"], cwd=PROJECT, check=True)
    console = Console(record=True, width=WIDTH, file=Path(os.devnull).open("w"))  # noqa: SIM115
    for command in COMMANDS:
        console.print(Text(f"$ {command}", style="bold"))
        console.print(Text.from_ansi(tables_only(run(command))))
        console.print()
    drawing = console.export_svg(title="keybuzz.amazon")
    # Without web fonts: the picture works from a file and asks nobody for anything.
    drawing = re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)
    TARGET.write_text(drawing)
    print(TARGET.relative_to(PROJECT))


if __name__ == "__main__":
    main()
