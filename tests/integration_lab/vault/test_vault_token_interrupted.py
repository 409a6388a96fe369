# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed while it makes a token: the next one finds the mark and clears up."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import vault_token_intent

from .conftest import Cluster, Server
from .token_interruptions import LOST, Killed, failed_after_making, failing, searching
from .token_world import (
    ACCESSOR,
    API,
    INTENT,
    KEY,
    NAMESPACE,
    SECRET,
    World,
    item,
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed a moment ago looks like one that is at work; these tests know better."""
    monkeypatch.setattr(vault_token_intent, "PATIENCE", 0.0)


@pytest.fixture
def world(server: Server, kubernetes: Cluster) -> World:
    kubernetes.put(API, SECRET, {KEY: server.token("root")})
    return World(server, kubernetes)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("done", [False, True])
def test_killed_around_each_write_to_the_secret_the_next_run_converges_and_leaves_at_most_one_token(
    world: World, at: int, done: bool, there: bool
) -> None:
    if there:
        world.put("")
    else:
        world.kubernetes.remove(NAMESPACE, SECRET)
    before = world.accessors()
    with pytest.raises(Killed):
        world.run(servers=failing(world, at, Killed(), done=done))
    left = world.accessors() - before
    assert len(left) == (1 if at == 2 else 0)
    world.run()
    after = world.accessors() - before
    assert world.annotations[ACCESSOR] in after
    assert len(after) <= 2
    assert INTENT not in world.annotations
    assert not world.run().changed
    for accessor in after - {world.annotations[ACCESSOR]}:
        found = world.server.root().auth.token.lookup_accessor(accessor)["data"]
        assert 0 < found["ttl"] <= 604800, "it ends by itself"


@pytest.mark.parametrize("error", [Killed(), LOST], ids=["killed", "answer-lost"])
def test_the_token_of_an_interrupted_run_is_found_by_its_id_and_revoked_where_all_accessors_may_be_listed(
    world: World, error: BaseException
) -> None:
    world.put("")
    before = world.accessors()
    with pytest.raises(type(error)):
        world.run(servers=failed_after_making(world, error))
    (left,) = world.accessors() - before
    servers = searching(world)
    before = world.accessors() - {left}
    predicted = world.check(servers=servers)
    found = item(predicted, "vault_token/intent")
    assert (found.severity, found.status, found.action) == ("low", "stale", "remove")
    assert "revokes it" in found.hint
    done = world.run(servers=servers)
    assert world.accessors() - before == {world.annotations[ACCESSOR]}
    (run,) = done.facts["interrupted_runs"]  # type: ignore[misc]
    assert run["token"] == "revoked"
    assert INTENT not in world.annotations


def test_without_that_right_the_mark_is_cleared_and_the_end_of_the_token_is_told(world: World) -> None:
    world.put("")
    with pytest.raises(Killed):
        world.run(servers=failed_after_making(world))
    found = item(world.check(), "vault_token/intent")
    assert "At most one token of it may live, until 20" in found.reason
    assert "list and sudo on auth/token/accessors" in found.hint
    done = world.run()
    assert done.facts["interrupted_runs"][0]["token"] == "unsought"  # type: ignore[index]
    assert INTENT not in world.annotations
    assert "vault_token/intent" not in [entry.id for entry in world.check().items]


def test_who_may_list_the_accessors_and_not_look_them_up_searches_for_nothing_and_is_done(world: World) -> None:
    world.put("")
    with pytest.raises(Killed):
        world.run(servers=failed_after_making(world))
    searching(world)
    blind = world.limited("half-searching", base="searching", without=("auth/token/lookup-accessor",))
    done = world.run(servers=replace(world.servers(), vault=blind))
    assert done.facts["interrupted_runs"][0]["token"] == "unsought"  # type: ignore[index]
    assert world.lookup(world.value)["ttl"] > 0


def test_the_mark_of_a_run_that_came_in_between_outlives_this_run_so_that_its_token_is_found(world: World) -> None:
    world.put("")

    class Between(KubeClient):
        """Before this run's token is stored, another one marks the Secret, makes a token and is killed."""

        def __init__(self, real: KubeClient) -> None:
            self.__dict__.update(real.__dict__)
            self.writes, self.left = 0, ""

        def patch(self, path: str, body: Any, **options: Any) -> dict[str, Any]:
            self.writes += 1
            if self.writes == 2:
                meta = {**HOME, "run_id": "0123"}
                self.left = world.server.make_token(policies=["default"], ttl="1h", meta=meta)["accessor"]
                text = f"2026-01-12T12:00:00Z 0123,{world.annotations[INTENT]}"
                marked = {"metadata": {"annotations": {INTENT: text}}}
                world.kubernetes.api.patch("secrets", SECRET, marked, NAMESPACE)
            return super().patch(path, body, **options)

    servers = searching(world)
    between = Between(servers.kube)
    done = world.run(servers=replace(servers, kube=between))
    assert [one["token"] for one in done.facts["interrupted_runs"]] == ["revoked"]  # type: ignore[union-attr]
    assert not world.server.alive(between.left)
    assert INTENT not in world.annotations


def test_a_mark_beside_a_good_token_is_cleared_and_the_good_token_stays(world: World) -> None:
    value = world.healthy()
    mine = world.lookup(value)["meta"]["run_id"]
    noted = {"metadata": {"annotations": {INTENT: f"2026-01-12T12:00:00Z {mine}"}}}
    world.kubernetes.api.patch("secrets", SECRET, noted, NAMESPACE)
    done = world.run(servers=searching(world))
    assert [found.id for found in done.items if found.action != "none"] == ["vault_token/intent"]
    assert done.facts["interrupted_runs"][0]["token"] == "none"  # type: ignore[index]
    assert done.facts["secret_will_change"] is False
    assert world.lookup(value)["ttl"] > 0, "the token in the Secret is never revoked, whatever a mark says"
    assert INTENT not in world.annotations
    assert world.value == value


HOME = {"managed_by": "keybuzz.amazon", "environment": NAMESPACE, "namespace": NAMESPACE, "secret": SECRET}


@pytest.mark.parametrize("metadata", [{}, {**HOME, "managed_by": "somebody"}, {**HOME, "namespace": API}, HOME])
def test_only_a_token_that_vault_says_was_made_for_this_secret_by_that_run_is_revoked(
    world: World, metadata: dict[str, str]
) -> None:
    ours = metadata == HOME
    made = world.server.make_token(policies=["default"], ttl="1h", meta={**metadata, "run_id": "0123"})
    other = world.server.make_token(policies=["default"], ttl="1h", meta={**metadata, "run_id": "4567"})
    world.put("")
    world.kubernetes.api.patch(
        "secrets", SECRET, {"metadata": {"annotations": {INTENT: "2026-01-12T12:00:00Z 0123"}}}, NAMESPACE
    )
    world.run(servers=searching(world))
    assert world.server.alive(made["accessor"]) is not ours
    assert world.server.alive(other["accessor"])


def test_whatever_somebody_writes_into_the_mark_is_cleared_and_harms_nothing(world: World) -> None:
    value = world.healthy()
    for text in ("", "nonsense", "2026-01-12T12:00:00Z", ",,", "2026-13-45 x,1999-01-01T00:00:00 y"):
        noted = {"metadata": {"annotations": {INTENT: text}}}
        world.kubernetes.api.patch("secrets", SECRET, noted, NAMESPACE)
        world.run(servers=searching(world))
        assert world.lookup(value)["ttl"] > 0
        assert world.annotations.get(INTENT, "") in {"", ",,"}


def test_who_may_create_the_secret_and_not_change_it_stores_value_and_accessor_in_one_write(world: World) -> None:
    world.kubernetes.remove(NAMESPACE, SECRET)

    class Creator(KubeClient):
        def __init__(self, real: KubeClient) -> None:
            self.__dict__.update(real.__dict__)

        def may(self, verb: str, *question: Any, **more: Any) -> bool:
            return verb != "patch"

        def patch(self, path: str, body: Any, **options: Any) -> dict[str, Any]:
            raise AssertionError("nothing is patched")

    servers = world.servers()
    assert world.run(servers=replace(servers, kube=Creator(servers.kube))).changed
    assert world.lookup(world.value)["accessor"] == world.annotations[ACCESSOR]


def test_no_result_of_an_interrupted_run_holds_an_accessor_or_a_token(world: World) -> None:
    world.put("")
    before = world.accessors()
    with pytest.raises(Killed):
        world.run(servers=failed_after_making(world))
    left = world.accessors() - before
    servers = searching(world)
    outcomes = [world.check(servers=servers), world.run(servers=servers)]
    shown = json.dumps([[entry.as_dict() for entry in found.items] + [dict(found.facts)] for found in outcomes])
    for secret in (*left, world.value, world.annotations[ACCESSOR]):
        assert secret not in shown
