# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Classes of tokens that only a closer look tells apart: too many policies, a capped period, one that keeps silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from .conftest import Cluster, Server
from .token_world import ACCESSOR, API, KEY, NAMESPACE, POLICY, SECRET, World, item

ROLE = f"/v1/auth/token/roles/{POLICY}"
HOUR = 3600


@pytest.fixture
def world(server: Server, kubernetes: Cluster) -> World:
    kubernetes.put(API, SECRET, {KEY: server.token("root")})
    return World(server, kubernetes)


def kind(outcome: Any) -> str:
    return str(outcome.facts["token"]["class"])


def test_a_token_with_more_than_the_backends_policy_is_over_privileged_and_says_which(world: World) -> None:
    made = world.server.make_token(policies=[POLICY, "keybuzz-repair"], no_parent=True, period="168h")
    world.put(made["client_token"])
    predicted = world.check()
    assert (kind(predicted), item(predicted).status, item(predicted).action) == (
        "over_privileged",
        "insecure",
        "update",
    )
    assert "default, keybuzz-repair" in item(predicted).reason
    assert world.run().changed
    assert world.lookup(world.value)["policies"] == [POLICY]


def test_a_token_without_the_backends_policy_has_the_wrong_ones(world: World) -> None:
    made = world.server.make_token(policies=["default"], no_parent=True, period="168h")
    world.put(made["client_token"])
    predicted = world.check()
    assert (kind(predicted), item(predicted).status) == ("wrong_policies", "drifted")
    assert f"It has default instead of {POLICY}" in item(predicted).reason
    world.put(world.server.make_token(policies=["keybuzz-repair"], no_parent=True)["client_token"])
    assert item(world.check()).status == "insecure"


@pytest.fixture
def hundred_hours(server: Server) -> Iterator[None]:
    """A server that gives no token more than 100 hours at once."""
    server.root().adapter.post("/v1/sys/auth/token/tune", json={"max_lease_ttl": "100h"})
    yield
    server.root().adapter.post("/v1/sys/auth/token/tune", json={"max_lease_ttl": "768h"})


@pytest.mark.usefixtures("hundred_hours")
def test_a_period_that_the_server_caps_is_told_with_both_figures_and_renewed_or_replaced_by_no_run(
    world: World,
) -> None:
    world.put("")
    assert world.run().changed
    value = world.value
    for _ in range(2):
        again = world.run()
        assert not again.changed
    assert (kind(again), item(again).status, item(again).action) == ("period_capped", "drifted", "none")
    assert "asks for 168 h and the server gives 100 h" in item(again).reason
    assert "Set token_period to 360000s or less, or raise the maximum" in item(again).hint
    assert world.value == value
    # Whoever may not read the maximum sees the same, and is told what would make it certain.
    vault = world.limited("no-tune", without=("sys/mounts/auth/token/tune",))
    blind = world.check(servers=replace(world.servers(), vault=vault))
    assert kind(blind) == "period_capped"
    assert "Allow read on sys/mounts/auth/token/tune" in item(blind).hint


@pytest.mark.usefixtures("hundred_hours")
def test_a_token_that_was_capped_is_renewed_once_when_the_maximum_is_raised(world: World) -> None:
    world.put("")
    world.run()
    world.server.root().adapter.post("/v1/sys/auth/token/tune", json={"max_lease_ttl": "768h"})
    predicted = world.check()
    assert (kind(predicted), item(predicted).action) == ("ttl_low", "renew")
    done = world.run()
    assert done.facts["token"]["ttl_seconds"] == 168 * HOUR  # type: ignore[index]
    assert done.facts["secret_will_change"] is False
    assert not world.run().changed


def test_a_raised_period_is_written_and_given_to_the_token_in_one_run(world: World) -> None:
    world.healthy()
    servers = world.servers(bootstrap=True)
    options: dict[str, Any] = {"token_period": "200h"}
    try:
        done = world.run(servers=servers, **options)
        assert [found.action for found in done.items] == ["none", "update", "renew"]
        assert done.facts["token"]["ttl_seconds"] == 200 * HOUR  # type: ignore[index]
        assert not world.run(servers=servers, **options).changed
    finally:
        world.run(servers=servers)


