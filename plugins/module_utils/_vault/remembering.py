# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A client for one look at many things: each path is read once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import Answer, VaultClient

MOST = 64
"""Answers that are kept. What many steps read is read first; thousands of tenants' documents are read by one step."""


class RememberingVault(VaultClient):
    """Answers a second GET of the same path from memory. Refusals are asked for anew.

    Not for a call that writes: it would go by what was there before.
    """

    def __init__(self, addr: str, token: str | None, **more: Any) -> None:
        super().__init__(addr, token, **more)
        self._known: dict[str, Answer] = {}

    def acting_as(self, token: str) -> VaultClient:
        """The same server seen with another token, which may read other things."""
        other = super().acting_as(token)
        if isinstance(other, RememberingVault):
            other._known = {}
        return other

    def request(self, method: str, path: str, *, accept: Iterable[int] = (200, 204), **more: Any) -> Answer:
        """As :meth:`VaultClient.request`; the answer is the first one to this path, if its status is accepted."""
        accept = tuple(accept)
        known = self._known.get(path) if method == "GET" else None
        if known is not None and known.status in accept:
            return known
        answer = super().request(method, path, accept=accept, **more)
        # What is read side by side are the documents of many tenants: each of them is read once, and forgotten.
        if method == "GET" and answer.status in accept and len(self._known) < MOST and self._reads is None:
            self._known[path] = answer
        return answer
