# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the repair would need and the caller has not, asked before anything is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError

from .conftest import Cluster, Server
from .token_world import API, INTENT, KEY, NAMESPACE, POLICY, SECRET, World, item

CREATE = f"auth/token/create/{POLICY}"
ROLE = {"allowed_policies": [POLICY], "orphan": True, "token_no_default_policy": True, "token_type": "service"}


@pytest.fixture
def world(server: Server, kubernetes: Cluster) -> World:
    kubernetes.put(API, SECRET, {KEY: server.token("root")})
    return World(server, kubernetes)


def permissions(outcome: Outcome) -> tuple[Any, Any]:
    return outcome.facts["repair_allowed"], outcome.facts["missing_permissions"]


def test_nothing_pending_asks_for_nothing(world: World) -> None:
    world.put(world.server.backend_token)
    mark = world.server.mark()
    assert permissions(world.check()) == (None, [])
    assert ("update", "sys/capabilities-self") not in world.server.requests_since(mark)


def test_the_repair_may_do_what_it_plans(world: World) -> None:
    world.put("")
    assert permissions(world.check(servers=world.servers())) == (True, [])


def test_an_auditor_is_told_each_permission_that_the_repair_would_lack(world: World) -> None:
    world.put("")
    outcome = world.check()
    missing = [f"update {CREATE}", f"patch secrets {NAMESPACE}/{SECRET}"]
    assert permissions(outcome) == (False, missing)
    assert [warning for warning in outcome.warnings if "would be denied" in warning] == [
        f"The repair would be denied: {one}." for one in missing
    ]
    assert "The repair would be denied" in item(outcome).hint


def test_a_missing_secret_takes_the_right_to_create(world: World) -> None:
    world.kubernetes.remove(NAMESPACE, SECRET)
    assert f"create secrets {NAMESPACE}/{SECRET}" in permissions(world.check())[1]


def test_a_capability_that_is_dropped_is_named_and_nothing_is_begun(world: World) -> None:
    world.put("")
    vault = world.limited("dropped", without=(CREATE,))
    servers = replace(world.servers(), vault=vault)
    assert permissions(world.check(servers=servers)) == (False, [f"update {CREATE}"])
    before = world.accessors()
    with pytest.raises(ForbiddenError, match=f"may not update {CREATE}; nothing was written and no token was made"):
        world.run(servers=servers)
    assert (world.accessors(), world.value, INTENT in world.annotations) == (before, "", False)


def test_revoking_what_was_replaced_takes_the_right_to_revoke(world: World) -> None:
    world.healthy()
    world.edit("")
    world.run()
    vault = world.limited("dropped", without=("auth/token/revoke-accessor",))
    outcome = world.check(servers=replace(world.servers(), vault=vault), superseded="revoke")
    assert permissions(outcome) == (False, ["update auth/token/revoke-accessor"])


def test_a_repair_that_would_stop_half_way_does_not_begin(world: World) -> None:
    world.put("")
    root = world.server.root()
    right = root.sys.read_policy(POLICY)["data"]["rules"]
    drifted = right + 'path "secret/*" { capabilities = ["read"] }\n'
    root.sys.create_or_update_policy(POLICY, drifted)
    servers = replace(world.servers(kube="audit", bootstrap=True))
    try:
        with pytest.raises(ForbiddenError, match=f"may not patch secrets {NAMESPACE}/{SECRET}"):
            world.run(servers=servers)
        assert root.sys.read_policy(POLICY)["data"]["rules"] == drifted
    finally:
        root.sys.create_or_update_policy(POLICY, right)


def test_a_mark_that_may_not_be_taken_away_keeps_nobody_from_renewing(world: World) -> None:
    world.healthy()
    root = world.server.root()
    root.adapter.post(f"/v1/auth/token/roles/{POLICY}", json={"token_period": 3600, **ROLE})
    root.adapter.post("/v1/auth/token/renew", json={"token": world.value})
    root.adapter.post(f"/v1/auth/token/roles/{POLICY}", json={"token_period": 604800, **ROLE})
    noted = {"metadata": {"annotations": {INTENT: "2026-01-12T12:00:00Z 0123"}}}
    world.kubernetes.api.patch("secrets", SECRET, noted, NAMESPACE)
    done = world.run(servers=world.servers(kube="audit"))
    assert done.changed
    assert {found.id: found.status for found in done.remaining or () if found.status != "in_sync"} == {
        "vault_token/intent": "stale"
    }
    assert not world.run(servers=world.servers(kube="audit")).changed


def test_a_renewal_takes_one_of_two_rights(world: World) -> None:
    world.healthy()
    root = world.server.root()
    role = root.adapter.get(f"/v1/auth/token/roles/{POLICY}")["data"]
    root.adapter.post(f"/v1/auth/token/roles/{POLICY}", json={**role, "token_period": 3600})
    root.adapter.post("/v1/auth/token/renew", json={"token": world.value})
    root.adapter.post(f"/v1/auth/token/roles/{POLICY}", json=role)
    assert item(world.check(servers=world.servers())).action == "renew"
    assert permissions(world.check(servers=world.servers())) == (True, [])
    # An auditor may not renew by accessor; the token itself may, but has no say on its capabilities.
    assert permissions(world.check()) == (True, [])
    right = root.sys.read_policy(POLICY)["data"]["rules"]
    asking = 'path "sys/capabilities-self" { capabilities = ["update"] }'
    kept = "".join(line for line in right.splitlines(keepends=True) if "renew-self" not in line)
    root.sys.create_or_update_policy(POLICY, kept + asking)
    try:
        assert permissions(world.check(policy=kept + asking)) == (False, ["update auth/token/renew-accessor"])
        assert world.run(policy=kept + asking).changed, "the repair renews by the accessor"
    finally:
        root.sys.create_or_update_policy(POLICY, right)


def test_what_the_bootstrap_token_lacks_is_named_as_its_own(world: World) -> None:
    world.put(world.server.backend_token)
    servers = world.servers()
    weak = world.server.make_token(policies=["keybuzz-audit"], ttl="1h")["client_token"]
    servers = replace(servers, bootstrap=servers.vault.acting_as(weak))
    allowed, missing = permissions(world.check(servers=servers, token_period="72h"))
    assert (allowed, missing) == (False, [f"update auth/token/roles/{POLICY} (with the bootstrap token)"])
    assert permissions(world.check(servers=world.servers(bootstrap=True), token_period="72h")) == (True, [])
    dead = replace(servers, bootstrap=servers.vault.acting_as("hvs.CANARYdead"))
    allowed, missing = permissions(world.check(servers=dead, token_period="72h"))
    assert (allowed, missing) == (
        False,
        [f"update auth/token/roles/{POLICY} (Vault does not accept the bootstrap token)"],
    )


def test_a_caller_who_may_not_ask_is_told_that_nobody_knows(world: World) -> None:
    world.put("")
    vault = world.limited("mute", without=("sys/capabilities-self",))
    outcome = world.check(servers=replace(world.servers(), vault=vault))
    assert permissions(outcome) == (None, [])
    assert any("is not known: the token may not ask" in warning for warning in outcome.warnings)
