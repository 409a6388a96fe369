# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The connections of one call: each is opened when it is first wanted, and all are closed at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import TracebackType
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import client as kube_client
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.remembering import RememberingKube
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault_client
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.remembering import RememberingVault

Protect = Callable[[Iterable[str | None]], None]


class Connections:
    """Vault and Kubernetes from a module's options. A context: on leaving it a login of its own is ended.

    :param remember: ask for each object once. For a look at many things that rest on the same objects, never for a
        call that writes.
    """

    def __init__(self, options: Mapping[str, Any], protect: Protect, *, remember: bool = False) -> None:
        self.options = options
        self.protect = protect
        """What the work calls with each secret it meets. A call that takes several steps may set it for each."""
        self._for_all = protect
        self._remember = remember

    @cached_property
    def vault(self) -> VaultClient:
        """:raises KeybuzzError: see :func:`_vault.client.connect`."""
        kind = RememberingVault if self._remember else VaultClient
        return vault_client.connect(self.options, self._for_all, kind)

    @cached_property
    def kube(self) -> KubeClient:
        """:raises KeybuzzError: see :func:`_kube.client.connect`."""
        kind = RememberingKube if self._remember else KubeClient
        return kube_client.connect(self.options, self._for_all, kind)

    @property
    def has_vault(self) -> bool:
        """Whether Vault was connected to."""
        return "vault" in self.__dict__

    @property
    def has_kube(self) -> bool:
        """Whether Kubernetes was connected to."""
        return "kube" in self.__dict__

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.has_vault:
            self.vault.close()
