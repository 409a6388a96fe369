# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An auditor, who may write nowhere, sees what the one who repairs sees, and leaves no trace of a write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence
from tests.e2e.playbooks import Playbooks, Run
from tests.e2e.test_repair import ALL_PIECES


@pytest.fixture
def credentials(lab: Lab, tmp_path: Path) -> list[str]:
    """The auditor's kubeconfig, Vault token, database role and password file, and nothing else."""
    state = lab.state
    audit = state["postgres"]["users"]["audit"]
    passfile = tmp_path / "pgpass"
    lines = Path(state["postgres"]["passfile"]).read_text().splitlines(keepends=True)
    passfile.write_text("".join(line for line in lines if f":{audit}:" in line))
    passfile.chmod(0o600)
    given = {
        "kubeconfig": state["kubernetes"]["kubeconfigs"]["audit"],
        "vault_token_file": state["vault"]["token_files"]["audit"],
        "vault_bootstrap_token_file": "",
        "pg_user": audit,
        "pg_passfile": str(passfile),
        "amazon_tenant_refresh_token_file": "",
    }
    return [word for name, value in given.items() for word in ("-e", f"{name}={value}")]


def seen(run: Run) -> dict[str, tuple[object, ...]]:
    """What an item says of the world; hints, addresses and fingerprints differ with who looks, and when."""
    return {
        str(item["id"]): tuple(item[name] for name in ("status", "severity", "action", "depends_on"))
        for item in run.items()
        # Pods that do not come up are waited for, and after the Deployment's deadline have failed.
        if item["id"] != "backend_access/rollout"
    }


def test_an_auditor_sees_the_same_as_the_repair_and_writes_nothing(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks, credentials: list[str]
) -> None:
    mark = evidence.mark()
    audit = playbooks.audit(*credentials)
    assert audit.code == 0, audit.output
    assert audit.report["verdict"] == "in_sync"
    assert evidence.callers(mark) == {
        "vault": {"keybuzz-audit"},
        "kubernetes": {"keybuzz-audit"},
        "postgres": {"keybuzz_audit"},
    }

    healthy("break", "all")
    mark = evidence.mark()
    audit = playbooks.audit(*credentials)
    assert audit.code == 2, "an audit of a broken environment has to fail"
    assert audit.changed == 0
    # Where a new refresh token would come from is the repair's business: the auditor is told what the seller has to do.
    without_token = {f"amazon_tenant/ecomlg-001/{part}" for part in ("document", "row")}
    assert audit.pending() | without_token == ALL_PIECES
    assert (evidence.vault_writes(mark), evidence.kubernetes_writes(mark), evidence.sql_writes(mark)) == ([], [], [])
    assert evidence.dry_runs(mark) == [], "a dry run takes the permission to write"
    assert evidence.callers(mark)["kubernetes"] == {"keybuzz-audit"}

    as_repair = playbooks.audit()
    assert as_repair.code == audit.code
    repair_sees = seen(as_repair)
    assert {name: what for name, what in seen(audit).items() if name not in without_token} == {
        name: what for name, what in repair_sees.items() if name not in without_token
    }


def test_a_repair_that_would_be_denied_ends_before_it_writes_and_names_every_right(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks, credentials: list[str]
) -> None:
    healthy("break", "all")
    mark = evidence.mark()
    repair = playbooks.repair(*credentials)
    assert repair.code == 2
    said = " ".join(repair.output.split())
    assert "Nothing was written, because the repair would be denied" in said
    for right in ("patch deployments.apps keybuzz-backend-dev/keybuzz-backend", "INSERT on table orders"):
        assert right in said
    assert (evidence.vault_writes(mark), evidence.kubernetes_writes(mark), evidence.sql_writes(mark)) == ([], [], [])
    assert evidence.dry_runs(mark) == []
    report = (repair.folder / "repair_report.md").read_text()
    assert "Not finished: Nothing was written" in report
    assert "Done: created" not in report and "Done: updated" not in report
