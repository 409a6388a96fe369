# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.bench.noop [--runs 15]``: a no-op audit and repair, and their peers, in turns on the same lab.

The peers are a playbook of as many tasks that do nothing, and the audit as one would write it by hand on
``community.hashi_vault``, ``kubernetes.core`` and ``community.postgresql``. All run by one ansible-core, in turns, so
that a busy machine slows all of them. Targets: at most twice the empty playbook, and three times as fast as by hand.

The inventory has the lab's addresses as values, as a user writes them (``inventories/example``). That of the lab asks a
file for each of them, over and over, which is the price of a lab that may be anywhere and is nobody's in production.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.world import World
from tests.bench.orders.install import named
from tests.bench.orders.peers import PROJECT
from tests.e2e.calls import Calls, calls_of
from tests.e2e.evidence import Evidence
from tests.parity.variables import known, of_the_lab

OUTPUT = PROJECT / "build" / "bench" / "noop.json"
TENANT = "ecomlg-001"
MOST_TIMES_EMPTY = 2.0
LEAST_TIMES_BY_HAND = 3.0
MOST_CALLS = Calls(vault=5, kubernetes=6, amazon=1)
"""Token, policy, token role and the two documents: five objects of Vault, none of which it answers together."""
TASK = re.compile(r"^TASK \[", re.MULTILINE)


@dataclass(frozen=True)
class Contender:
    """One playbook. Times in seconds of the wall clock, of the whole process."""

    name: str
    tasks: int
    seconds: list[float]
    calls: Calls | None = None

    @property
    def median(self) -> float:
        """The middle of its times."""
        return statistics.median(self.seconds)


def empty_playbook(folder: Path, tasks: int) -> Path:
    """A playbook with so many tasks that do nothing but run."""
    lines = ["- hosts: all", "  gather_facts: false", "  connection: local", "  tasks:"]
    for number in range(tasks):
        lines += [f"    - name: Nothing {number}", "      ansible.builtin.assert:", "        that: true"]
        lines += ["        quiet: true"]
    path = folder / f"empty-{tasks}.yml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def inventory(folder: Path) -> Path:
    """One environment, the lab that is up, with the variables of its inventory as values."""
    evaluated = known({})
    values = {name: evaluated[name] for name in of_the_lab() if not name.startswith(("lab", "inventory"))}
    path = folder / "inventory.json"
    path.write_text(json.dumps({"all": {"hosts": {"lab": values}}}, default=str), encoding="utf-8")
    return path


def timed(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, str]:
    """Seconds and output. :raises RuntimeError: it failed."""
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}"
        )
    return seconds, done.stdout


def measure(world: World, folder: Path, programs: Path, runs: int) -> list[Contender]:
    """Every contender so often, in turns."""
    evidence = Evidence(json.loads((world.directory / "state.json").read_text(encoding="utf-8")))
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PATH": f"{programs}:{os.environ['PATH']}",
        "LAB_DIR": str(world.directory),
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
    }
    playbook = str(programs / "ansible-playbook")
    tenant = ["-e", f"tenant={TENANT}", "-e", f"drift_report_directory={folder}", "-i", str(inventory(folder))]
    commands = {
        "audit": [playbook, "audit_amazon.yml", *tenant],
        "repair": [playbook, "repair_amazon.yml", *tenant],
        "by hand": [playbook, str(Path(__file__).with_name("by_hand.yml")), *tenant],
    }
    tasks, calls = {}, {}
    for name, command in commands.items():  # once to warm up, which also counts
        mark = evidence.mark()
        _seconds, said = timed(command, environment)
        tasks[name], calls[name] = len(TASK.findall(said)), calls_of(evidence, mark)
    for name in ("audit", "repair"):
        empty = str(empty_playbook(folder, tasks[name]))
        commands[f"empty, as {name}"] = [playbook, "-i", "localhost,", empty]
        tasks[f"empty, as {name}"] = tasks[name]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            seconds[name].append(timed(command, environment)[0])
    return [Contender(name, tasks[name], seconds[name], calls.get(name)) for name in commands]


def ratios(found: Sequence[Contender]) -> dict[str, float]:
    """What the targets are about: how many times as long all turns of one took as those of its peer."""
    by_name = {one.name: one for one in found}

    def over(name: str, peer: str) -> float:
        return round(sum(by_name[name].seconds) / sum(by_name[peer].seconds), 2)

    return {
        "audit / empty": over("audit", "empty, as audit"),
        "repair / empty": over("repair", "empty, as repair"),
        "by hand / audit": over("by hand", "audit"),
        "by hand / repair": over("by hand", "repair"),
    }


def missed(found: Sequence[Contender], shown: Mapping[str, float]) -> list[str]:
    """Targets that were not met, in words."""
    said = [f"{name} is {value}" for name, value in shown.items() if "/ empty" in name and value > MOST_TIMES_EMPTY]
    said += [f"{name} is {value}" for name, value in shown.items() if "by hand" in name and value < LEAST_TIMES_BY_HAND]
    for one in found:
        if one.name in {"audit", "repair"} and one.calls and not one.calls.within(MOST_CALLS):
            said.append(f"{one.name} made {one.calls}")
    return said


def table(found: Sequence[Contender], shown: Mapping[str, float]) -> str:
    """The figures as text."""
    lines = [f"{'':<18}{'tasks':>6}{'median':>9}{'min':>8}{'max':>8}  calls to Vault, Kubernetes, Amazon"]
    for one in found:
        counted = f"{one.calls.vault}, {one.calls.kubernetes}, {one.calls.amazon}" if one.calls else "-"
        low, high = min(one.seconds), max(one.seconds)
        lines.append(f"{one.name:<18}{one.tasks:>6}{one.median:>8.2f}s{low:>7.2f}s{high:>7.2f}s  {counted}")
    lines += [f"{name:<18}{value:>6.2f}" for name, value in shown.items()]
    return "\n".join(lines)


def main() -> int:
    """The command; ends with 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.noop", description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    place = named("collections")
    with tempfile.TemporaryDirectory(prefix="keybuzz-noop-") as temporary:
        folder = Path(temporary)
        directory = folder / "lab"
        os.environ["LAB_DIR"] = str(directory)
        lab = [sys.executable, "-m", "lab"]
        try:
            timed([*lab, "up"], os.environ)
            tenant = ["-e", f"tenant={TENANT}", "-e", f"drift_report_directory={folder}"]
            timed([str(Path(sys.executable).parent / "ansible-playbook"), "repair_amazon.yml", *tenant], os.environ)
            found = measure(World.load(directory), folder, place / "bin", given.runs)
        finally:
            timed([*lab, "down"], os.environ)
    shown = ratios(found)
    print(table(found, shown))
    bad = missed(found, shown)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(
        json.dumps({"contenders": [asdict(one) for one in found], "ratios": shown, "missed": bad}, indent=1) + "\n",
        encoding="utf-8",
    )
    print(f"targets missed: {'; '.join(bad)}" if bad else "all targets met")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
