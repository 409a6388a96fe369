# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan is made, reviewed and applied: what it has, nothing else, and only if nothing has moved."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lab.world import World
from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence
from tests.e2e.playbooks import Playbooks, Run
from tests.e2e.test_canary import canaries_of, leaks
from tests.e2e.test_repair import ALL_PIECES, LEASE, NAMESPACE, PIECES, stored

WAITING = {"amazon_tenant/ecomlg-001/grant", "amazon_app/secret_age"}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    private, public = tmp_path / "plan.key", tmp_path / "plan.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    return private, public


def apply(playbooks: Playbooks, plan: Path, *more: str) -> Run:
    return playbooks.repair("-e", f"plan={plan}", *more)


def written(evidence: Evidence, mark: object) -> list[str]:
    found = evidence.vault_writes(mark) + evidence.kubernetes_writes(mark) + evidence.sql_writes(mark)  # type: ignore[arg-type]
    return [one for one in found if not any(lease in one for lease in LEASE)]


def edit_backend(world: World) -> None:
    """Somebody else's change of the Deployment, which touches none of our fields."""
    body = {"spec": {"template": {"metadata": {"annotations": {"somebody": "else"}}}}}
    world.kubernetes().patch("deployments", "keybuzz-backend", body, NAMESPACE)


def test_a_plan_is_made_without_a_write_and_applied_as_it_stands(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks, plan: Path
) -> None:
    healthy("break", "all")
    mark = evidence.mark()
    check = playbooks.repair("--check", "-e", f"plan_out={plan}")
    assert check.code == 0, check.output
    assert written(evidence, mark) == []
    planned = {one["id"] for one in json.loads(plan.read_text())["environments"]["lab"]["items"]}
    assert planned == ALL_PIECES | WAITING
    assert "(fp " not in plan.read_text()

    repair = apply(playbooks, plan)
    assert repair.code == 0, repair.output
    assert repair.report["verdict"] == "in_sync"
    assert repair.pending("found") == ALL_PIECES
    assert World.load(healthy.directory).backend()[0] == 200

    mark = evidence.mark()
    again = apply(playbooks, plan)
    assert again.code == 0, again.output
    assert written(evidence, mark) == []


def test_what_has_moved_since_is_refused_and_the_rest_is_applied(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks, plan: Path
) -> None:
    world = World.load(healthy.directory)
    healthy("break", "vault-addr")
    healthy("break", "app-creds")
    assert playbooks.repair("--check", "-e", f"plan_out={plan}").code == 0
    edit_backend(world)
    before = stored(world)

    repair = apply(playbooks, plan)
    assert repair.code == 2
    said = " ".join(repair.output.split())
    assert "Stale, not applied: backend_access/env/VAULT_ADDR: precondition generation was" in said
    assert "1 of the plan's items were refused as stale" in said
    after = stored(world)
    assert after["app"] is not None and after["app"] != before["app"]
    assert after["generation"] == before["generation"]
    assert repair.pending() == PIECES["vault-addr"]


def test_what_the_plan_does_not_have_is_not_written(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks, plan: Path
) -> None:
    world = World.load(healthy.directory)
    healthy("break", "app-creds")
    assert playbooks.repair("--check", "-e", f"plan_out={plan}").code == 0
    healthy("break", "tls-trust")
    healthy("break", "vault-token-secret")
    before = stored(world)

    repair = apply(playbooks, plan)
    assert repair.code == 2, "what is left is drift"
    after = stored(world)
    assert after["app"] != before["app"]
    assert {name: after[name] for name in ("generation", "secret")} == {
        name: before[name] for name in ("generation", "secret")
    }
    assert repair.pending() == PIECES["tls-trust"] | PIECES["vault-token-secret"]


