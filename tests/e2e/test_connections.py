# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other ways in than a token file and a kubeconfig, given in the inventory for every step at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.world import World
from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence
from tests.e2e.playbooks import Playbooks


@pytest.fixture
def approle(healthy: Lab, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Connection options that log in to a role with the auditor's policy."""
    vault = World.load(healthy.directory).vault.client("root")
    vault.sys.enable_auth_method("approle", path="machines")
    vault.auth.approle.create_or_update_approle("auditor", token_policies=["keybuzz-audit"], mount_point="machines")
    secret_id = tmp_path / "secret_id"
    secret_id.write_text(vault.auth.approle.generate_secret_id("auditor", mount_point="machines")["data"]["secret_id"])
    yield {
        "vault_auth_method": "approle",
        "vault_auth_mount": "machines",
        "vault_role_id": vault.auth.approle.read_role_id("auditor", mount_point="machines")["data"]["role_id"],
        "vault_secret_id_file": str(secret_id),
    }
    vault.sys.disable_auth_method("machines")


def test_one_variable_logs_every_step_in_by_approle_and_the_tokens_end_with_it(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks, approle: dict[str, str]
) -> None:
    vault = World.load(healthy.directory).vault.client("root")
    before = len(vault.list("auth/token/accessors")["data"]["keys"])
    mark = evidence.mark()
    audit = playbooks.audit("-e", json.dumps({"vault_options": approle, "vault_token_file": ""}))
    assert audit.code == 0, audit.output
    assert audit.report["verdict"] == "in_sync"
    assert evidence.callers(mark)["vault"] == {"keybuzz-audit"}
    assert len(vault.list("auth/token/accessors")["data"]["keys"]) == before
    assert Path(approle["vault_secret_id_file"]).read_text() not in audit.output


def test_an_auditor_who_can_read_no_secret_sees_which_keys_there_are(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks
) -> None:
    keys_only = healthy.state["vault"]["token_files"]["audit-keys"]
    given = ("-e", f"vault_token_file={keys_only}", "-e", "vault_depth=keys")
    mark = evidence.mark()
    audit = playbooks.audit(*given)
    assert audit.code == 0, audit.output
    statuses = audit.statuses()
    assert statuses["amazon_app/document"] == "in_sync"
    assert statuses["amazon_app/values"] == statuses["amazon_tenant/ecomlg-001/grant"] == "ignored"
    assert evidence.amazon_calls(mark) == {}

    healthy("break", "app-creds")
    broken = playbooks.audit(*given)
    assert broken.code == 2
    assert broken.statuses()["amazon_app/document"] == "missing"
