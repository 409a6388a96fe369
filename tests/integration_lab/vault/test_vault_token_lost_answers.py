# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that gets no answer, or meets another at work on the same Secret, while it makes a token."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BlockedError,
    ForbiddenError,
    KeybuzzError,
    StaleError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import vault_token_intent
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

from .conftest import Cluster, Server
from .token_interruptions import CREATE, LOST, Failing, failing, searching
from .token_world import (
    ACCESSOR,
    API,
    INTENT,
    KEY,
    NAMESPACE,
    POLICY,
    SECRET,
    SUPERSEDED,
    World,
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed a moment ago looks like one that is at work; these tests know better."""
    monkeypatch.setattr(vault_token_intent, "PATIENCE", 0.0)


@pytest.fixture
def world(server: Server, kubernetes: Cluster) -> World:
    kubernetes.put(API, SECRET, {KEY: server.token("root")})
    return World(server, kubernetes)


def test_a_lost_answer_to_the_mark_stops_before_a_token_is_made(world: World) -> None:
    world.put("")
    before = world.accessors()
    with pytest.raises(UnreachableError, match="no answer in time"):
        world.run(servers=failing(world, 1, LOST, done=True))
    assert world.accessors() == before
    assert world.run().changed
    assert INTENT not in world.annotations


def test_a_write_whose_answer_was_lost_keeps_its_token(world: World) -> None:
    world.put("")
    assert world.run(servers=failing(world, 2, LOST, done=True)).changed
    assert world.lookup(world.value)["accessor"] == world.annotations[ACCESSOR]
    assert INTENT not in world.annotations


class Late(Failing):
    """A write that is thought lost and arrives after all: as soon as somebody tries the next one."""

    def _step(self, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self.left -= 1
        if self.left == 0:
            self.delayed = send
            raise self.error
        answer = send()
        if self.left == -1:
            with pytest.raises(StaleError):
                self.delayed()
        return answer


def test_a_write_that_arrives_after_its_token_was_revoked_is_refused(world: World) -> None:
    world.put("")
    before = world.accessors()
    servers = world.servers()
    with pytest.raises(UnreachableError, match="no answer in time"):
        world.run(servers=replace(servers, kube=Late(servers.kube, 2, LOST, done=False)))
    assert world.accessors() == before, "revoked, and the late write cannot store it any more"
    assert (world.value, world.annotations.get(INTENT)) == ("", None)


class Gone(Failing):
    """From the n-th write on the API server does not answer any more."""

    def _step(self, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self.left -= 1
        if self.left > 0:
            return send()
        if self.done and self.left == 0:
            send()
        raise self.error

    def get(self, path: str) -> dict[str, Any] | None:
        if self.left <= 0:
            raise self.error
        return super().get(path)


@pytest.mark.parametrize("done", [False, True])
def test_when_nobody_can_tell_whether_the_token_was_stored_it_is_not_revoked_and_the_next_run_decides(
    world: World, done: bool
) -> None:
    world.put("")
    before = world.accessors()
    servers = world.servers()
    with pytest.raises(BlockedError, match="whether the token made for it was stored is not known") as failed:
        world.run(servers=replace(servers, kube=Gone(servers.kube, 2, LOST, done=done)))
    assert "The next run finds its mark" in str(failed.value)
    (made,) = world.accessors() - before
    servers = searching(world)
    before = world.accessors() - {made}
    world.run(servers=servers)
    assert world.accessors() - before == {world.annotations[ACCESSOR]}
    assert (world.annotations[ACCESSOR] == made) is done
    assert INTENT not in world.annotations


def test_who_could_leave_no_mark_is_not_told_that_the_next_run_finds_one(world: World) -> None:
    world.kubernetes.remove(NAMESPACE, SECRET)

    class Creator(Failing):
        def may(self, verb: str, *question: Any, **more: Any) -> bool:
            return verb != "patch"

    servers = world.servers()
    with pytest.raises(BlockedError, match="is not known, so it was not revoked") as failed:
        world.run(servers=replace(servers, kube=Creator(servers.kube, 1, LOST, done=False)))
    assert "nothing could be noted on it" in failed.value.remedy


def test_a_run_at_work_is_waited_for_and_one_that_overtakes_it_has_the_other_end_its_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("")
    before = world.accessors()
    outcomes: list[Any] = []

    class Overtaken(KubeClient):
        """Between this run's token and its write another run goes all the way."""

        def __init__(self, real: KubeClient) -> None:
            self.__dict__.update(real.__dict__)
            self.writes = 0

        def patch(self, path: str, body: Any, **options: Any) -> dict[str, Any]:
            self.writes += 1
            if self.writes == 2:
                outcomes.append(world.run(servers=searching(world)))
            return super().patch(path, body, **options)

    servers = world.servers()
    mine = world.run(servers=replace(servers, kube=Overtaken(servers.kube)))
    assert outcomes[0].changed
    assert not [found for found in mine.remaining or () if found.status != "in_sync"]
    searchers = {
        accessor
        for accessor in world.accessors() - before
        if "searching" in world.server.root().auth.token.lookup_accessor(accessor)["data"]["policies"]
    }
    assert world.accessors() - before - searchers == {world.annotations[ACCESSOR]}
    assert world.lookup(world.value)["accessor"] == world.annotations[ACCESSOR]
    assert SUPERSEDED not in world.annotations


def test_a_young_mark_is_watched_until_the_run_at_work_has_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_token_intent, "PATIENCE", 5.0)
    value = world.healthy()
    young = vault_token_intent.written((vault_token_intent.new_intent(),))
    world.kubernetes.api.patch("secrets", SECRET, {"metadata": {"annotations": {INTENT: young}}}, NAMESPACE)
    looks = []

    class Ending(KubeClient):
        def __init__(self, real: KubeClient) -> None:
            self.__dict__.update(real.__dict__)

        def get(self, path: str) -> dict[str, Any] | None:
            looks.append(path)
            if len(looks) == 4:
                gone = {"metadata": {"annotations": {INTENT: None}}}
                world.kubernetes.api.patch("secrets", SECRET, gone, NAMESPACE)
            return super().get(path)

    servers = world.servers()
    assert not world.run(servers=replace(servers, kube=Ending(servers.kube))).changed
    assert world.value == value


