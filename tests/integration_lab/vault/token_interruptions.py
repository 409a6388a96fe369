# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways for a run of vault_token_secret to be interrupted: killed, or left without an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

from .token_world import (
    POLICY,
    World,
)

CREATE = f"auth/token/create/{POLICY}"


class Killed(BaseException):
    """The process is gone."""


LOST = UnreachableError("writing", "Secret", "no answer in time", "Run again.")


class Failing(KubeClient):
    """A client whose n-th write fails: before it is sent, or after it was done."""

    def __init__(self, real: KubeClient, at: int, error: BaseException, *, done: bool) -> None:
        self.__dict__.update(real.__dict__)
        self.left, self.error, self.done = at, error, done

    def _step(self, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self.left -= 1
        if self.left:
            return send()
        if self.done:
            send()
        raise self.error

    def patch(self, path: str, body: Any, **options: Any) -> dict[str, Any]:
        return self._step(lambda: super(Failing, self).patch(path, body, **options))

    def create(self, path: str, body: Any, **options: Any) -> dict[str, Any]:
        return self._step(lambda: super(Failing, self).create(path, body, **options))


class FailingAfter(VaultClient):
    """A client that fails when the server has done what a request to this path asked for."""

    def __init__(self, real: VaultClient, path: str, error: BaseException) -> None:
        self.__dict__.update(real.__dict__)
        self.path, self.error = path, error

    def request(self, method: str, path: str, **options: Any) -> Any:
        answer = super().request(method, path, **options)
        if path == self.path:
            raise self.error
        return answer


def failing(world: World, at: int, error: BaseException, *, done: bool) -> Any:
    servers = world.servers()
    return replace(servers, kube=Failing(servers.kube, at, error, done=done))


def failed_after_making(world: World, error: BaseException | None = None) -> Any:
    servers = world.servers()
    return replace(servers, vault=FailingAfter(servers.vault, CREATE, error or Killed()))


def searching(world: World) -> Any:
    """The repair, with the right to list all accessors."""
    root = world.server.root()
    text = root.sys.read_policy("keybuzz-repair")["data"]["rules"]
    root.sys.create_or_update_policy(
        "searching", text + 'path "auth/token/accessors" { capabilities = ["list", "sudo"] }\n'
    )
    made = world.server.make_token(policies=["searching"], ttl="1h", no_default_policy=True)
    return replace(world.servers(), vault=world.server.client().acting_as(made["client_token"]))
