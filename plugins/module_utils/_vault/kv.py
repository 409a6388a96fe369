# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Documents of a key-value engine of either version: read, merge without losing a race, undelete, note their origin.

A read tells apart what a plain 404 hides: never there, soft-deleted (can be undeleted), destroyed (is gone).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BlockedError,
    ForbiddenError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import engine, kv1, kv2
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.document import (
    CasMismatch,
    Depth,
    Document,
    State,
    UnsupportedEngineError,
    ending,
    target,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.kv2 import Noted, Version

__all__ = ["CasMismatch", "Depth", "Document", "Noted", "State", "UnsupportedEngineError", "Version", "ending"]

MANAGED_BY = "keybuzz.amazon"
"""Noted in the custom metadata of what is written here."""


def read(client: VaultClient, mount: str, path: str, depth: Depth = "values") -> Document:
    """The current version of a document.

    One request for a document of version 2; one more if there is nothing, or if the engine is of version 1, but only
    the first time for each mount.

    :param depth: ``keys`` reads no value; such a document cannot be written.
    :raises UnsupportedEngineError: the mount is no key-value engine, or not of the version that was named.
    :raises BlockedError: depth is ``keys`` and the engine is of version 1, which tells keys with their values only.
    """
    if engine.expected(client, mount) == 1:
        return _read_old(client, mount, path, depth)
    address = client.url(target(mount, "data", path))
    try:
        found = kv2.read_keys(client, mount, path) if depth == "keys" else kv2.read(client, mount, path)
    except (ForbiddenError, kv2.NoDocumentError):
        # A policy for version 1 knows nothing below data/.
        if engine.confirmed(client, mount) or engine.ask(client, mount, address) != 1:
            raise
        return _read_old(client, mount, path, depth)
    if found:
        engine.remember(client, mount, 2)
        return found
    version = engine.ask(client, mount, address)
    if version == 1:
        return _read_old(client, mount, path, depth)
    return Document(address=address, state="absent", engine=version or client.kv_version, depth=depth)


def write_merged(
    client: VaultClient,
    mount: str,
    path: str,
    values: Mapping[str, str],
    *,
    read: Document,
    without: Iterable[str] = (),
) -> int:
    """Write these values into the document, keeping all its other keys, if it still is what was read.

    Values are strings: the audit log writes numbers and booleans in clear (Vault: audit devices).

    :param without: keys to leave out.
    :returns: the number of the new version; 0 with engine version 1.
    :raises CasMismatch: somebody else has written meanwhile. Version 1 cannot always tell, see :func:`kv1.write`.
    """
    if read.depth != "values":
        raise ValueError("a document whose values were not read cannot be written")
    gone = frozenset(without)
    kept = {key: value for key, value in read.raw.items() if key not in gone}
    merged = {**kept, **{key: str(value) for key, value in values.items()}}
    if read.engine is None:
        raise BlockedError(
            "writing",
            read.address,
            f"the token may not know of which version the key-value engine at {mount}/ is, and there is no document",
            "Check vault_mount, and set vault_kv_version.",
        )
    write = kv1.write if read.engine == 1 else kv2.write
    return write(client, mount, path, merged, read_before=read)


def undelete(client: VaultClient, mount: str, path: str, version: int) -> None:
    """Bring a soft-deleted version back. Makes no new version."""
    kv2.undelete(client, mount, path, version)


def versions(client: VaultClient, mount: str, path: str) -> tuple[Version, ...]:
    """The versions of a document of version 2, the newest first."""
    return kv2.versions(client, mount, path)


def read_version(client: VaultClient, mount: str, path: str, number: int) -> Document | None:
    """One version of a document of version 2; ``None`` if it is not kept any more."""
    return kv2.read(client, mount, path, number=number)


def note(client: VaultClient, mount: str, path: str, values: Mapping[str, str], *, read: Document) -> Noted:
    """Set keys of the document's custom metadata, keeping the others, where server and token allow it."""
    if read.engine == 1:
        return "not_supported"
    return kv2.note(client, mount, path, values)


def _read_old(client: VaultClient, mount: str, path: str, depth: Depth) -> Document:
    address = client.url(target(mount, "", path))
    if depth == "keys":
        engine.ask(client, mount, address)
        raise BlockedError(
            "reading the keys of",
            address,
            f"{mount}/ is a key-value engine of version 1, which tells keys together with their values only",
            "Look with depth: values and a token that may read it, or upgrade the engine: "
            f"vault kv enable-versioning {mount}/",
        )
    document = kv1.read(client, mount, path)
    if document.state == "absent":
        engine.ask(client, mount, address)  # Version 2 has nothing at this path whatever there is below data/.
    return document
