# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A client for one look at many things: each object is asked for once."""

from __future__ import annotations

from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.access import Access
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient


class RememberingKube(KubeClient):
    """Answers a second :meth:`get` of the same path from memory. Refusals are asked for anew.

    Not for waiting, and not for a call that writes: it would go by what was there before.
    """

    def __init__(self, connection: Access, *, timeout: float = 10.0) -> None:
        super().__init__(connection, timeout=timeout)
        self._known: dict[str, dict[str, Any] | None] = {}

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at ``path``, as it was when it was first asked for."""
        if path not in self._known:
            self._known[path] = super().get(path)
        return self._known[path]

    def forget(self) -> None:
        """Ask for everything anew."""
        self._known.clear()
