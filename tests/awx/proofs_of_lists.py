# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of the lists without running a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.awx import argument_specs, references
from tests.awx.applying import apply
from tests.awx.collection import VERSION, programs
from tests.awx.controller import Controller, Running
from tests.awx.lists import EDGES, MODULES, NODES, Lists, nodes, rendered
from tests.e2e.test_canary import leaks

# Each turn that the lists can take.
VARIANTS: tuple[Mapping[str, Any], ...] = (
    {},
    {
        "awx_environment": "staging",
        "awx_suffix": "-staging",
        "awx_lwa_in_awx": True,
        "awx_vault_auth_method": "approle",
    },
)
GIVEN = {
    "awx_vault_addr": "https://vault.example.com:8200",
    "awx_vault_audit_token": "s.CANARY-audit",
    "awx_vault_repair_token": "s.CANARY-repair",
    "awx_vault_ca_pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "awx_kubernetes_audit_kubeconfig": "token: CANARY-kubernetes-audit",
    "awx_kubernetes_repair_kubeconfig": "token: CANARY-kubernetes-repair",
    "awx_postgresql_host": "postgres.example.com",
    "awx_postgresql_audit_password": "CANARY-postgresql-audit",
    "awx_postgresql_repair_password": "CANARY-postgresql-repair",
}


class ProofError(AssertionError):
    """What a proof found."""


def hold(problems: list[str]) -> None:
    """:raises ProofError: there are some."""
    if problems:
        raise ProofError("\n".join(problems))


def calls(lists: Lists) -> dict[str, list[dict[str, Any]]]:
    """The options of each call that apply.yml makes, by module."""
    found: dict[str, list[dict[str, Any]]] = {MODULES[name]: items for name, items in lists.items()}
    workflows = lists["controller_workflows"]
    found["workflow_job_template"] = [{k: v for k, v in one.items() if k != NODES} for one in workflows]
    found["workflow_job_template_node"] = [node for one in workflows for node in nodes(one)]
    return found


def specified() -> str:
    """Every object has only options of its module, of the right types."""
    count = 0
    for variant in VARIANTS:
        every = calls(rendered(variant))
        hold(argument_specs.problems(programs(), every))
        count += sum(map(len, every.values()))
    return f"{count} objects in {len(VARIANTS)} variants against the argument specifications of awx.awx {VERSION}"


def coherent() -> str:
    """Names, playbooks, questions, injectors."""
    for variant in VARIANTS:
        lists = rendered(variant)
        for look in references.LOOKS:
            hold([f"{look.__doc__} {said}" for said in look(lists)])
    read = references.read_variables()
    env = [name for kind in lists["controller_credential_types"] for name in kind["injectors"]["env"]]
    return (
        f"every name, playbook and question is known, and {len(env)} injected variables are among the {len(read)} read"
    )


def applied() -> str:
    """apply.yml against the stand-in."""
    with Running(Controller()) as controller:
        checked = apply(programs(), controller, GIVEN, "--check")
        hold([] if checked.code and "Apply once without --check" in checked.output else [checked.output])
        hold([f"--check wrote {write}" for write in checked.writes])
        # Ends before anything refers to a credential.
        nothing = apply(programs(), controller, {})
        hold(
            []
            if nothing.code and "Not given, and not in the controller: amazon-vault-audit" in nothing.output
            else [nothing.output]
        )
        first = apply(programs(), controller, GIVEN, "-vvv")
        hold([] if first.code == 0 and first.changed > 0 else [first.output])
        made, requests = sum(map(len, controller.objects.values())), len(controller.writes)
        hold(_missing(controller, rendered(GIVEN)))
        again = apply(programs(), controller, GIVEN)
        hold([] if (again.code, again.changed) == (0, 0) else [again.output])
        hold([f"the second run wrote {write}" for write in again.writes])
        # As on an AAP, whose API has another path and whose organisations are made elsewhere.
        there = {"awx_audit_slices": 8, "awx_organization_managed": False}
        bare = apply(programs(), controller, there, "--check", prefix="/api/controller/")
        hold([] if (bare.code, bare.changed, bare.writes) == (0, 1, ()) else [bare.output])
        hold(_lost(controller))
        secret = {name: value for name, value in GIVEN.items() if "CANARY" in value}
        outputs = {"first": first.output, "second": again.output, "without": bare.output}
        hold(leaks(secret, outputs))
    return (
        f"{made} objects were made with {requests} requests, then a second run reports no change and wrote "
        "nothing; --check without any secret shows one difference and would touch no credential"
    )


def _missing(controller: Controller, lists: Lists) -> list[str]:
    """What the lists have and the stand-in does not."""
    found = []
    there = {
        item.get("name") or item.get("identifier") for items in controller.objects.values() for item in items.values()
    }
    for _, item in references.every_item(lists):
        name = item.get("name") or item.get("identifier")
        found += [] if name in there else [f"{name} was not made"]
    templates = controller.objects["job_templates"]
    found += [f"{item['name']} has no survey" for number, item in templates.items() if number not in controller.surveys]
    edges = sum(len(held) for (_, name), held in controller.associated.items() if name.endswith("_nodes"))
    wanted = sum(len(node.get(edge, [])) for node in lists["controller_workflows"][0][NODES] for edge in EDGES)
    return found + ([] if edges == wanted else [f"{edges} edges instead of {wanted}"])


def _lost(controller: Controller) -> list[str]:
    """Secrets that are no longer what was given."""
    held = [item["inputs"] for item in controller.objects["credentials"].values()]
    kept = {value for inputs in held for value in inputs.values()}
    return [f"{name} was lost" for name, value in GIVEN.items() if "CANARY" in value and value not in kept]


def proofs() -> Iterator[tuple[str, Any]]:
    """Each by what it says."""
    yield "awx.awx takes every object", specified
    yield "the lists are of one piece", coherent
    yield "apply.yml makes it once, and the second time nothing", applied