def test_an_edit_between_the_look_and_the_write_is_not_overwritten(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks, plan: Path
) -> None:
    """The plan holds at the first look, and the step's own look, right before it writes, holds it to the plan again."""
    healthy("break", "app-creds")
    assert playbooks.repair("--check", "-e", f"plan_out={plan}").code == 0
    document = json.loads(plan.read_text())
    (item,) = [one for one in document["environments"]["lab"]["items"] if one["id"] == "amazon_app/document"]
    world = World.load(healthy.directory)
    moved = {**item, "precondition": {"kv_version": 99}}
    call = [
        "ansible",
        "lab",
        "-c",
        "local",
        "-m",
        "keybuzz.amazon.vault_amazon_app_creds",
        "-a",
        json.dumps(
            {
                "vault_addr": "{{ vault_addr }}",
                "vault_token_file": "{{ vault_token_file }}",
                "vault_ca_cert": "{{ vault_ca_cert }}",
                "kubeconfig": "{{ kubeconfig }}",
                "amazon_lwa_url": "{{ amazon_lwa_url }}",
                "amazon_ca_cert": "{{ amazon_ca_cert }}",
                "source_secret": {"namespace": NAMESPACE},
                "planned": [moved],
            }
        ),
    ]
    before = stored(world)
    done = subprocess.run(
        [
            str(playbooks.programs / call[0]),
            *call[1:],
            "-e",
            "ansible_python_interpreter={{ ansible_playbook_python }}",
        ],
        cwd=playbooks.cwd,
        env=playbooks.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "precondition kv_version was 99" in " ".join((done.stdout + done.stderr).split())
    assert stored(world) == before


def test_only_the_plan_that_an_operator_signed_is_applied(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks, plan: Path, keys: tuple[Path, Path]
) -> None:
    private, public = keys
    healthy("break", "vault-addr")
    check = playbooks.repair("--check", "-e", f"plan_out={plan}", "-e", f"plan_signing_key={private}")
    assert check.code == 0, check.output
    mark = evidence.mark()
    changed = json.loads(plan.read_text())
    changed["environments"]["lab"]["items"][0]["after"] = "https://elsewhere.example.com:8200"
    forged = plan.with_name("forged.json")
    forged.write_text(json.dumps(changed))
    for path, more, why in (
        (forged, ("-e", f"plan_public_key={public}"), "it was changed after it was signed"),
        (plan, (), "it is signed, and nothing was given to verify that with"),
    ):
        refused = apply(playbooks, path, *more)
        assert refused.code == 2 and why in " ".join(refused.output.split())
    assert written(evidence, mark) == []
    assert apply(playbooks, plan, "-e", f"plan_public_key={public}").code == 0


@pytest.mark.parametrize(
    "case",
    [
        ({"version": "0.0.9"}, "it was made by release 0.0.9"),
        (
            {"environments": {"production": {"servers": {}, "tenants": [], "items": []}}},
            "it is of production, not of lab",
        ),
        ({"created_at": "2026-01-12T09:00:00Z"}, "older than 86400 s"),
    ],
)
def test_a_plan_of_another_release_environment_or_day_is_refused_before_anything_is_written(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks, plan: Path, case: tuple[dict[str, object], str]
) -> None:
    change, why = case
    healthy("break", "vault-addr")
    assert playbooks.repair("--check", "-e", f"plan_out={plan}").code == 0
    plan.write_text(json.dumps({**json.loads(plan.read_text()), **change}))
    mark = evidence.mark()
    refused = apply(playbooks, plan)
    assert refused.code == 2
    assert why in " ".join(refused.output.split())
    assert written(evidence, mark) == []


def test_a_plan_is_not_written_by_a_run_that_repairs(healthy: Lab, playbooks: Playbooks, plan: Path) -> None:
    both = playbooks.repair("-e", f"plan_out={plan}")
    assert both.code == 2 and "Write a plan with --check" in " ".join(both.output.split())
    assert not plan.exists()


def test_a_plan_holds_no_secret_of_the_lab(healthy: Lab, playbooks: Playbooks, plan: Path) -> None:
    healthy("break", "all")
    assert playbooks.repair("--check", "-e", f"plan_out={plan}").code == 0
    assert leaks(canaries_of(healthy), {"plan": plan.read_text()}) == []
