# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module under Ansible itself: what a person sees while it runs, and what is never shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration_lab.amazon_world import PROJECT, AmazonWorld
from tests.integration_lab.one_task import run_task
from tests.integration_lab.orders.tables import complete

pytestmark = pytest.mark.lab


def ansible(world: AmazonWorld, tmp_path: Path, *switches: str, **given: Any) -> subprocess.CompletedProcess[str]:
    return run_task("amazon_orders_backfill", world.import_params(**given), tmp_path, *switches)


def test_a_line_appears_while_the_import_waits_and_works(world: AmazonWorld, tmp_path: Path) -> None:
    world.own_tables()
    world.amazon.admin.inject("slow", count=None, operation="searchOrders", skip=1, seconds=1.2)
    world.amazon.admin.inject("throttle-storm", count=2, operation="searchOrders", skip=2)
    done = ansible(world, tmp_path, page_size=40, progress_interval=0.5)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("[ecomlg-001] orders")]
    assert any("orders by search: 40, 1 pages" in line for line in lines), done.stderr
    assert complete(world)


def job_events(world: AmazonWorld, folder: Path, **given: Any) -> list[dict[str, Any]]:
    """The events of a job as AWX's execution nodes run it: transmit, worker, process."""
    job = folder / "job"
    for name in ("project", "inventory", "env"):
        (job / name).mkdir(parents=True)
    options = {name: value for name, value in world.import_params(**given).items() if value is not None}
    task = {"name": "The task", "keybuzz.amazon.amazon_orders_backfill": options}
    (job / "project" / "play.yml").write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}])
    )
    interpreter = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    (job / "inventory" / "hosts").write_text(f"localhost {interpreter}")
    (job / "env" / "envvars").write_text(json.dumps({"ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections")}))
    passed = b""
    for arguments in (
        ("transmit", str(job), "-p", "play.yml"),
        ("worker", "--private-data-dir", str(folder / "worker")),
        ("process", str(folder / "out")),
    ):
        environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder)}
        command = [sys.executable, "-m", "ansible_runner", *arguments]
        passed = subprocess.run(command, input=passed, stdout=subprocess.PIPE, env=environment, check=True).stdout
    return [json.loads(path.read_text()) for path in (folder / "out" / "artifacts").rglob("job_events/*.json")]


def test_progress_is_among_the_job_events_that_awx_keeps(world: AmazonWorld, tmp_path: Path) -> None:
    world.own_tables()
    world.amazon.admin.inject("slow", count=1, operation="searchOrders", skip=1, seconds=1.2)
    events = job_events(world, tmp_path, page_size=50, progress_interval=0.5)
    lines = [event["stdout"] for event in events if event["event"] == "verbose"]
    assert any("[ecomlg-001] orders by search: 50, 1 pages" in line for line in lines), lines
    assert complete(world)
    assert "CANARY" not in json.dumps(events)


def test_the_tasks_result_is_plain_json_and_shows_no_secret_at_any_verbosity(
    world: AmazonWorld, tmp_path: Path
) -> None:
    done = ansible(world, tmp_path, "-vvvv", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CANARY" not in done.stdout + done.stderr
    assert '"fetched": 94' in done.stdout
    again = ansible(world, tmp_path)
    assert "changed=0" in again.stdout


def test_check_mode_under_ansible_predicts_and_asks_amazon_for_nothing(world: AmazonWorld, tmp_path: Path) -> None:
    done = ansible(world, tmp_path, "--check", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=1" in done.stdout
    assert "imported until 2026-01-12T12:00:00Z" in done.stdout
    assert "[ecomlg-001] plan: source search: how many orders there are is not known" in done.stderr
    assert world.calls() == []


def test_a_failure_names_what_to_do_and_no_progress_file_stays(world: AmazonWorld, tmp_path: Path) -> None:
    started = time.time()
    done = ansible(world, tmp_path, tenant="nobody")
    assert done.returncode == 2
    assert "Known tenants: ecomlg-001, switaa-002" in done.stdout
    left = [path for path in tmp_path.rglob("keybuzz-orders-*") if path.stat().st_mtime >= started]
    assert left == []
