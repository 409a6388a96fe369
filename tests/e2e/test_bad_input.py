# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each thing that can be wrong around the repair, tried for real: the message says what to do, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.amazon.control import Control
from lab.certificates import authority
from lab.openbao import unseal
from lab.world import World
from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence
from tests.e2e.playbooks import Playbooks


def flat(text: str) -> str:
    """Output with its line breaks and quoting undone, so that a sentence can be looked for."""
    return re.sub(r"\s+", " ", text.replace('\\"', '"').replace("''", "'"))


@pytest.fixture
def world(healthy: Lab) -> World:
    return World.load(healthy.directory)


def test_an_unknown_tenant_is_refused_before_anything_is_written(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks
) -> None:
    healthy("break", "vault-addr")
    mark = evidence.mark()
    run = playbooks.repair(tenant="nobody-404")
    assert run.code == 2
    assert "unknown tenant" in flat(run.output) and "ecomlg-001" in flat(run.output)
    assert (evidence.vault_writes(mark), evidence.kubernetes_writes(mark), evidence.sql_writes(mark)) == ([], [], [])


def test_no_tenant_at_all_says_what_to_type(healthy: Lab, playbooks: Playbooks) -> None:
    run = playbooks.repair(tenant=None)
    assert run.code == 2 and "-e tenant=ecomlg-001" in flat(run.output)


def test_no_lab_and_no_inventory_says_both_ways_out(tmp_path: Path) -> None:
    run = Playbooks(tmp_path / "nowhere", tmp_path).repair()
    assert run.code == 2
    assert "make demo" in flat(run.output) and "-i inventories/example" in flat(run.output)


def test_a_sealed_vault_is_unknown_never_green_and_says_how_to_unseal(
    world: World, healthy: Lab, playbooks: Playbooks
) -> None:
    world.vault.client("root").sys.seal()
    try:
        check = playbooks.repair("--check")
        assert check.code == 2 and check.report["verdict"] in {"incomplete", "error"}
        run = playbooks.repair()
        assert run.code == 2 and "sealed" in flat(run.output) and "unseal" in flat(run.output)
    finally:
        unseal(world.vault)


def test_a_wrong_authority_is_named_and_no_token_is_sent(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks, tmp_path: Path
) -> None:
    stranger = authority(tmp_path / "stranger", "stranger")
    mark = evidence.mark()
    run = playbooks.repair("-e", f"vault_ca_cert={stranger.ca_file}")
    assert run.code == 2 and "certificate" in flat(run.output) and "vault_ca_cert" in flat(run.output)
    assert evidence.vault_writes(mark) == []


def test_an_expired_operator_token_is_told_apart_from_a_missing_permission(
    world: World, playbooks: Playbooks, tmp_path: Path
) -> None:
    dead = world.vault.client("root").auth.token.create(policies=["default"], ttl="1h")["auth"]["client_token"]
    world.vault.client("root").auth.token.revoke(dead)
    token_file = tmp_path / "dead.token"
    token_file.write_text(dead)
    run = playbooks.repair("-e", f"vault_token_file={token_file}")
    assert run.code == 2
    assert re.search("expired|not valid|invalid", flat(run.output)), run.output
    assert dead not in run.output


def test_a_forbidden_namespace_names_verb_resource_and_namespace(healthy: Lab, playbooks: Playbooks) -> None:
    run = playbooks.repair("-e", "backend_namespace=kube-system", "-e", "vault_token_policy=keybuzz-backend-dev")
    assert run.code == 2
    assert "kube-system" in flat(run.output) and "get" in flat(run.output) and "secrets" in flat(run.output)


def test_postgresql_down_names_host_and_port(healthy: Lab, playbooks: Playbooks) -> None:
    run = playbooks.repair("-e", "pg_port=1")
    assert run.code == 2
    assert "localhost:1" in flat(run.output) or "port 1" in flat(run.output)


@pytest.fixture
def amazon(lab: Lab) -> Iterator[Control]:
    control = Control(lab.state["amazon"]["admin_url"])
    yield control
    control.clear()
    control.seller("ecomlg-001", revoked=False)


def test_amazon_refusing_the_application_blames_the_application(
    healthy: Lab, amazon: Control, playbooks: Playbooks
) -> None:
    amazon.inject("invalid-client", count=None)
    run = playbooks.audit()
    assert run.code == 2 and run.statuses()["amazon_tenant/ecomlg-001/grant"] != "in_sync"
    assert "client" in flat(run.output) and "secret" in flat(run.output)


def test_a_seller_who_withdrew_consent_has_to_reauthorize(healthy: Lab, amazon: Control, playbooks: Playbooks) -> None:
    amazon.seller("ecomlg-001", revoked=True)
    run = playbooks.audit()
    actions = {item["id"]: item["action"] for item in run.items()}
    assert run.code == 2 and actions["amazon_tenant/ecomlg-001/grant"] == "reauthorize"
    assert "/apps/authorize/consent" in flat(run.output)


def test_one_environment_that_cannot_be_looked_at_does_not_hide_the_other(
    healthy: Lab, playbooks: Playbooks, tmp_path: Path
) -> None:
    extra = tmp_path / "inventory.yml"
    extra.write_text("all: {hosts: {broken: {pg_port: 1}}}\n")
    run = playbooks.audit("-i", "inventories/lab", "-i", str(extra))
    verdicts = {env["name"]: env["verdict"] for env in run.report["environments"]}  # type: ignore[attr-defined]
    assert run.code == 2
    assert verdicts["lab"] == "in_sync" and verdicts["broken"] in {"incomplete", "error"}


def test_a_repair_that_stops_says_why_in_the_report_and_fails_whatever_fail_on_says(
    healthy: Lab, playbooks: Playbooks
) -> None:
    healthy("break", "vault-token-secret", "vault-addr")
    run = playbooks.repair("-e", '{"vault_ca_content": "no certificate"}', "-e", "fail_on=never")
    assert run.code == 2
    assert run.report["verdict"] == "error"
    environment = run.report["environments"][0]  # type: ignore[index]
    assert "backend_access/config/vault-ca is blocked" in environment["error"]
    assert "Not finished: " in (run.folder / "repair_report.md").read_text()
    # The step before has written; what the report calls the state is the state after that.
    assert run.statuses()["vault_token/secret"] == "in_sync"
    assert run.statuses()["backend_access/env/VAULT_ADDR"] == "missing"


def test_what_is_not_set_is_named_together_and_what_was_looked_at_is_kept(healthy: Lab, playbooks: Playbooks) -> None:
    run = playbooks.audit("-e", "pg_host=", "-e", "pg_user=")
    assert run.code == 2
    assert "pg_host (PGHOST), pg_user (PGUSER)" in run.report["environments"][0]["error"]  # type: ignore[index]
    run = playbooks.audit(tenant="nobody-404")
    assert run.code == 2
    assert run.report["verdict"] == "error"
    assert run.statuses()["vault_token/secret"] == "in_sync"
