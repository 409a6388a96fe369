# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_deployment_env on a real API server and on the emulator."""

from __future__ import annotations

import pytest

from tests.integration_lab.kube.conftest import NAME, NAMESPACE, World, acting, item

pytestmark = pytest.mark.lab
CONTAINER = "/spec/template/spec/containers/0"


def test_a_healthy_world_is_in_sync_with_one_read_an_object(world: World) -> None:
    mark = world.mark()
    outcome = world.check(user="audit")
    assert {one.status for one in outcome.items} == {"in_sync"}
    assert not outcome.changed
    asked = world.requests("audit", mark)
    assert {verb for verb, _ in asked} == {"get"}
    assert len(asked) == 5  # the Deployment, the ConfigMap and the three Secrets of envFrom


def test_an_audit_without_a_look_into_env_from_takes_three_requests(world: World) -> None:
    forbidden = [{"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0", "in_env_from": False}]
    mark = world.mark()
    outcome = world.check(world.wanted(forbidden=forbidden), user="audit")
    assert {one.status for one in outcome.items} == {"in_sync"}
    assert len(world.requests("audit", mark)) == 3


def test_a_missing_variable_is_predicted_then_set_then_left_alone(world: World) -> None:
    world.change({"op": "remove", "path": f"{CONTAINER}/env/0"})
    generation = world.deployment()["metadata"]["generation"]
    predicted = world.check()
    assert acting(predicted) == {"env/VAULT_ADDR"}
    assert predicted.facts["repair_allowed"] is True
    assert world.deployment()["metadata"]["generation"] == generation
    done = world.repair()
    assert done.changed
    assert acting(done) == acting(predicted)
    assert {one.status for one in done.remaining or ()} == {"in_sync"}
    assert [entry["name"] for entry in world.container()["env"]] == ["NODE_EXTRA_CA_CERTS", "VAULT_ADDR"]
    sets, mark = world.replica_sets(), world.mark()
    assert world.deployment()["metadata"]["generation"] == generation + 1
    again = world.repair()
    assert not again.changed
    # Not by the Deployment's version: its controller counts the old pod's end in the status when it likes.
    assert {verb for verb, _ in world.requests("repair", mark)} == {"get"}
    assert world.deployment()["metadata"]["generation"] == generation + 1
    assert world.replica_sets() == sets


def test_trust_is_restored_and_the_bypass_removed_in_one_rollout(world: World) -> None:
    world.api.delete("configmaps", "vault-ca", NAMESPACE)
    world.change(
        {
            "op": "replace",
            "path": f"{CONTAINER}/env/1",
            "value": {"name": "NODE_TLS_REJECT_UNAUTHORIZED", "value": "0"},
        },
        {"op": "remove", "path": f"{CONTAINER}/volumeMounts"},
        {"op": "remove", "path": "/spec/template/spec/volumes"},
    )
    generation = world.deployment()["metadata"]["generation"]
    expected = {
        "env/NODE_EXTRA_CA_CERTS",
        "config/vault-ca",
        "mount/vault-ca",
        "forbidden/NODE_TLS_REJECT_UNAUTHORIZED",
    }
    assert acting(world.check()) == expected
    done = world.repair()
    assert acting(done) == expected
    assert {one.status for one in done.remaining or ()} == {"in_sync"}
    assert world.deployment()["metadata"]["generation"] == generation + 1
    container, pod = world.container(), world.template()["spec"]
    assert [entry["name"] for entry in container["env"]] == ["VAULT_ADDR", "NODE_EXTRA_CA_CERTS"]
    assert container["volumeMounts"] == [{"name": "vault-ca", "mountPath": "/etc/vault-ca", "readOnly": True}]
    assert pod["volumes"][0]["configMap"]["name"] == "vault-ca"
    assert world.api.get("configmaps", "vault-ca", NAMESPACE)["data"] == {"ca.crt": world.vault.ca_pem}
    assert world.vault.received and not any(world.vault.received)
    assert not world.repair().changed


def test_a_sidecar_and_what_others_put_there_stay(world: World) -> None:
    world.change(
        {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "proxy", "image": "proxy:1"}},
        {"op": "add", "path": f"{CONTAINER}/env/-", "value": {"name": "LOG_LEVEL", "value": "debug"}},
        {"op": "remove", "path": f"{CONTAINER}/env/0"},
        {"op": "remove", "path": f"{CONTAINER}/envFrom/1"},
        {"op": "add", "path": f"{CONTAINER}/envFrom/0", "value": {"secretRef": {"name": "extra", "optional": True}}},
    )
    done = world.repair(world.wanted(container="keybuzz-backend", wait=False))
    assert acting(done) == {"env/VAULT_ADDR", "env_from/vault-token"}
    names = [entry["secretRef"]["name"] for entry in world.container()["envFrom"]]
    assert names == ["extra", "keybuzz-backend-db", "vault-token", "amazon-spapi-creds"]
    assert {"name": "LOG_LEVEL", "value": "debug"} in world.container()["env"]
    assert world.template()["spec"]["containers"][1]["name"] == "proxy"
    assert item(done.remaining or (), "env_from/vault-token").status == "in_sync"
    assert world.deployment()["metadata"]["name"] == NAME
