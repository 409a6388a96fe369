# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the playbooks as a user does, in a process of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=\d+\s+changed=(?P<changed>\d+)\s+unreachable=\d+\s+failed=(?P<failed>\d+)", re.M
)


@dataclass(frozen=True)
class Run:
    """A finished ansible-playbook: exit code, everything it printed, and the report it wrote."""

    code: int
    output: str
    folder: Path

    @property
    def changed(self) -> int:
        """Changed tasks over all hosts, from the recap."""
        return sum(int(match["changed"]) for match in RECAP.finditer(self.output))

    @property
    def report(self) -> dict[str, object]:
        document: dict[str, object] = json.loads((self.folder / "drift_report.json").read_text())
        return document

    def items(self, part: str = "items") -> list[dict[str, object]]:
        """The items of all environments, of the last look or (``found``) of the look before the repair."""
        return [item for env in self.report["environments"] for item in env[part]]  # type: ignore[attr-defined]

    def pending(self, part: str = "items") -> set[str]:
        """Ids of the items that a repair would write."""
        return {str(item["id"]) for item in self.items(part) if item["action"] not in ("none", "reauthorize")}

    def statuses(self) -> dict[str, str]:
        return {str(item["id"]): str(item["status"]) for item in self.items()}


class Playbooks:
    """ansible-playbook against one lab. Files of a run land in a folder of its own."""

    def __init__(self, lab: Path, home: Path, programs: Path = Path(sys.executable).parent) -> None:
        self.lab = lab
        self.home = home
        self.programs = programs
        self.cwd = PROJECT
        self._runs = 0

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "LAB_DIR": str(self.lab),
            "COLUMNS": "120",
            **(extra or {}),
        }

    def command(self, playbook: str, folder: Path, *arguments: str) -> list[str]:
        program = str(self.programs / "ansible-playbook")
        return [program, playbook, "-e", f"drift_report_directory={folder}", *arguments]

    def run(
        self, playbook: str, *arguments: str, env: Mapping[str, str] | None = None, tenant: str | None = "ecomlg-001"
    ) -> Run:
        self._runs += 1
        folder = self.home / f"run-{self._runs}"
        folder.mkdir()
        named = ["-e", f"tenant={tenant}"] if tenant else []
        finished = subprocess.run(
            self.command(playbook, folder, *named, *arguments),
            cwd=self.cwd,
            env=self.environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        (folder / "output.txt").write_text(finished.stdout)
        return Run(finished.returncode, finished.stdout, folder)

    def audit(self, *arguments: str, **more: object) -> Run:
        return self.run("audit_amazon.yml", *arguments, **more)  # type: ignore[arg-type]

    def repair(self, *arguments: str, **more: object) -> Run:
        return self.run("repair_amazon.yml", *arguments, **more)  # type: ignore[arg-type]
