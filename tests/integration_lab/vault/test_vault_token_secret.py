# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_token_secret against a real OpenBao and a Kubernetes API: classes, strategies, policy and role."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError

from .conftest import Cluster, Server
from .token_world import ACCESSOR, API, CHECKSUM_KEY, COPY, KEY, NAMESPACE, POLICY, SECRET, SUPERSEDED, World, item


@pytest.fixture
def world(server: Server, kubernetes: Cluster) -> World:
    kubernetes.put(API, SECRET, {KEY: server.token("root")})
    return World(server, kubernetes)


def test_the_healthy_world_is_in_sync_and_costs_three_requests_to_vault(world: World) -> None:
    world.put(world.server.backend_token)
    mark = world.server.mark()
    outcome = world.check()
    assert [(found.id, found.status) for found in outcome.items] == [
        ("vault_token/policy", "in_sync"),
        ("vault_token/role", "in_sync"),
        ("vault_token/secret", "in_sync"),
    ]
    assert outcome.facts["token"]["class"] == "good"  # type: ignore[index]
    assert outcome.facts["secret_will_change"] is False
    assert [operation for operation, _ in world.server.requests_since(mark)] == ["read", "read", "read"]


@pytest.mark.parametrize(
    ("value", "kind", "status"),
    [
        (None, "key_missing", "missing"),
        ("", "empty", "empty"),
        ("  \n", "empty", "empty"),
        ("changeme", "placeholder", "empty"),
        ("<your token>", "placeholder", "empty"),
        ("hvs.abc\n", "malformed", "drifted"),
        ("hvs.CANARYnotatoken", "invalid", "drifted"),
    ],
)
def test_a_token_that_is_none_is_classified_and_replaced(
    world: World, value: str | None, kind: str, status: str
) -> None:
    world.put(value)
    predicted = world.check()
    assert predicted.facts["token"]["class"] == kind  # type: ignore[index]
    assert item(predicted).status == status
    assert item(predicted).action == "update"
    assert predicted.facts["secret_will_change"] is True
    done = world.run()
    assert done.changed
    assert [found.id for found in done.items if found.action != "none"] == ["vault_token/secret"]
    found = world.lookup(world.value)
    assert (found["policies"], found["orphan"], found["renewable"]) == ([POLICY], True, True)
    assert world.annotations[ACCESSOR] == found["accessor"]
    assert found["meta"]["managed_by"] == "keybuzz.amazon"
    again = world.run()
    assert not again.changed
    assert world.lookup(world.value)["accessor"] == found["accessor"]


def test_a_missing_secret_is_created(world: World) -> None:
    world.kubernetes.remove(NAMESPACE, SECRET)
    predicted = world.check(servers=world.servers(kube="admin"))
    assert (item(predicted).status, item(predicted).action) == ("missing", "create")
    assert world.run().changed
    assert world.lookup(world.value)["policies"] == [POLICY]
    assert len(world.annotations[CHECKSUM_KEY]) == 64


def test_a_missing_namespace_is_blocked_with_the_command_to_make_it(world: World) -> None:
    servers = world.servers(kube="admin")
    predicted = world.check(servers=servers, namespace="nowhere", policy_name=POLICY)
    assert item(predicted).status == "blocked"
    assert "kubectl create namespace nowhere" in item(predicted).hint
    with pytest.raises(BlockedError, match="namespace does not exist"):
        world.run(servers=servers, namespace="nowhere", policy_name=POLICY)


def test_a_root_token_is_replaced_and_never_revoked(world: World) -> None:
    root = world.server.make_token(policies=["root"], no_parent=True)
    world.put(root["client_token"], accessor=root["accessor"])
    predicted = world.check()
    assert predicted.facts["token"]["class"] == "root"  # type: ignore[index]
    assert (item(predicted).status, item(predicted).severity) == ("insecure", "critical")
    world.run()
    world.run(superseded="revoke")
    assert world.lookup(world.value)["policies"] == [POLICY]
    assert world.server.alive(root["accessor"])
    world.server.root().auth.token.revoke_accessor(root["accessor"])


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"policies": ["keybuzz-repair"], "no_parent": True, "period": "168h"}, "wrong_policies"),
        ({"policies": [POLICY, "keybuzz-repair"], "no_parent": True, "period": "168h"}, "over_privileged"),
        ({"policies": [POLICY], "no_parent": True, "period": "168h"}, "over_privileged"),  # "default" is added
        ({"policies": [POLICY], "no_default_policy": True, "period": "168h"}, "not_orphan"),
        ({"policies": [POLICY], "no_default_policy": True, "no_parent": True, "ttl": "168h"}, "not_renewable"),
        (
            {"policies": [POLICY], "no_default_policy": True, "no_parent": True, "type": "batch", "ttl": "168h"},
            "not_renewable",
        ),
        (
            {
                "policies": [POLICY],
                "no_default_policy": True,
                "no_parent": True,
                "period": "168h",
                "explicit_max_ttl": "300h",
            },
            "not_renewable",
        ),
    ],
)
def test_a_valid_token_of_the_wrong_kind_is_replaced(world: World, fields: dict[str, Any], kind: str) -> None:
    made = world.server.make_token(**fields)
    world.put(made["client_token"])
    assert world.check().facts["token"]["class"] == kind  # type: ignore[index]
    assert world.run().changed
    assert world.value != made["client_token"]
    if made["accessor"]:
        assert world.server.alive(made["accessor"]), "only tokens noted as ours are ever revoked"


