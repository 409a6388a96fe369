# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EXAMPLES of each module and the README's commands run on the lab as they stand: its addresses come from the
environment, as they may, and the README's inventory has a host called staging."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Lab, running
from tests.e2e.playbooks import PROJECT, Playbooks

MODULES = sorted(file.stem for file in (PROJECT / "plugins" / "modules").glob("*.py"))
NOT_HERE = {
    ("amazon_tenant_connect", "After the seller agreed"): "needs a seller; test_consent.py goes the whole way",
    ("amazon_orders_backfill", "Into tables with other names"): "the lab's role may not make a schema called sales",
    ("drift_report", "Report over ten thousand tenants, with a history that several hosts share"): (
        "the lab has no role drift_report; tests/integration_lab/report has the table"
    ),
    ("k8s_deployment_env", "The same address for two Deployments, waited for side by side"): "the lab has one",
}
"""Module and task that cannot run on the lab, and why."""


@pytest.fixture(scope="module")
def own() -> Iterator[Lab]:
    """A lab of these tests alone: the examples write."""
    with running() as world:
        yield world


def environment(lab: Lab) -> dict[str, str]:
    """What a shell has after ``eval "$(python -m lab env)"``."""
    words = shlex.split(lab("env"), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def places(lab: Lab, folder: Path) -> dict[str, str]:
    """Files and addresses that the examples name, and where the lab has them."""
    state = lab.state
    return {
        "/run/secrets/ecomlg-001.token": f"{state['amazon']['refresh_token_dir']}/ecomlg-001.token",
        "/etc/ssl/private-ca/vault.pem": state["vault"]["ca_file"],
        "/etc/keybuzz/audit.kubeconfig": state["kubernetes"]["kubeconfigs"]["audit"],
        "https://10.0.0.150:8200": state["vault"]["addr"],
        "reports/": f"{folder}/",
        "plan.json": f"{folder}/plan.json",
    }


def examples(name: str) -> str:
    """The text of a module's EXAMPLES."""
    module = importlib.import_module(f"ansible_collections.keybuzz.amazon.plugins.modules.{name}")
    return str(module.EXAMPLES)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_each_module_run_on_the_lab(name: str, own: Lab, tmp_path: Path) -> None:
    text = examples(name)
    for stated, here in places(own, tmp_path).items():
        text = text.replace(stated, here)
    tasks: list[dict[str, Any]] = [task for task in yaml.safe_load(text) if (name, task["name"]) not in NOT_HERE]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    playbook = tmp_path / "examples.yml"
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    run = Playbooks(own.directory, tmp_path).run(
        str(playbook),
        "-i",
        "localhost,",
        "-e",
        "ansible_python_interpreter={{ ansible_playbook_python }}",
        env=environment(own),
    )
    assert run.code == 0, run.output


def test_every_example_that_is_left_out_is_there() -> None:
    named = {(name, task["name"]) for name in MODULES for task in yaml.safe_load(examples(name))}
    assert set(NOT_HERE) <= named


def commands() -> list[list[str]]:
    """The README's ansible-playbook commands that need no seller."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```shell\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.strip().startswith("ansible-playbook ")]


def test_the_commands_of_the_readme_show_what_is_broken_and_repair_it(own: Lab, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "inventories" / "lab", tmp_path / "inventory")
    (tmp_path / "inventory" / "hosts.yml").write_text("all: {hosts: {staging: {}}}", encoding="utf-8")
    own("break", "vault-addr")
    playbooks = Playbooks(own.directory, tmp_path)
    playbooks.cwd = tmp_path
    path = {"ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections")}
    runs = [
        playbooks.run(command[1], *command[2:], tenant=None, env=path)
        for command in commands()
        if not any("<" in word for word in command)
    ]
    assert [run.code for run in runs] == [2, 0, 0], "\n".join(run.output for run in runs)
    assert "backend_access/env/VAULT_ADDR" in runs[1].pending()
    assert runs[2].report["verdict"] == "in_sync"
