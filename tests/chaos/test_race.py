# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else writes between our look and our write: nobody is overwritten, and what cannot be settled is stale."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import seed
from tests.chaos import edits
from tests.chaos.chaos_world import ChaosWorld, Said
from tests.chaos.edits import EDITS, KEY, SECRET_PATH, Edit
from tests.chaos.figures import record
from tests.chaos.gate import Reply, Request
from tests.chaos.healthy import NAMESPACE, POLICY, ROLE, TENANT, TENANT_PATH

FIGURES = {"edits_once": 0, "edits_always": 0, "kept": 0, "stale": 0, "second_repairs": 0}


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    yield
    print(record("race", FIGURES))


class Between:
    """Lets somebody else change something right before a write of ours is passed on."""

    def __init__(self, world: ChaosWorld, target: str, change: Callable[[int], None], *, times: int) -> None:
        self._world, self._target, self._change, self._left = world, target, change, times
        self.count = 0
        for gate in world.gates.http.values():
            gate.before = self._look

    def _look(self, request: Request) -> Reply | None:
        path = request.path.partition("?")[0]
        if request.is_write and re.fullmatch(self._target, path) and self._left:
            self._left -= 1
            self.count += 1
            self._change(self.count)
        return None


def prepared(world: ChaosWorld, edit: Edit) -> None:
    if edit.broken:
        world.break_(*edit.broken)
    edit.prepare(world)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_an_edit_in_between_is_planned_around(world: ChaosWorld, edit: Edit) -> None:
    prepared(world, edit)
    between = Between(world, edit.target, lambda number: edit.change(world, number), times=1)
    said = world.run(edit.step, gated=True)
    assert between.count == 1, "nobody came in between"
    assert not said.failed, said.result.get("msg")
    assert edit.kept(world, 1)
    world.gates.reset()
    again = world.run(edit.step, check_mode=True)
    assert not [item for item in again.result["drift"] if item["action"] != "none" and item["status"] != "stale"]
    FIGURES["edits_once"] += 1
    FIGURES["kept"] += 1


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_an_edit_at_every_attempt_ends_stale_and_overwrites_nothing(world: ChaosWorld, edit: Edit) -> None:
    prepared(world, edit)
    before, tokens = edit.ours(world), set(world.tokens())
    between = Between(world, edit.target, lambda number: edit.change(world, number), times=-1)
    said = world.run(edit.step, gated=True)
    assert edit.kept(world, between.count)
    FIGURES["edits_always"] += 1
    FIGURES["kept"] += 1
    if not edit.conflicts:
        assert not said.failed or "stale" in said.statuses, said.result.get("msg")
        return
    assert between.count > 1, "a lost race is planned anew a few times"
    assert said.failed and "stale" in said.statuses, said.result
    assert edit.ours(world) == before, "something of ours was written after all"
    assert set(world.tokens()) == tokens, "a token that found no home lives on"
    FIGURES["stale"] += 1


def test_a_good_token_that_somebody_stores_in_between_is_kept(world: ChaosWorld) -> None:
    world.break_("vault-token-secret")
    theirs = made_by_somebody(world)
    tokens = set(world.tokens())
    Between(world, SECRET_PATH, lambda number: store(world, theirs), times=1)
    said = world.run("token", gated=True)
    assert not said.failed and said.result["verdict"] == "in_sync", said.result
    assert world.secret_value() == theirs
    assert set(world.tokens()) == tokens, "the token made for nothing lives on"
    FIGURES["edits_once"] += 1
    FIGURES["kept"] += 1


def test_useless_tokens_that_somebody_keeps_storing_are_not_overwritten_blindly(world: ChaosWorld) -> None:
    world.break_("vault-token-secret")
    tokens = set(world.tokens())
    between = Between(world, SECRET_PATH, lambda number: edits.useless_token(world, number), times=-1)
    said = world.run("token", gated=True)
    assert said.failed and "stale" in said.statuses
    assert world.secret_value() == f"s.nobodysToken{between.count:08}"
    assert set(world.tokens()) == tokens
    FIGURES["edits_always"] += 1
    FIGURES["stale"] += 1