def test_a_token_that_another_namespace_uses_is_replaced_and_not_revoked(world: World) -> None:
    shared = world.healthy()
    accessor = world.annotations[ACCESSOR]
    world.kubernetes.put(API, SECRET, {KEY: shared})
    predicted = world.check()
    assert predicted.facts["token"]["class"] == "shared"  # type: ignore[index]
    assert f"{API}/{SECRET}" in item(predicted).reason
    world.run()
    world.run(superseded="revoke")
    assert world.value != shared
    assert world.server.alive(accessor)


def test_a_place_that_may_not_be_read_makes_sharing_unknown(world: World) -> None:
    world.put(world.server.backend_token)
    outcome = world.check(compare_with=[{"namespace": "kube-system", "secret": "x", "key": "y"}])
    unknown = next(found for found in outcome.items if found.id.startswith("vault_token/sharing/"))
    assert (unknown.status, unknown.action) == ("unknown", "none")
    assert item(outcome).status == "in_sync"


def test_a_good_token_with_little_life_is_renewed_in_place(world: World) -> None:
    value = world.healthy()
    before = world.kubernetes.get(NAMESPACE, SECRET)["metadata"]["resourceVersion"]
    world.server.root().adapter.post("/v1/auth/token/renew", json={"token": value, "increment": "1h"})
    server = world.server.root()
    # Let the role give one hour, so that the token's life falls below the threshold; then set it right again.
    role = server.adapter.get(f"/v1/auth/token/roles/{POLICY}")["data"]
    server.adapter.post(f"/v1/auth/token/roles/{POLICY}", json={**role, "token_period": 3600})
    server.adapter.post("/v1/auth/token/renew", json={"token": value})
    server.adapter.post(f"/v1/auth/token/roles/{POLICY}", json={**role, "token_period": 604800})
    predicted = world.check()
    assert predicted.facts["token"]["class"] == "ttl_low"  # type: ignore[index]
    assert (item(predicted).status, item(predicted).action) == ("expiring", "renew")
    assert predicted.facts["secret_will_change"] is False
    done = world.run()
    assert done.changed
    assert done.facts["secret_will_change"] is False
    assert done.facts["token"]["ttl_seconds"] == 604800  # type: ignore[index]
    assert world.value == value
    assert world.kubernetes.get(NAMESPACE, SECRET)["metadata"]["resourceVersion"] == before
    assert not world.run().changed


def test_the_replaced_token_is_revoked_only_when_asked_and_only_once_nothing_changes(world: World) -> None:
    world.healthy()
    old = world.annotations[ACCESSOR]
    world.kubernetes.api.patch("secrets", SECRET, {"stringData": {KEY: ""}}, NAMESPACE)
    world.run(superseded="revoke")
    assert world.annotations[SUPERSEDED] == old
    assert world.server.alive(old), "pods may still run with it"
    second = world.run(superseded="revoke")
    assert second.changed
    assert not world.server.alive(old)
    assert SUPERSEDED not in world.annotations
    assert not world.run(superseded="revoke").changed


def test_an_accessor_that_somebody_else_noted_is_not_revoked(world: World) -> None:
    world.healthy()
    foreign = world.server.make_token(policies=["default"], ttl="1h", no_parent=True)
    noted = {"metadata": {"annotations": {SUPERSEDED: foreign["accessor"]}}}
    world.kubernetes.api.patch("secrets", SECRET, noted, NAMESPACE)
    outcome = world.run(superseded="revoke")
    assert item(outcome, "vault_token/superseded").status == "ignored"
    assert "not made for this Secret" in item(outcome, "vault_token/superseded").reason
    assert world.server.alive(foreign["accessor"])


