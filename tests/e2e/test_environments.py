# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One audit over many environments: each is looked at, and one that fails hides none of the others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lab.processes import free_port
from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence
from tests.e2e.playbooks import PROJECT, Playbooks, Run
from tests.e2e.test_auditor import credentials  # noqa: F401 - a fixture

HOSTS = """\
all:
  hosts:
    # The first one of all is the one that everything else of the run is decided on.
    unset:
      pg_host: ""
    silent:
      vault_addr: https://localhost:{closed}
    misspelt:
      vault_token_strategy: copyy
    no_database:
      pg_port: {closed}
    healthy:
    denied:
      kubeconfig: {nobody}
"""


@pytest.fixture
def inventory(lab: Lab, tmp_path: Path) -> Path:
    folder = tmp_path / "inventory"
    shutil.copytree(PROJECT / "inventories" / "lab" / "group_vars", folder / "group_vars")
    nobody = tmp_path / "nobody.kubeconfig"
    text = Path(lab.state["kubernetes"]["kubeconfigs"]["audit"]).read_text()
    token = next(line.split(":", 1)[1].strip() for line in text.splitlines() if "token:" in line)
    nobody.write_text(text.replace(token, "nobody-s-token"))
    (folder / "hosts.yml").write_text(HOSTS.format(closed=free_port(), nobody=nobody))
    return folder


def verdicts(run: Run) -> dict[str, str]:
    return {env["name"]: env["verdict"] for env in run.report["environments"]}  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", [(), ("-e", "audit_serial=1", "--forks", "1")], ids=["side by side", "one by one"])
def test_an_environment_that_fails_hides_none_of_the_others(  # noqa: PLR0917 - fixtures
    healthy: Lab,
    evidence: Evidence,
    playbooks: Playbooks,
    inventory: Path,
    credentials: list[str],  # noqa: F811
    how: tuple[str, ...],
) -> None:
    # As variables of the inventory, where one environment can have others.
    given = dict(word.split("=", 1) for word in credentials if word != "-e")
    lines = [f"{name}: {json.dumps(value)}" for name, value in given.items()]
    (inventory / "group_vars" / "all" / "zz_auditor.yml").write_text("\n".join(lines) + "\n")
    mark = evidence.mark()
    run = playbooks.audit("-i", str(inventory), *how)
    assert run.code == 2, run.output
    assert verdicts(run) == {
        "unset": "error",
        "silent": "incomplete",
        "misspelt": "error",
        "no_database": "incomplete",
        "healthy": "in_sync",
        "denied": "incomplete",
    }, run.output
    assert run.report["verdict"] == "error"
    statuses = {(item["id"], item["status"]) for env in run.report["environments"] for item in env["items"]}  # type: ignore[attr-defined]
    assert ("vault_token/could-not-check", "unknown") in statuses
    assert (evidence.vault_writes(mark), evidence.kubernetes_writes(mark), evidence.sql_writes(mark)) == ([], [], [])
