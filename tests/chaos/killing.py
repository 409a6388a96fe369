# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook that is killed, with everything it has started, at the moment a server has done its Nth write."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.chaos.chaos_world import Gates
from tests.chaos.gate import Dropped, Reply, Request
from tests.e2e.playbooks import Playbooks

MARK = "KEYBUZZ_CHAOS_RUN"
# A killed repair leaves its Lease behind. In the field it ends after a quarter of an hour; here the next one, which
# would otherwise refuse, waits the seconds until it does.
LEASE: dict[str, object] = {"repair_lease_duration": 5, "repair_lease_wait": 60}


@dataclass(frozen=True)
class Killed:
    """How a run ended. ``place`` is the write it died after; None for one that came to its end."""

    place: str | None
    writes: list[str]
    code: int
    output: str


class Ledger:
    """Counts the writes of all gates in the order in which the servers did them, and acts at the Nth."""

    def __init__(self, gates: Gates) -> None:
        self.writes: list[str] = []
        self._lock = threading.Lock()
        self._act: Any = None
        self._at = 0
        self._over = False
        for gate in gates.http.values():
            gate.after = self._answered
        gates.postgres.committed = lambda what: self._written(f"postgres {what}")

    def at(self, number: int, act: Any) -> None:
        """Calls ``act`` once, when the write of that number (from 1) is done and its client does not know it."""
        self._at, self._act = number, act

    def _answered(self, request: Request, reply: Reply) -> None:
        if request.is_write and reply.status < 400:
            self._written(f"{request.server} {request.what}")
        elif self._over:
            raise Dropped

    def _written(self, what: str) -> None:
        with self._lock:
            if self._over:
                raise Dropped
            self.writes.append(what)
            if len(self.writes) == self._at:
                self._over = True
                self._act()
                raise Dropped


def run_killed(
    playbooks: Playbooks, gates: Gates, number: int, *arguments: str, playbook: str = "repair_amazon.yml"
) -> Killed:
    """Run a playbook through the gates and kill it after its write of that number (0: let it live)."""
    folder = playbooks.home / f"killed-{uuid.uuid4().hex}"
    folder.mkdir()
    variables = folder / "gates.json"
    variables.write_text(json.dumps({**gates.addresses.variables(), **LEASE}))
    command = playbooks.command(playbook, folder, "-e", "tenant=ecomlg-001", "-e", f"@{variables}", *arguments)
    return killed_after(command, folder, gates, number, cwd=playbooks.cwd, env=playbooks.environment())


def killed_after(
    command: list[str], folder: Path, gates: Gates, number: int, *, cwd: Path, env: Mapping[str, str]
) -> Killed:
    """Run any command that writes through the gates, and kill it after that write (0: let it live)."""
    run = uuid.uuid4().hex
    gates.reset()
    ledger = Ledger(gates)
    output = folder / "output.txt"
    with output.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**env, MARK: run},
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    ledger.at(number, lambda: kill_all(process.pid, run))
    code = process.wait(timeout=300)
    gates.reset()
    place = ledger.writes[number - 1] if 0 < number <= len(ledger.writes) else None
    return Killed(place, ledger.writes, code, output.read_text())


def kill_all(controller: int, run: str) -> None:
    """SIGKILL for the controller and all that carry its mark: workers and modules have sessions of their own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(controller).suspend()  # it starts nobody while the others are looked for
    while found := marked(run) - {os.getpid()}:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)


def marked(run: str) -> set[int]:
    """The living processes with that mark in their environment."""
    found = set()
    for process in psutil.process_iter(["status"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if f"{MARK}={run}".encode() in Path(f"/proc/{process.pid}/environ").read_bytes():
                found.add(process.pid)
    return found
