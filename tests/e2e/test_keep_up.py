# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a schedule runs after the first import."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import Lab
from tests.e2e.playbooks import Playbooks

pytestmark = pytest.mark.e2e
TENANT = "ecomlg-001"


def test_the_playbook_catches_up_once_and_then_has_nothing_to_do(healthy: Lab, playbooks: Playbooks) -> None:
    catch_up = ("-e", "amazon_orders_mode=catch_up")
    checked = playbooks.run("playbooks/backfill_orders.yml", *catch_up, "--check")
    assert checked.statuses() == {f"amazon_orders/{TENANT}/updates": "stale"}, checked.output
    assert f"[{TENANT}] plan: source search" in checked.output
    first = playbooks.run("playbooks/backfill_orders.yml", *catch_up)
    assert (first.code, first.statuses()) == (0, {f"amazon_orders/{TENANT}/updates": "in_sync"}), first.output
    again = playbooks.run("playbooks/backfill_orders.yml", *catch_up)
    assert (again.code, again.changed) == (0, 0), again.output
    assert playbooks.audit().code == 0


def test_several_tenants_are_imported_in_one_task_and_the_one_that_fails_is_named(
    healthy: Lab, playbooks: Playbooks
) -> None:
    tenants = json.dumps({"tenants": [TENANT, "switaa-002"]})
    run = playbooks.run("playbooks/backfill_orders.yml", "-e", tenants, "--check", tenant=None)
    assert {item["id"] for item in run.items()} >= {f"amazon_orders/{TENANT}/window"}, run.output
    assert any("switaa-002" in str(item["id"]) for item in run.items()), run.output