@pytest.mark.parametrize(
    "fields",
    [
        {"token_no_default_policy": False},
        {"orphan": False},
        {"token_period": 3600, "token_explicit_max_ttl": 7200},
        {"renewable": False},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_role_that_somebody_changes_before_the_token_is_made_gives_no_wrong_token(
    world: ChaosWorld, fields: dict[str, Any]
) -> None:
    world.break_("vault-token-secret")
    tokens = set(world.tokens())
    target = f"/v1/auth/token/create/{ROLE}"
    Between(world, target, lambda number: edits.role_of_others(world, **fields), times=1)
    said = world.run("token", gated=True)
    world.gates.reset()
    if said.failed:
        assert world.secret_value() == "" and set(world.tokens()) == tokens, "a wrong token was stored or lives on"
    again = world.run("token")
    assert not again.failed and again.result["verdict"] == "in_sync", again.result
    assert world.run("token", check_mode=True).result["verdict"] == "in_sync"
    assert len(set(world.tokens()) - tokens) == 1
    FIGURES["edits_once"] += 1


@pytest.mark.parametrize("what", ["policy", "role"])
def test_a_policy_or_role_that_somebody_writes_in_between_ends_as_wanted(world: ChaosWorld, what: str) -> None:
    """Vault has no precondition for them; they are ours as a whole, and the next look sees any other text."""
    wanted = world.root().sys.read_policy(POLICY)["data"]["rules"]
    world.root().sys.create_or_update_policy(POLICY, "# emptied\n")
    edits.role_of_others(world, token_period=3600)
    target = f"/v1/sys/policies/acl/{POLICY}" if what == "policy" else f"/v1/auth/token/roles/{ROLE}"

    def change(number: int) -> None:
        world.root().sys.create_or_update_policy(POLICY, 'path "*" { capabilities = ["read"] }\n')
        edits.role_of_others(world, orphan=False)

    between = Between(world, target, change, times=1)
    world.run("token", gated=True)
    assert between.count == 1
    world.gates.reset()
    world.run("token")
    assert world.run("token", check_mode=True).result["verdict"] == "in_sync"
    assert world.root().sys.read_policy(POLICY)["data"]["rules"] == wanted
    FIGURES["edits_once"] += 1


def test_a_name_that_somebody_gives_the_tenant_in_between_is_kept(world: ChaosWorld) -> None:
    world.break_("tenant-connection")

    def rename(number: int) -> None:
        world.query('UPDATE tenants SET "displayName" = %s WHERE "tenantId" = %s', ("Their own name", TENANT))

    between = Between(world, f"/v1/{seed.MOUNT}/data/{TENANT_PATH}", rename, times=1)
    said = world.run("tenant", gated=True)
    assert between.count == 1 and not said.failed, said.result
    assert world.query('SELECT "displayName" FROM tenants WHERE "tenantId" = %s', (TENANT,)) == [("Their own name",)]
    FIGURES["edits_once"] += 1
    FIGURES["kept"] += 1


def test_a_deleted_document_that_somebody_writes_anew_before_it_is_undeleted_is_kept(world: ChaosWorld) -> None:
    world.root().secrets.kv.v2.delete_latest_version_of_secret(seed.APP_PATH, mount_point=seed.MOUNT)
    target = f"/v1/{seed.MOUNT}/undelete/{seed.APP_PATH}"

    def write(number: int) -> None:
        kv = world.root().secrets.kv.v2
        kv.create_or_update_secret(seed.APP_PATH, {"theirs": "version 1"}, mount_point=seed.MOUNT)

    between = Between(world, target, write, times=1)
    said = world.run("app", gated=True)
    assert between.count == 1 and not said.failed, said.result
    found = world.document(seed.APP_PATH)
    assert found["theirs"] == "version 1" and found["client_secret"]
    FIGURES["edits_once"] += 1
    FIGURES["kept"] += 1


WRITES = {
    "token": ("token", SECRET_PATH, f"/v1/auth/token/create/{ROLE}"),
    "access": ("access", edits.DEPLOYMENT_PATH, edits.CONFIG_MAPS),
    "app": ("app", f"/v1/{seed.MOUNT}/data/{seed.APP_PATH}", f"/v1/{seed.MOUNT}/metadata/{seed.APP_PATH}"),
    "tenant": ("tenant", f"/v1/{seed.MOUNT}/data/{TENANT_PATH}"),
}


@pytest.mark.parametrize(("step", "target"), [(name, path) for name, (_, *paths) in WRITES.items() for path in paths])
def test_a_second_repair_between_look_and_write_and_both_end_well(world: ChaosWorld, step: str, target: str) -> None:
    world.break_all()
    before = living(world)
    inner: list[Said] = []
    for earlier in ("token", "access", "app", "tenant"):
        if earlier == step:
            break
        assert not world.run(earlier).failed
    kept = living(world)
    between = Between(world, target, lambda number: inner.append(world.run(step)), times=1)
    outer = world.run(step, gated=True)
    assert between.count == 1 and not inner[0].failed, inner[0].result
    assert not outer.failed or "stale" in outer.statuses, outer.result
    world.gates.reset()
    look = world.run(step, check_mode=True)
    assert not [item for item in look.result["drift"] if item["action"] not in ("none", "restart")], look.result
    assert len(living(world) - kept) == (1 if step == "token" else 0), "one token is enough"
    assert before <= kept
    FIGURES["second_repairs"] += 1


def test_a_second_import_while_the_first_is_at_it_does_not_mix_with_it(world: ChaosWorld) -> None:
    world.break_("orders")
    inner: list[Said] = []

    def second(request: Request) -> Reply | None:
        if "/orders/" in request.path and not inner:
            inner.append(world.run("orders"))
        return None

    world.gates.amazon.before = second
    outer = world.run("orders", gated=True)
    assert not outer.failed, outer.result
    assert inner and inner[0].failed and "import" in inner[0].result["msg"]
    statement = 'SELECT count(*), count(DISTINCT "externalOrderId") FROM orders WHERE "tenantId" = %s'
    assert world.query(statement, (TENANT,)) == [(94, 94)]
    FIGURES["second_repairs"] += 1


def made_by_somebody(world: ChaosWorld) -> str:
    issued = world.root().adapter.post(f"/v1/auth/token/create/{ROLE}", json={"display_name": "somebody"})
    return str(issued["auth"]["client_token"])


def store(world: ChaosWorld, token: str) -> None:
    world.api.patch("secrets", "vault-token", {"data": {KEY: edits.encoded(token)}}, NAMESPACE)


def living(world: ChaosWorld) -> set[str]:
    return {accessor for accessor, token in world.tokens().items() if POLICY in token["policies"]}
