# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each look at the lists can fail: a list with one fault more is found, and the fault named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.awx import references, rules
from tests.awx.injecting import inject, secrets_of
from tests.awx.lists import NODES, Lists, named, rendered
from tests.awx.workflow import walk


@pytest.fixture(scope="module")
def lists() -> Lists:
    return rendered()


@pytest.fixture
def changed(lists: Lists) -> Lists:
    return copy.deepcopy(lists)


def found(lists: Lists) -> list[str]:
    return [said for look in references.LOOKS for said in look(lists)]


def template(lists: Lists, name: str = "amazon-repair") -> Any:
    return named(lists["controller_templates"], name)


def vault(lists: Lists) -> Any:
    return lists["controller_credential_types"][0]


def question(lists: Lists) -> Any:
    return template(lists)["survey_spec"]["spec"][1]


def node(lists: Lists) -> Any:
    return lists["controller_workflows"][0][NODES][0]


FAULTS: dict[str, tuple[Callable[[Lists], Any], str]] = {
    "a credential nobody made": (lambda lists: template(lists)["credentials"].append("none"), "credentials none"),
    "a template nobody made": (lambda lists: node(lists).update(unified_job_template="none"), "none"),
    "an edge to nowhere": (lambda lists: node(lists).update(success_nodes=["none"]), "leads to none"),
    "a label nobody made": (lambda lists: template(lists)["labels"].append("none"), "labels none"),
    "a playbook that is not there": (lambda lists: template(lists).update(playbook="playbooks/none.yml"), "none.yml"),
    "two of one name": (lambda lists: lists["controller_labels"].append({"name": "amazon"}), "amazon"),
    "a variable that nothing reads": (lambda lists: template(lists)["extra_vars"].update(nobody=1), "reads nobody"),
    "a question that nothing reads": (lambda lists: question(lists).update(variable="nobody"), "reads nobody"),
    "an answer nobody asks for": (lambda lists: node(lists).update(extra_data={"nobody": 1}), "asks for nobody"),
    "a question nobody answers": (
        lambda lists: node(lists).update(unified_job_template="amazon-backfill"),
        "nobody answers tenant",
    ),
    "a default that is too large": (lambda lists: question(lists).update(default=731), "too large"),
    "a default of another type": (lambda lists: question(lists).update(default="90"), "another type"),
    "a choice that is none": (
        lambda lists: template(lists)["survey_spec"]["spec"][2].update(default="none"),
        "none of the choices",
    ),
    "a variable of Ansible": (lambda lists: vault(lists)["injectors"]["env"].update(ANSIBLE_HOME="/"), "not allowed"),
    "an input called as something of Jinja's": (
        lambda lists: vault(lists)["inputs"]["fields"][2].update(id="namespace"),
        "name of Jinja's",
    ),
    "a blocked variable": (lambda lists: vault(lists)["injectors"]["env"].update(PATH="/"), "not allowed"),
    "a variable no module reads": (
        lambda lists: vault(lists)["injectors"]["env"].update(VAULT_TOEKN="x"),
        "VAULT_TOEKN",
    ),
    "a field that is not declared": (
        lambda lists: vault(lists)["injectors"]["env"].update(VAULT_ADDR="{{ a }}"),
        "'a'",
    ),
    "a secret that is shown": (lambda lists: vault(lists)["inputs"]["fields"][5].pop("secret"), "VAULT_TOKEN_FILE"),
    "a secret among extra variables": (
        lambda lists: vault(lists)["injectors"].update(extra_vars={"x": "{{ token }}"}),
        "stored for good",
    ),
    "an input that the type lacks": (
        lambda lists: lists["controller_credentials"][0]["inputs"].update(none="x"),
        "none is no input",
    ),
    "two credentials of one type": (
        lambda lists: template(lists)["credentials"].append("amazon-vault-audit"),
        "two credentials of",
    ),
    "a rule without an interval": (
        lambda lists: lists["controller_schedules"][0].update(
            rrule="DTSTART;TZID=Europe/Paris:20260101T020000 RRULE:FREQ=DAILY"
        ),
        "INTERVAL",
    ),
    "a zone that is none": (
        lambda lists: lists["controller_schedules"][0].update(
            rrule="DTSTART;TZID=Europe/Pris:20260101T020000 RRULE:FREQ=DAILY;INTERVAL=1"
        ),
        "no time zone",
    ),
}