SILENT = 'path "secret/data/keybuzz/amazon_spapi/app" { capabilities = ["read"] }'
BLIND = ("auth/token/lookup",)


@pytest.fixture
def silent(world: World) -> Iterator[World]:
    """The backend's policy does not let a token look itself up."""
    root = world.server.root()
    right = root.sys.read_policy(POLICY)["data"]["rules"]
    root.sys.create_or_update_policy(POLICY, SILENT)
    yield world
    root.sys.create_or_update_policy(POLICY, right)


@pytest.fixture
def elsewhere(world: World) -> Iterator[World]:
    """The backend's role binds its tokens to addresses that are not ours."""
    root = world.server.root()
    role = root.adapter.get(ROLE)["data"]
    root.adapter.post(ROLE, json={**role, "token_bound_cidrs": ["10.9.8.0/24"]})
    yield world
    root.adapter.post(ROLE, json={**role, "token_bound_cidrs": []})


def keeps_silent(world: World) -> str:
    """A living token that may not look itself up."""
    world.server.root().sys.create_or_update_policy("keeps-silent", SILENT)
    made = world.server.make_token(policies=["keeps-silent"], ttl="1h", no_default_policy=True)
    return str(made["client_token"])


def test_a_token_that_may_not_look_itself_up_is_asked_about_by_the_caller(silent: World) -> None:
    silent.put("")
    silent.run(policy=SILENT)
    value = silent.value
    again = silent.run(policy=SILENT)
    assert (kind(again), again.changed, silent.value) == ("good", False, value)


def test_a_token_bound_to_other_addresses_is_asked_about_by_the_caller_and_renewed_by_its_accessor(
    elsewhere: World,
) -> None:
    elsewhere.put("")
    elsewhere.run()
    value = elsewhere.value
    assert kind(elsewhere.check()) == "good"
    root = elsewhere.server.root()
    role = root.adapter.get(ROLE)["data"]
    root.adapter.post(ROLE, json={**role, "token_period": HOUR})
    root.auth.token.renew_accessor(elsewhere.annotations[ACCESSOR])
    root.adapter.post(ROLE, json={**role, "token_period": 168 * HOUR})
    predicted = elsewhere.check(servers=elsewhere.servers())
    assert item(predicted).action == "renew"
    assert (predicted.facts["repair_allowed"], predicted.facts["missing_permissions"]) == (True, [])
    done = elsewhere.run()
    assert done.changed
    assert done.facts["token"]["ttl_seconds"] == 168 * HOUR  # type: ignore[index]
    assert elsewhere.value == value


def test_without_a_right_to_look_tokens_up_the_accessor_on_the_secret_answers_for_the_token(elsewhere: World) -> None:
    elsewhere.put("")
    elsewhere.run()
    servers = replace(elsewhere.servers(), vault=elsewhere.limited("no-lookup", without=BLIND))
    again = elsewhere.run(servers=servers)
    assert (kind(again), again.changed) == ("good", False)
    accessor = elsewhere.annotations[ACCESSOR]
    elsewhere.server.root().auth.token.revoke_accessor(accessor)
    gone = elsewhere.check(servers=servers)
    assert (kind(gone), item(gone).action) == ("invalid", "update")


def test_an_accessor_that_belongs_to_another_token_than_the_one_in_the_secret_proves_nothing(elsewhere: World) -> None:
    elsewhere.put("")
    elsewhere.run()
    accessor = elsewhere.annotations[ACCESSOR]
    servers = replace(elsewhere.servers(), vault=elsewhere.limited("no-lookup", without=BLIND))
    root = elsewhere.server.make_token(policies=["root"], ttl="1h")["client_token"]
    for value, known_as in ((keeps_silent(elsewhere), "unknown"), (root, "root")):
        elsewhere.edit(value)
        assert elsewhere.annotations[ACCESSOR] == accessor
        assert kind(elsewhere.check(servers=servers)) == known_as


