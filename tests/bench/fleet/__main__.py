# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.bench.fleet [--sizes 10,100,1000,10000]``: the audit of so many tenants in three environments.

Each size is one ``ansible-playbook audit_amazon.yml`` over three hosts with the auditor's credentials: every tenant's
document is read and its grant proven at Amazon's simulator, its row and its orders are looked at, and the report is
written. Servers and audit share the machine. Measured: seconds, the largest process, connections, requests.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.bench.fleet.world import ENVIRONMENTS, Fleet, choose, fleet
from tests.bench.orders.peers import PROJECT
from tests.e2e.evidence import Evidence

OUTPUT = PROJECT / "build" / "bench" / "fleet.json"
SIZES = (10, 100, 1_000, 10_000)
MOST_SECONDS = 60.0
MOST_CONNECTIONS = 60
"""Three environments: eight each to Vault and Amazon, two each to PostgreSQL and Kubernetes."""
MOST_BYTES_A_TENANT = 2_000
"""Memory of the largest process that each further tenant costs: its name, in the lists that Ansible keeps."""
LOOK_EVERY = 1.0


@dataclass(frozen=True)
class Measured:
    """One audit. ``tenants`` in each of the three environments; memory in bytes."""

    tenants: int
    seconds: float
    verdict: str
    items: int
    largest_process: int
    connections: dict[str, int]
    vault: int
    kubernetes: int
    amazon: int
    report_bytes: int
    page_bytes: int
    page_seconds: float | None


class Watcher:
    """The most connections at once of a process and its children, by server."""

    def __init__(self, pid: int, ports: dict[int, str]) -> None:
        self.most: dict[str, int] = dict.fromkeys(ports.values(), 0)
        self._root = psutil.Process(pid)
        self._ports = ports
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop watching."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            now = dict.fromkeys(self.most, 0)
            try:
                processes = [self._root, *self._root.children(recursive=True)]
                for one in processes:
                    for found in one.net_connections(kind="tcp"):
                        name = self._ports.get(found.raddr.port) if found.raddr else None
                        if name and found.status == psutil.CONN_ESTABLISHED:
                            now[name] += 1
            except psutil.Error:
                continue
            self.most = {name: max(count, now[name]) for name, count in self.most.items()}


