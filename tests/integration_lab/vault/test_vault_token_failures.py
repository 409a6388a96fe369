# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_token_secret when something comes in between: races, crashes, lost answers, missing rights."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    BlockedError,
    ForbiddenError,
    StaleError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient

from .conftest import Cluster, Server
from .token_world import ACCESSOR, API, COPY, KEY, NAMESPACE, SECRET, SUPERSEDED, World

QUESTIONS = {"sys/capabilities-self", "auth/token/lookup", "auth/token/lookup-accessor"}
"""Asked with POST, so that the audit log calls them updates; nothing is kept of them."""


@pytest.fixture
def world(server: Server, kubernetes: Cluster) -> World:
    kubernetes.put(API, SECRET, {KEY: server.token("root")})
    return World(server, kubernetes)


class Meddling(KubeClient):
    """A client to whose every write somebody else is faster, as often as told."""

    def __init__(self, real: KubeClient, world: World, times: int) -> None:
        self.__dict__.update(real.__dict__)
        self.world, self.times = world, times

    def patch(self, path: str, body: Any, **options: Any) -> dict[str, Any]:
        if self.times:
            self.times -= 1
            note = {"metadata": {"annotations": {"meddled": str(self.times)}}}
            self.world.kubernetes.api.patch("secrets", SECRET, note, NAMESPACE)
        return super().patch(path, body, **options)


@pytest.mark.parametrize("times", [2, 3])
def test_a_lost_race_is_planned_anew_and_leaves_no_token_behind(world: World, times: int) -> None:
    world.put("")
    before = world.accessors()
    servers = world.servers()
    servers = replace(servers, kube=Meddling(servers.kube, world, times))
    if times < 3:
        assert world.run(servers=servers).changed
        assert world.accessors() - before == {world.annotations[ACCESSOR]}
    else:
        with pytest.raises(StaleError):
            world.run(servers=servers)
        assert world.accessors() == before
        assert world.value == ""


def test_a_policy_that_the_server_cannot_read_is_bad_input(world: World) -> None:
    world.put(world.server.backend_token)
    with pytest.raises(BadInputError, match="cannot read its text"):
        world.run(servers=world.servers(bootstrap=True), policy="path {")


def test_a_role_that_may_not_be_read_and_is_missing_is_said_to_be_missing(world: World) -> None:
    root = world.server.root()
    root.sys.create_or_update_policy("blind", 'path "auth/token/create/*" { capabilities = ["update"] }')
    made = world.server.make_token(policies=["blind"], ttl="1h")
    servers = world.servers()
    world.put("")
    with pytest.raises(BlockedError, match="there is no such role"):
        world.run(servers=replace(servers, vault=servers.vault.acting_as(made["client_token"])), token_role="nowhere")
    assert world.value == ""


def test_who_may_not_write_the_secret_makes_no_token(world: World) -> None:
    world.put("")
    before = world.accessors()
    with pytest.raises(ForbiddenError, match=f"may not .*patch secrets {NAMESPACE}/{SECRET}; nothing was"):
        world.run(servers=world.servers(kube="audit"))
    assert world.accessors() == before


def test_who_may_not_make_tokens_is_told_the_missing_capability(world: World) -> None:
    world.put("")
    with pytest.raises(ForbiddenError, match="auth/token/create/keybuzz-backend-dev"):
        world.run(servers=world.servers(vault="audit"))


@pytest.mark.parametrize("value", ["", "hvs.CANARYnotatoken", None, "root"])
def test_check_mode_writes_nothing_by_the_servers_own_logs(world: World, value: str | None) -> None:
    world.put(world.server.token("root") if value == "root" else value)
    version = world.kubernetes.get(NAMESPACE, SECRET)["metadata"]["resourceVersion"]
    before = world.accessors()
    mark = world.server.mark()
    world.run(check_mode=True, servers=world.servers(bootstrap=True))
    world.check(superseded="revoke")
    asked = world.server.requests_since(mark)
    assert {path for operation, path in asked if operation != "read"} <= QUESTIONS
    assert world.accessors() == before
    assert world.kubernetes.get(NAMESPACE, SECRET)["metadata"]["resourceVersion"] == version


def test_no_result_holds_a_token_or_an_accessor(world: World) -> None:
    old = world.healthy()
    world.kubernetes.api.patch("secrets", SECRET, {"stringData": {KEY: ""}}, NAMESPACE)
    outcomes = [world.check(), world.run(), world.run(superseded="revoke"), world.run(**COPY)]
    shown = json.dumps([[entry.as_dict() for entry in found.items] + [dict(found.facts)] for found in outcomes])
    for secret in (old, world.value, world.server.token("root"), world.annotations.get(SUPERSEDED, "absent")):
        assert secret not in shown
    assert world.value in world.protected
    assert old in world.protected