@pytest.mark.parametrize("there", [True, False])
def test_two_runs_at_once_both_succeed_and_leave_one_token(
    world: World, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.setattr(vault_token_intent, "PATIENCE", 5.0)
    if there:
        world.put("")
    else:
        world.kubernetes.remove(NAMESPACE, SECRET)
    before = world.accessors()
    with ThreadPoolExecutor(3) as pool:
        outcomes = [run.result() for run in [pool.submit(world.run) for _ in range(3)]]
    assert any(outcome.changed for outcome in outcomes)
    assert world.accessors() - before == {world.annotations[ACCESSOR]}
    assert world.lookup(world.value)["accessor"] == world.annotations[ACCESSOR]
    assert INTENT not in world.annotations


def test_an_error_of_the_role_revokes_its_token_and_takes_the_mark_away(world: World) -> None:
    world.put("")
    root = world.server.root()
    role = root.adapter.get(f"/v1/auth/token/roles/{POLICY}")["data"]
    before = world.accessors()

    class Wrong(VaultClient):
        """Somebody changes the role between the look and the making."""

        def __init__(self, real: VaultClient) -> None:
            self.__dict__.update(real.__dict__)

        def request(self, method: str, path: str, **options: Any) -> Any:
            if path == CREATE:
                root.adapter.post(f"/v1/auth/token/roles/{POLICY}", json={**role, "orphan": False})
            return super().request(method, path, **options)

    servers = world.servers()
    try:
        with pytest.raises(KeybuzzError, match="makes tokens of the class not_orphan; nothing was stored"):
            world.run(servers=replace(servers, vault=Wrong(servers.vault)))
    finally:
        root.adapter.post(f"/v1/auth/token/roles/{POLICY}", json=role)
    assert world.accessors() == before
    assert (world.value, world.annotations.get(INTENT)) == ("", None)


def test_a_token_that_vault_refuses_to_make_leaves_no_mark_that_tells_of_one(world: World) -> None:
    world.put("")

    class Refused(VaultClient):
        def __init__(self, real: VaultClient) -> None:
            self.__dict__.update(real.__dict__)

        def request(self, method: str, path: str, **options: Any) -> Any:
            if path == CREATE:
                raise ForbiddenError("making", path, "permission denied (HTTP 403)", "Ask for update.")
            return super().request(method, path, **options)

    servers = world.servers()
    with pytest.raises(ForbiddenError):
        world.run(servers=replace(servers, vault=Refused(servers.vault)))
    assert (world.value, world.annotations.get(INTENT)) == ("", None)