def audited(found: Fleet, count: int, folder: Path) -> Measured:
    """One audit of so many tenants in each environment."""
    choose(found, count)
    state = json.loads((found.world.directory / "state.json").read_text(encoding="utf-8"))
    evidence = Evidence(state)
    mark = evidence.mark()
    asked = len(found.amazon.admin.requests())
    output = folder / f"report-{count}"
    output.mkdir()
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "audit_amazon.yml", "-i", str(found.inventory)]
    command += ["--forks", "3", "-e", f"drift_report_directory={output}", *_auditor(state, folder)]
    environment = {**os.environ, "LAB_DIR": str(found.world.directory), "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
    ports = {
        _port(state["vault"]["addr"]): "vault",
        _port(found.amazon.endpoint): "amazon",
        int(state["postgres"]["port"]): "postgresql",
        _port(state["kubernetes"]["server"]): "kubernetes",
    }
    began = time.monotonic()
    with (output / "output.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        watcher = Watcher(process.pid, ports)
        _pid, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    watcher.end()
    report = output / "drift_report.json"
    if not report.exists():
        raise RuntimeError(f"no report, status {status}:\n{(output / 'output.txt').read_text()[-3000:]}")
    document = json.loads(report.read_text(encoding="utf-8"))
    page = output / "drift_report.html"
    return Measured(
        tenants=count,
        seconds=round(seconds, 1),
        verdict=document["verdict"],
        items=document["counts"]["items"],
        largest_process=usage.ru_maxrss * 1024,
        connections=watcher.most,
        vault=len(evidence.vault_requests(mark)),
        kubernetes=len(evidence.kubernetes_requests(mark)),
        amazon=len(found.amazon.admin.requests()) - asked,
        report_bytes=report.stat().st_size,
        page_bytes=page.stat().st_size,
        page_seconds=_opened(page, folder),
    )


def _auditor(state: dict[str, Any], folder: Path) -> list[str]:
    """The auditor's credentials as variables, and nobody else's."""
    user = state["postgres"]["users"]["audit"]
    passfile = folder / "pgpass"
    lines = Path(state["postgres"]["passfile"]).read_text(encoding="utf-8").splitlines(keepends=True)
    passfile.touch(0o600)
    passfile.write_text("".join(line for line in lines if f":{user}:" in line), encoding="utf-8")
    given = {
        "kubeconfig": state["kubernetes"]["kubeconfigs"]["audit"],
        "vault_token_file": state["vault"]["token_files"]["audit"],
        "vault_bootstrap_token_file": "",
        "pg_user": user,
        "pg_passfile": str(passfile),
    }
    return [word for name, value in given.items() for word in ("-e", f"{name}={value}")]


def _port(address: str) -> int:
    return int(address.rpartition(":")[2].partition("/")[0])


def _opened(page: Path, folder: Path) -> float | None:
    """Seconds from starting a browser until the page is laid out; ``None`` without a browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        return None
    command = [browser, "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder / 'profile'}"]
    if os.geteuid() == 0:
        command.append("--no-sandbox")
    began = time.monotonic()
    subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, timeout=120, check=True)
    return round(time.monotonic() - began, 1)


def missed(found: Sequence[Measured]) -> list[str]:
    """Targets that were not met, in words."""
    last = found[-1]
    said = [f"{one.tenants} tenants: the verdict is {one.verdict}" for one in found if one.verdict != "in_sync"]
    if last.seconds > MOST_SECONDS:
        said.append(f"{last.tenants} tenants took {last.seconds} s")
    if sum(last.connections.values()) > MOST_CONNECTIONS:
        said.append(f"{last.tenants} tenants used {last.connections}")
    if len(found) > 1:
        more = len(ENVIRONMENTS) * (last.tenants - found[-2].tenants)
        each = (last.largest_process - found[-2].largest_process) / more
        if each > MOST_BYTES_A_TENANT:
            said.append(f"{last.tenants} tenants took {each:.0f} bytes of memory each")
    return said


def table(found: Sequence[Measured]) -> str:
    """The figures as text."""
    head = (
        f"{'tenants':>13}{'seconds':>9}{'largest':>9}  {'connections V/A/P/K':<20}{'Vault':>8}{'K8s':>5}{'Amazon':>8}"
    )
    lines = [f"{head}{'items':>9}{'page':>9}  opens in"]
    for one in found:
        used = "/".join(str(one.connections[name]) for name in ("vault", "amazon", "postgresql", "kubernetes"))
        opens = "-" if one.page_seconds is None else f"{one.page_seconds} s"
        lines.append(
            f"{f'{one.tenants:,} x {len(ENVIRONMENTS)}':>13}{one.seconds:>9.1f}{one.largest_process / 1e6:>6.0f} MB"
            f"  {used:<20}{one.vault:>8,}{one.kubernetes:>5}{one.amazon:>8,}{one.items:>9,}"
            f"{one.page_bytes / 1e3:>6.0f} kB  {opens}"
        )
    return "\n".join(lines)


def main() -> int:
    """The command; ends with 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    sizes = sorted(int(size) for size in given.sizes.split(","))
    with tempfile.TemporaryDirectory(prefix="keybuzz-fleet-") as temporary:
        folder = Path(temporary)
        began = time.monotonic()
        with fleet(folder, sizes[-1]) as world:
            print(
                f"{sizes[-1]:,} tenants in each of {len(ENVIRONMENTS)} environments made in"
                f" {time.monotonic() - began:.0f} s",
                flush=True,
            )
            found = [audited(world, size, folder) for size in sizes]
    print(table(found))
    bad = missed(found)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(
        json.dumps({"audits": [asdict(one) for one in found], "missed": bad}, indent=1) + "\n", encoding="utf-8"
    )
    print(f"targets missed: {'; '.join(bad)}" if bad else "all targets met")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
