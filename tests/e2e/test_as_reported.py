# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hand repair on request: exactly the report's backend configuration, and the audit calls it insecure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lab.kubelet import config as kubelet
from lab.world import World
from tests.e2e.conftest import Lab
from tests.e2e.playbooks import Playbooks

AS_REPORTED = ("-i", "inventories/as-reported")


def test_as_reported_ends_in_the_reports_configuration_and_is_called_insecure(
    healthy: Lab, playbooks: Playbooks
) -> None:
    world = World.load(healthy.directory)
    # The report's address is rerouted inside the backend's process, so no packet leaves for it.
    route(world, "10.0.0.150:8200", world.state["vault"]["addr"].removeprefix("https://"))
    healthy("break", "all")

    repair = playbooks.repair(*AS_REPORTED, "-e", "fail_on=never")
    assert repair.code == 0, repair.output

    api = world.kubernetes()
    container = backend_container(world)
    assert container["env"] == [
        {"name": "VAULT_ADDR", "value": "https://10.0.0.150:8200"},
        {"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0"},
    ]
    assert [source["secretRef"]["name"] for source in container["envFrom"]] == [
        "keybuzz-backend-db",
        "vault-token",
        "amazon-spapi-creds",
    ]
    spaces = ("keybuzz-backend-dev", "keybuzz-api-dev")
    copied, original = (api.get("secrets", "vault-token", space)["data"] for space in spaces)
    assert copied["VAULT_TOKEN"] == original["VAULT_TOKEN"]
    assert world.backend()[0] == 200

    audit = playbooks.audit(*AS_REPORTED)
    assert audit.code == 2
    insecure = {identity for identity, status in audit.statuses().items() if status == "insecure"}
    assert {"vault_token/secret", "backend_access/env/NODE_TLS_REJECT_UNAUTHORIZED"} <= insecure
    assert audit.pending() == set(), "as reported is what was asked for: nothing is left to write"

    # Going back to the safe way is one command, and leaves nothing of the bypass.
    safe = playbooks.repair()
    assert safe.code == 0, safe.output
    assert "NODE_TLS_REJECT_UNAUTHORIZED" not in {entry["name"] for entry in backend_container(world)["env"]}


def route(world: World, asked: str, reached: str) -> None:
    """From the next start of a container on, its connections to one address go to another."""
    file = world.directory / "secrets" / "kubelet.json"
    config = kubelet.read(file)
    replace(config, routes={**config.routes, asked: reached}).write(file)


def backend_container(world: World) -> dict[str, Any]:
    deployment = world.kubernetes().get("deployments", "keybuzz-backend", "keybuzz-backend-dev")
    container: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return container
