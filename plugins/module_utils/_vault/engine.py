# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which version a key-value engine is of.

Version 1 answers a read of ``<mount>/data/<path>`` as if there was nothing, and takes a write to it as one of a
document of that name: what is not known to be version 2 is asked for before it is believed or written to.
"""

from __future__ import annotations

from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.document import (
    UnsupportedEngineError,
    mapping,
    quoted,
)


def expected(client: VaultClient, mount: str) -> int:
    """The version to try first: the one the server told, else the one that was named, else 2."""
    return client.kv_engines.get(mount) or client.kv_version or 2


def confirmed(client: VaultClient, mount: str) -> bool:
    """Whether the server itself has told the version, or has answered as only one version does."""
    return mount in client.kv_engines


def remember(client: VaultClient, mount: str, version: int) -> None:
    client.kv_engines[mount] = version


def ask(client: VaultClient, mount: str, address: str) -> int | None:
    """The version, by one request at most for each mount; any token that may do something below the mount may ask.

    :returns: ``None`` if this token may not know.
    :raises UnsupportedEngineError: it is another engine, or not of the version that was named.
    """
    if mount in client.kv_engines:
        return client.kv_engines[mount]
    answer = client.request(
        "GET",
        f"sys/internal/ui/mounts/{quoted(mount)}",
        doing="looking up the engine of",
        accept=(200, 400, 403, 404),
    )
    if answer.status != 200:
        return None
    kind = answer.data.get("type")
    version = int(str(mapping(answer.data.get("options")).get("version") or "1"))
    if kind not in ("kv", "generic") or version not in (1, 2):
        what = (
            f"an engine of type {kind}" if kind not in ("kv", "generic") else f"a key-value engine of version {version}"
        )
        raise UnsupportedEngineError(
            "reading", address, f"{mount}/ is {what}", "Name a key-value engine of version 1 or 2 in vault_mount."
        )
    if client.kv_version not in (None, version):
        raise UnsupportedEngineError(
            "reading",
            address,
            f"{mount}/ is a key-value engine of version {version}, and vault_kv_version is {client.kv_version}",
            "Leave vault_kv_version out, or name the mount that is meant in vault_mount.",
        )
    remember(client, mount, version)
    return version
