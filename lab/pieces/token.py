# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fault 1: the Secret with the backend's Vault token is empty, or holds what the hand repair put there: root."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from lab.pieces.backend import BackendWorkload
from lab.pieces.piece import Kept

if TYPE_CHECKING:
    from lab.world import World

_SECRET, _KEY = "vault-token", "VAULT_TOKEN"


class VaultToken:
    """Reads and writes that one key; whatever else the Secret holds or is annotated with stays."""

    name = family = "vault-token-secret"
    harmless = False
    what = f"Secret {_SECRET} has a value at {_KEY}"

    def broken(self, world: World, kept: Kept | None) -> bool:
        found = world.kubernetes().find("secrets", _SECRET, world.state["backend"]["namespace"])
        return not ((found or {}).get("data") or {}).get(_KEY)

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        found = workload.api.get("secrets", _SECRET, workload.namespace)
        return {"data": {_KEY: found["data"][_KEY]}, "type": found["type"]}

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        workload.api.patch("secrets", _SECRET, {"data": {_KEY: ""}}, workload.namespace)
        workload.stale = True

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        if workload.api.find("secrets", _SECRET, workload.namespace) is None:
            metadata = {"name": _SECRET, "namespace": workload.namespace}
            workload.api.create("secrets", {"metadata": metadata, **kept})
        else:
            workload.api.patch("secrets", _SECRET, {"data": kept["data"]}, workload.namespace)
        workload.stale = True


class RootToken:
    """The same key, with Vault's root token in it. The backend works, and could do anything."""

    name = "root-token"
    family = VaultToken.family
    harmless = True
    what = f"Secret {_SECRET} does not hold a root token"

    def broken(self, world: World, kept: Kept | None) -> bool:
        found = world.kubernetes().find("secrets", _SECRET, world.state["backend"]["namespace"])
        return kept is not None and ((found or {}).get("data") or {}).get(_KEY) == _root(world)

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        return VaultToken().look(world, workload)

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        workload.api.patch("secrets", _SECRET, {"data": {_KEY: _root(world)}}, workload.namespace)
        workload.stale = True

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        VaultToken().restore(world, workload, kept)


def _root(world: World) -> str:
    return base64.b64encode(world.vault.token_files["root"].read_bytes()).decode()