def test_policy_and_role_are_written_with_the_bootstrap_token_alone(world: World) -> None:
    world.put(world.server.backend_token)
    options: dict[str, Any] = {"policy_name": "keybuzz-backend-dev", "token_period": "72h"}
    role = item(world.check(**options), "vault_token/role")
    assert (role.status, role.action) == ("drifted", "none")
    assert "vault write auth/token/roles/keybuzz-backend-dev" in role.hint
    assert "token_period=259200" in role.hint
    assert world.check(**options).facts["token"]["period_seconds"] == 604800, "what it is, not what was asked for"  # type: ignore[index]
    try:
        servers = world.servers(bootstrap=True)
        predicted = world.check(servers=servers, **options)
        assert item(predicted, "vault_token/role").action == "update"
        assert world.run(servers=servers, **options).changed
        assert not world.run(servers=servers, **options).changed
    finally:
        world.run(servers=world.servers(bootstrap=True))


def test_a_policy_that_allows_more_is_drift_and_set_right(world: World) -> None:
    world.put(world.server.backend_token)
    root = world.server.root()
    right = root.sys.read_policy(POLICY)["data"]["rules"]
    root.sys.create_or_update_policy(POLICY, right + '\npath "secret/*" { capabilities = ["read"] }\n')
    drifted = item(world.check(), "vault_token/policy")
    assert (drifted.status, drifted.action) == ("drifted", "none")
    assert "vault policy write keybuzz-backend-dev" in drifted.hint
    outcome = world.run(servers=world.servers(bootstrap=True))
    assert [found.id for found in outcome.items if found.action != "none"] == ["vault_token/policy"]
    assert root.sys.read_policy(POLICY)["data"]["rules"] == right
    root.sys.create_or_update_policy(POLICY, "# the backend\n" + right.replace(" { ", "{\n  "))
    assert item(world.check(), "vault_token/policy").status == "in_sync"
    root.sys.create_or_update_policy(POLICY, right)


def test_without_role_and_bootstrap_token_nothing_is_made(world: World) -> None:
    world.put("")
    root = world.server.root()
    role = root.adapter.get(f"/v1/auth/token/roles/{POLICY}")["data"]
    root.adapter.delete(f"/v1/auth/token/roles/{POLICY}")
    try:
        blocked = item(world.check())
        assert (blocked.status, blocked.depends_on) == ("blocked", ("vault_token/role",))
        with pytest.raises(BlockedError, match="vault_token/role is in place"):
            world.run()
        assert world.value == ""
        assert world.run(servers=world.servers(bootstrap=True)).changed
        assert world.lookup(world.value)["role"] == POLICY
    finally:
        root.adapter.post(f"/v1/auth/token/roles/{POLICY}", json=role)


def test_copy_takes_the_other_namespaces_token_and_calls_a_root_token_insecure(world: World) -> None:
    world.put("")
    predicted = world.check(**COPY)
    assert [(found.id, found.status) for found in predicted.items] == [("vault_token/secret", "empty")]
    assert world.run(**COPY).changed
    assert world.value == world.server.token("root")
    again = world.run(**COPY)
    assert not again.changed
    assert (item(again).status, item(again).severity, item(again).action) == ("insecure", "critical", "none")
    assert again.remaining is not None
    assert again.remaining[0].status == "insecure"


def test_copy_of_a_token_that_vault_does_not_accept_is_blocked(world: World) -> None:
    world.put("")
    world.kubernetes.put(API, SECRET, {KEY: "hvs.deadCANARY"})
    assert item(world.check(**COPY)).status == "blocked"
    with pytest.raises(BlockedError, match="nothing to copy"):
        world.run(**COPY)


def test_a_copied_scoped_token_is_in_sync(world: World) -> None:
    world.put("")
    world.kubernetes.put(API, SECRET, {KEY: world.server.backend_token})
    world.run(**COPY)
    assert item(world.run(**COPY)).status == "in_sync"


def test_a_generated_secret_is_left_alone_and_its_owner_named(world: World) -> None:
    owner = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "vault-token"}
    owner["uid"] = world.living_uid()
    world.kubernetes.put(NAMESPACE, SECRET, {KEY: ""}, ownerReferences=[owner])
    blocked = item(world.check())
    assert blocked.status == "blocked"
    assert "External Secrets Operator" in blocked.reason
    assert blocked.owner.revert_risk == "certain"
    with pytest.raises(BlockedError, match="External Secrets Operator"):
        world.run()
    assert world.value == ""


def test_other_keys_and_annotations_of_the_secret_stay(world: World) -> None:
    world.kubernetes.put(NAMESPACE, SECRET, {KEY: "", "OTHER": "kept"}, annotations={"team": "backend"})
    world.run()
    assert world.kubernetes.values(NAMESPACE, SECRET)["OTHER"] == "kept"
    assert world.annotations["team"] == "backend"
    key = world.annotations[CHECKSUM_KEY]
    world.kubernetes.api.patch("secrets", SECRET, {"stringData": {KEY: ""}}, NAMESPACE)
    world.run()
    assert world.annotations[CHECKSUM_KEY] == key, "drawn once"
