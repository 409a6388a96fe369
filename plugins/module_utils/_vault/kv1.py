# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Key-value engine, version 1: one value a path, no versions, no times, no check-and-set."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.document import (
    Document,
    lost_race,
    mapping,
    strings,
    target,
)


def read(client: VaultClient, mount: str, path: str) -> Document:
    """The document. One request."""
    place = target(mount, "", path)
    answer = client.request("GET", place, doing="reading", accept=(200, 404))
    raw = mapping(answer.body.get("data")) if answer.status == 200 else {}
    return Document(
        address=client.url(place),
        state="absent" if answer.status == 404 else "present" if raw else "empty",
        data=strings(raw),
        raw=raw,
        engine=1,
        names=tuple(raw),
    )


def write(client: VaultClient, mount: str, path: str, document: Mapping[str, object], *, read_before: Document) -> int:
    """Write the whole document if it still is what was read, as far as that can be told.

    It is read again right before the write and right after it. What somebody else writes between the first two is
    overwritten unseen: the engine has nothing against that. Version 1 takes no empty document: that one is deleted.

    :raises CasMismatch: it was changed before, or it is not what was written after.
    """
    if read(client, mount, path).raw != read_before.raw:
        raise lost_race(read_before.address, "it is not what was read any more")
    place = target(mount, "", path)
    if document:
        client.request("POST", place, doing="writing", body=document)
    else:
        client.request("DELETE", place, doing="deleting")
    if read(client, mount, path).raw != document:
        raise lost_race(read_before.address, "right after the write it is not what was written")
    return 0