def test_a_token_that_can_be_neither_confirmed_nor_denied_is_unknown_and_never_replaced(world: World) -> None:
    value = keeps_silent(world)
    world.put(value)
    blind = world.limited("no-lookups", without=("auth/token/lookup", "auth/token/lookup-accessor"))
    servers = replace(world.servers(), vault=blind)
    done = world.run(servers=servers)
    assert (kind(done), item(done).status, item(done).action) == ("unknown", "unknown", "none")
    assert "Allow the caller update on auth/token/lookup" in item(done).hint
    assert not done.changed
    assert world.value == value
    assert kind(world.check()) == "wrong_policies", "with the right to look it up"


@pytest.mark.parametrize("value", ["s.CANARY.n5a1", "hvs.CANARY.n5a1", "eyJhbGciOiJub25lIn0.e30.CANARY", "hvr.CANARY"])
def test_what_another_server_or_another_program_made_is_invalid_and_replaced(world: World, value: str) -> None:
    world.put(value)
    assert kind(world.check()) == "invalid"
    assert kind(world.run()) == "good"


def test_a_token_that_is_gone_is_invalid_by_vaults_own_word_or_by_the_callers_look(world: World) -> None:
    world.put("hvs.CANARYnobodyknows")
    assert kind(world.check()) == "invalid"
    # OpenBao answers such a token as one that may not look itself up; HashiCorp's Vault tells them apart.
    blind = world.limited("no-lookups", without=("auth/token/lookup", "auth/token/lookup-accessor"))
    assert kind(world.check(servers=replace(world.servers(), vault=blind))) in {"unknown", "invalid"}


@pytest.mark.parametrize(
    ("marks", "tool", "source"),
    [
        (
            {"ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "es"}]},
            "External Secrets Operator",
            f"ExternalSecret {NAMESPACE}/es",
        ),
        (
            {"labels": {"reconcile.external-secrets.io/managed": "true"}},
            "External Secrets Operator",
            f"an ExternalSecret with the target {SECRET}",
        ),
        (
            {
                "ownerReferences": [
                    {"apiVersion": "secrets.hashicorp.com/v1beta1", "kind": "VaultStaticSecret", "name": "vss"}
                ]
            },
            "Vault Secrets Operator",
            f"VaultStaticSecret {NAMESPACE}/vss",
        ),
        (
            {"labels": {"secrets.hashicorp.com/vso-ownerRefUID": "96ec86b7"}},
            "Vault Secrets Operator",
            "the object with uid 96ec86b7",
        ),
        (
            {"ownerReferences": [{"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": "sealed"}]},
            "Sealed Secrets",
            f"SealedSecret {NAMESPACE}/sealed",
        ),
        (
            {"annotations": {"sealedsecrets.bitnami.com/managed": "true"}},
            "Sealed Secrets",
            f"SealedSecret {NAMESPACE}/{SECRET}",
        ),
    ],
)
def test_a_generated_secret_is_blocked_and_its_source_named(
    world: World, marks: dict[str, Any], tool: str, source: str
) -> None:
    marks = {
        **marks,
        "ownerReferences": [{**one, "uid": world.living_uid()} for one in marks.get("ownerReferences", ())],
    }
    world.kubernetes.put(NAMESPACE, SECRET, {KEY: ""}, **marks)
    blocked = item(world.check())
    assert (blocked.status, blocked.action, blocked.owner.revert_risk) == ("blocked", "none", "certain")
    assert f"{tool} writes this Secret from {source}" in blocked.reason
    assert "kubectl" in blocked.hint


def test_what_external_secrets_merged_into_the_secret_names_its_source_by_its_field_manager(world: World) -> None:
    world.kubernetes.put(NAMESPACE, SECRET, {"OTHER": "x"})
    merged = {"stringData": {KEY: "hvs.CANARYmerged"}}
    manager = "externalsecrets.external-secrets.io/backend-token"
    world.kubernetes.api.patch("secrets", SECRET, merged, NAMESPACE, fieldManager=manager)
    blocked = item(world.check())
    assert blocked.status == "blocked"
    assert f"ExternalSecret {NAMESPACE}/backend-token" in blocked.reason
