# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backend's token is made with: its policy and its token role in Vault, changed by somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import seed
from lab.openbao import BACKEND
from lab.pieces.backend import BackendWorkload
from lab.pieces.piece import Kept

if TYPE_CHECKING:
    from lab.world import World

_ROLE = f"/v1/auth/token/roles/{BACKEND}"
_PERIOD = 3600  # seconds: a token that nobody renews within the hour is gone


class TokenPolicy:
    """The text of the backend's policy: broken, it also lets the backend read every other document."""

    name = family = "token-policy"
    harmless = True
    what = f"Vault's policy {BACKEND} grants what the backend needs and no more"

    def broken(self, world: World, kept: Kept | None) -> bool:
        return kept is not None and _text(world) == _widened(kept["text"])

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        return {"text": _text(world)}

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        world.vault.client().sys.create_or_update_policy(BACKEND, _widened(kept["text"]))

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        world.vault.client().sys.create_or_update_policy(BACKEND, kept["text"])


class TokenRole:
    """The period of the backend's token role: broken, new tokens live an hour."""

    name = family = "token-role"
    harmless = True
    what = f"Vault's token role {BACKEND} makes tokens that live as long as agreed"

    def broken(self, world: World, kept: Kept | None) -> bool:
        return kept is not None and _period(world) == _PERIOD

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        return {"period": _period(world)}

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _set_period(world, _PERIOD)

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _set_period(world, kept["period"])


def _text(world: World) -> str:
    text: str = world.vault.client().sys.read_policy(BACKEND)["data"]["rules"]
    return text


def _widened(text: str) -> str:
    return f'{text}path "{seed.MOUNT}/data/*" {{ capabilities = ["read"] }}\n'


def _period(world: World) -> int:
    return int(world.vault.client().adapter.get(_ROLE)["data"]["token_period"])


def _set_period(world: World, seconds: int) -> None:
    # A role is written as a whole: fields that are left out of the request keep what they have.
    world.vault.client().adapter.post(_ROLE, json={"token_period": seconds})
