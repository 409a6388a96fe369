# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module under Ansible itself: what a person sees while it runs, and what is never shown."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration_lab.amazon_world import AmazonWorld
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
    lines = [line for line in done.stderr.splitlines() if line.startswith("[ecomlg-001] orders: ")]
    assert any("orders: 40, 1 pages" in line for line in lines), done.stderr
    assert complete(world)


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
    assert world.calls() == []


def test_a_failure_names_what_to_do_and_no_progress_file_stays(world: AmazonWorld, tmp_path: Path) -> None:
    started = time.time()
    done = ansible(world, tmp_path, tenant="nobody")
    assert done.returncode == 2
    assert "Known tenants: ecomlg-001, switaa-002" in done.stdout
    left = [path for path in tmp_path.rglob("keybuzz-orders-*") if path.stat().st_mtime >= started]
    assert left == []
