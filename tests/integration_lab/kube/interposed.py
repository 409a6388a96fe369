# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests of what happens between the look and the write."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import k8s_deployment_env as work

from tests.integration_lab.kube.conftest import NAMESPACE, World, nothing

CONTAINER = "/spec/template/spec/containers/0"
NO_ADDRESS = {"op": "remove", "path": f"{CONTAINER}/env/0"}


class Before(KubeClient):
    """Does something each time right before a request of ours that matches, ``times`` times; may raise, as a kill."""

    def __init__(self, world: World, what: str, do: Callable[[], Any], *, times: int = 1, user: str = "repair") -> None:
        inner = world.client(user)
        super().__init__(inner._access, timeout=inner.timeout)
        self.what, self.do, self.times = what, do, times

    def _send(self, method: str, path: str, **options: Any) -> Any:
        write = method in {"PATCH", "POST", "PUT"} and "dryRun" not in (options.get("query") or {})
        if write and self.what in path and self.times:
            self.times -= 1
            self.do()
        return super()._send(method, path, **options)


def repaired(world: World, client: KubeClient) -> Any:
    return work.run(client, world.wanted(), nothing, check_mode=False)


def tampered(world: World) -> None:
    """Somebody puts another CA there; time passes, so that what is written next is younger than the pods."""
    world.api.patch("configmaps", "vault-ca", {"data": {"ca.crt": "not ours"}}, NAMESPACE)
    time.sleep(1.05)  # times in the API have whole seconds