def test_the_lists_have_no_fault(lists: Lists) -> None:
    assert found(lists) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_lists_is_found_and_named(changed: Lists, fault: str) -> None:
    make, named_as = FAULTS[fault]
    make(changed)
    assert any(named_as in said for said in found(changed)), found(changed)


def test_an_answer_is_held_to_its_question(lists: Lists) -> None:
    tenant, days = template(lists)["survey_spec"]["spec"][:2]
    assert rules.answer(tenant, "") == rules.answer(tenant, "ecomlg-001") == rules.answer(days, 90) == []
    assert rules.answer(tenant, "x" * 65) and rules.answer(days, 0) and rules.answer(days, "90")


def test_a_password_with_every_awkward_character_is_the_password_that_libpq_reads(lists: Lists, tmp_path: Path) -> None:
    types = {item["name"]: item for item in lists["controller_credential_types"]}
    inputs = {"host": "h", "dbname": "d", "user": "a:b\\c", "password": 'p:w\\d "+/='}
    credential = {"name": "one", "credential_type": "Amazon integration - PostgreSQL", "inputs": inputs}
    environment, files = inject([credential], types, tmp_path, Path("/runner/env"))
    line = (tmp_path / Path(environment["PGPASSFILE"]).name).read_text()
    assert line == '*:*:*:a\\:b\\\\c:p\\:w\\\\d "+/='
    assert environment["PGPORT"] == "5432" and environment["PGSSLROOTCERT"] == ""
    assert [oct((tmp_path / name).stat().st_mode & 0o777) for name in files] == ["0o600"] * 2
    assert list(secrets_of([credential], types).values()) == [inputs["password"]]


def test_a_secret_in_a_kubeconfig_is_one_that_is_looked_for(lists: Lists) -> None:
    types = {item["name"]: item for item in lists["controller_credential_types"]}
    text = "users:\n- user:\n    token: CANARY\n    client-key-data: CANARY2\n"
    credential = {"name": "k", "credential_type": "Amazon integration - Kubernetes", "inputs": {"kubeconfig": text}}
    assert set(secrets_of([credential], types).values()) == {"CANARY", "CANARY2"}


def walked(lists: Lists, bad: set[str], approved: bool) -> tuple[list[str], bool]:
    found = walk(lists["controller_workflows"][0], lambda name: name not in bad, lambda _: approved)
    return [name for name, _ in found.ended], found.failed


def test_the_workflow_ends_with_the_audit_where_nothing_has_drifted(lists: Lists) -> None:
    assert walked(lists, set(), True) == (["audit"], False)


def test_a_repair_needs_an_approval_and_the_second_look_decides(lists: Lists) -> None:
    way = ["audit", "what-it-would-write", "approval"]
    assert walked(lists, {"amazon-audit"}, False) == (way, True)
    assert walked(lists, {"amazon-audit"}, True) == ([*way, "repair", "verify"], False)
    assert walked(lists, {"amazon-audit", "amazon-repair"}, True) == ([*way, "repair", "verify"], False)
    assert walked(lists, {"amazon-audit", "amazon-repair", "amazon-verify"}, True) == ([*way, "repair", "verify"], True)


def test_no_job_is_ended_while_it_may_still_wait_for_amazon(lists: Lists) -> None:
    waits = {}
    for item in lists["controller_templates"]:
        asked = [one["max"] for one in item["survey_spec"]["spec"] if one["variable"] == "amazon_orders_wait_budget"]
        fixed = item["extra_vars"].get("amazon_orders_wait_budget")
        for budget in [*asked, *([fixed] if fixed else [])]:
            waits[item["name"]] = budget
            assert budget < item["timeout"], item["name"]
    assert set(waits) == {"amazon-repair", "amazon-backfill", "amazon-catch-up"}


def test_what_looks_may_run_beside_anything_and_a_repair_alone(lists: Lists) -> None:
    for item in lists["controller_templates"]:
        if "writes-nothing" in item["labels"]:
            assert item["allow_simultaneous"], item["name"]
            writes = "repair" in " ".join(item["credentials"])
            assert item["job_type"] == "check" or not writes, f"{item['name']} could write"
    assert not named(lists["controller_templates"], "amazon-repair")["allow_simultaneous"]
