# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles in a playbook of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Lab
from tests.e2e.playbooks import Playbooks

STEPS: dict[str, dict[str, str]] = {
    "vault_token": {},
    "backend_access": {},
    "amazon_app": {},
    "amazon_tenant": {"amazon_tenant_id": "ecomlg-001"},
    "amazon_orders": {"amazon_orders_tenant": "ecomlg-001"},
}


@pytest.mark.parametrize("role", STEPS)
def test_a_role_alone_brings_its_names_and_finds_its_step_in_sync(
    healthy: Lab, playbooks: Playbooks, tmp_path: Path, role: str
) -> None:
    in_sync = {"that": [f"{role}_result.verdict == 'in_sync'"], "quiet": True}
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "roles": [{"role": f"keybuzz.amazon.{role}", **STEPS[role]}],
        "post_tasks": [{"name": "Found", "ansible.builtin.assert": in_sync}],
    }
    own = tmp_path / "own.yml"
    own.write_text(json.dumps([play]), encoding="utf-8")
    run = playbooks.run(str(own), "--check")
    assert run.code == 0, run.output
    assert "changed=0" in run.output
