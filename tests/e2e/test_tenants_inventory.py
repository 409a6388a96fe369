# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit over hosts of the inventory plugin tenants: both sources, both layouts, slices, and what was not listed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import seed
from lab.processes import free_port
from lab.world import World
from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence
from tests.e2e.playbooks import PROJECT, Playbooks, Run
from tests.e2e.test_canary import canaries_of, leaks, places_of

GROUP_VARS = PROJECT / "inventories" / "lab" / "group_vars" / "all" / "lab.yml"
LIST_POLICY = 'path "secret/metadata/keybuzz/tenants/" { capabilities = ["list"] }'


class Written:
    """An inventory of the lab: the plugin's file, and the lab's variables beside it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.file = folder / "tenants.yml"
        variables = folder / "group_vars" / "all"
        variables.mkdir(parents=True)
        (variables / "lab.yml").write_text(GROUP_VARS.read_text(encoding="utf-8"), encoding="utf-8")

    def __call__(self, environments: dict[str, Any], **given: Any) -> str:
        document = {"plugin": "keybuzz.amazon.tenants", "environments": environments, **given}
        self.file.write_text(yaml.safe_dump(document), encoding="utf-8")
        return str(self.file)

    def postgresql(self, **given: Any) -> dict[str, Any]:
        state = self.lab.state["postgres"]
        return {
            "pg_host": state["host"],
            "pg_port": state["port"],
            "pg_dbname": state["dbname"],
            "pg_user": state["users"]["audit"],
            "pg_passfile": state["passfile"],
            "pg_sslrootcert": state["ca_file"],
            "statuses": ["CONNECTED"],
            **given,
        }

    def vault(self, token_file: Path) -> dict[str, Any]:
        state = self.lab.state["vault"]
        return {
            "source": "vault",
            "vault_addr": state["addr"],
            "vault_ca_cert": state["ca_file"],
            "vault_token_file": str(token_file),
        }


@pytest.fixture
def inventory(healthy: Lab, tmp_path: Path) -> Written:
    return Written(healthy, tmp_path / "inventory")


@pytest.fixture
def listing_token(healthy: Lab, tmp_path: Path) -> Path:
    """A token that may list the tenants and nothing else."""
    root = World.load(healthy.directory).vault.client("root")
    root.sys.create_or_update_policy("tenants-list", LIST_POLICY)
    file = tmp_path / "list.token"
    file.touch(0o600)
    file.write_text(root.auth.token.create_orphan(policies=["tenants-list"])["auth"]["client_token"])
    return file


def listed(playbooks: Playbooks, *arguments: str) -> str:
    """What ansible-inventory prints."""
    finished = subprocess.run(
        [str(playbooks.programs / "ansible-inventory"), *arguments],
        cwd=playbooks.cwd,
        env=playbooks.environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def looked_at(run: Run) -> dict[str, tuple[str, list[str]]]:
    """Verdict and tenants by environment."""
    return {env["name"]: (env["verdict"], env["tenants"]) for env in run.report["environments"]}  # type: ignore[attr-defined]


def audited(playbooks: Playbooks, *arguments: str, **more: Any) -> Run:
    """The audit over hosts that are tenants."""
    return playbooks.run("keybuzz.amazon.audit_tenants", *arguments, **more)


@pytest.mark.parametrize("layout", ["tenants", "environments"])
def test_the_audit_looks_at_the_tenants_of_the_table(inventory: Written, playbooks: Playbooks, layout: str) -> None:
    playbook = {"tenants": "keybuzz.amazon.audit_tenants", "environments": "audit_amazon.yml"}[layout]
    run = playbooks.run(playbook, "-i", inventory({"lab": inventory.postgresql()}, layout=layout), tenant=None)
    assert run.code == 0, run.output
    assert looked_at(run) == {"lab": ("in_sync", [seed.TENANT])}
    assert run.changed == 0


def test_the_audit_looks_at_the_tenants_that_vault_has(
    inventory: Written, playbooks: Playbooks, listing_token: Path
) -> None:
    run = audited(playbooks, "-i", inventory({"lab": inventory.vault(listing_token)}), tenant=None)
    assert run.code == 0, run.output
    assert looked_at(run) == {"lab": ("in_sync", [seed.TENANT])}


def test_many_tenants_of_an_environment_are_one_look(
    inventory: Written, playbooks: Playbooks, evidence: Evidence
) -> None:
    """As many requests for the objects that all tenants share as with one of them."""
    both = inventory.postgresql(statuses=[])
    mark = evidence.mark()
    run = audited(playbooks, "-i", inventory({"lab": both}), tenant=None)
    assert run.code == 2, "the second tenant was never connected"
    assert looked_at(run) == {"lab": ("drift", [seed.TENANT, seed.OTHER_TENANT])}
    asked = evidence.kubernetes_requests(mark)
    assert asked and len(asked) == len(set(asked)), asked
    tenants = {item["id"].split("/")[1] for item in run.items() if item["check"] == "amazon_tenant"}  # type: ignore[attr-defined]
    assert tenants == {seed.TENANT, seed.OTHER_TENANT}


def test_a_group_limits_the_audit_to_its_tenants_and_a_slice_does_too(
    inventory: Written, playbooks: Playbooks, tmp_path: Path
) -> None:
    file = inventory({"lab": inventory.postgresql(statuses=[])})
    run = audited(playbooks, "-i", file, "-l", "status_CONNECTED", tenant=None)
    assert run.code == 0, run.output
    assert looked_at(run) == {"lab": ("in_sync", [seed.TENANT])}
    # AWX hands each slice an inventory with the hosts of this slice, and all groups with their variables.
    exported = listed(playbooks, "-i", file, "--list", "--export")
    cut = tmp_path / "slice"
    (cut / "group_vars").mkdir(parents=True)
    (cut / "group_vars" / "all.yml").write_text(GROUP_VARS.read_text(encoding="utf-8"), encoding="utf-8")
    document = json.loads(exported)
    for name, group in document.items():
        if name != "_meta":
            group["hosts"] = [host for host in group.get("hosts", []) if host == f"{seed.TENANT}@lab"]
    script = cut / "slice.py"
    script.write_text(f"#!/bin/sh\ncat <<'THE_SLICE'\n{json.dumps(document)}\nTHE_SLICE\n")
    script.chmod(0o755)
    sliced = audited(playbooks, "-i", str(script), tenant=None)
    assert sliced.code == 0, sliced.output
    assert looked_at(sliced) == {"lab": ("in_sync", [seed.TENANT])}


def test_a_limit_that_leaves_the_environment_out_fails_instead_of_looking_at_nothing(
    inventory: Written, playbooks: Playbooks
) -> None:
    run = audited(playbooks, "-i", inventory({"lab": inventory.postgresql()}), "-l", f"{seed.TENANT}@lab", tenant=None)
    assert run.code == 2, run.output
    said = " ".join(run.output.split())
    assert "Not looked at: lab." in said and "environment_lab" in said


@pytest.mark.parametrize("on_error", ["warn", "fail"])
def test_an_environment_that_could_not_be_listed_is_an_error_of_the_audit(
    inventory: Written, playbooks: Playbooks, on_error: str
) -> None:
    named = {"lab": inventory.postgresql(), "broken": inventory.postgresql(pg_port=free_port())}
    # As ansible-core does it by default; the project's own ansible.cfg ends a run whose inventory cannot be read.
    lenient = {"ANSIBLE_INVENTORY_UNPARSED_FAILED": "false"}
    run = audited(playbooks, "-i", inventory(named, on_error=on_error), tenant=None, env=lenient)
    assert run.code == 2, run.output
    found = looked_at(run)
    assert found["broken"] == ("error", []) and "nothing listens there" in " ".join(run.output.split())
    assert found["lab"][0] == ("in_sync" if on_error == "warn" else "error")


def test_the_second_audit_lists_from_the_cache_and_no_secret_is_in_it(
    inventory: Written, playbooks: Playbooks, evidence: Evidence, listing_token: Path, tmp_path: Path
) -> None:
    cache = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "cache"),
    }
    file = inventory({"db": inventory.postgresql(), "kv": inventory.vault(listing_token)}, **cache)
    first = listed(playbooks, "-i", file, "--list")
    mark = evidence.mark()
    assert listed(playbooks, "-i", file, "--list") == first
    assert evidence.callers(mark)["postgres"] == set() and evidence.vault_requests(mark) == []
    run = audited(playbooks, "-i", file, "-vvv", tenant=None)
    assert run.code == 0, run.output
    assert not [one for one in evidence.vault_requests(mark) if one.startswith("list ")]
    known = {**canaries_of(inventory.lab), "listing token": listing_token.read_text()}
    assert leaks(known, {"listed": first, **places_of(run, "audit", tmp_path / "cache")}) == []
