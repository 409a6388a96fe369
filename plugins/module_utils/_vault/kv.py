# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Documents of a key-value engine, version 2: read, merge with check-and-set, undelete, custom metadata.

A read tells apart what a plain 404 hides: never there, soft-deleted (can be undeleted), destroyed (is gone).
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BlockedError,
    KeybuzzError,
    UnexpectedAnswerError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

State = Literal["present", "absent", "soft_deleted", "destroyed", "empty"]


class CasMismatch(KeybuzzError):
    """Somebody wrote the document after it was read. Nothing was written; read again."""

    status = "stale"


class UnsupportedEngineError(BlockedError):
    """The mount is not a key-value engine of version 2."""


@dataclass(frozen=True)
class Document:
    """One document as it was read.

    :param address: for people, ``https://host:8200/v1/secret/data/x``.
    :param state: ``present`` when the current version can be read and holds at least one key.
    :param version: number of the current version, whatever its state; 0 if there never was one. Check-and-set
        compares with exactly this.
    :param data: keys whose value is a string.
    :param raw: all keys with their values as they are.
    :param created_time: when the current version was written (ISO 8601, UTC), ``None`` if there is none.
    :param custom_metadata: the path's custom metadata, which belongs to no version.
    """

    address: str
    state: State
    version: int = 0
    data: Mapping[str, str] = field(repr=False, default_factory=dict)
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)
    created_time: str | None = None
    custom_metadata: Mapping[str, str] = field(default_factory=dict)


def read(client: VaultClient, mount: str, path: str) -> Document:
    """The current version of a document. One request; a second one only if there is nothing at all.

    :raises UnsupportedEngineError: the mount is version 1, or no key-value engine.
    """
    target = _target(mount, "data", path)
    answer = client.request("GET", target, doing="reading", accept=(200, 404))
    metadata = _mapping(answer.data.get("metadata"))
    address = client.url(target)
    if not metadata:
        _refuse_other_engines(client, mount, address)
        if answer.status != 404:
            raise UnexpectedAnswerError(
                "reading",
                address,
                "the answer is no document of a key-value engine of version 2",
                "Check vault_mount, and that nothing between here and the server rewrites its answers.",
            )
        return Document(address=address, state="absent")
    raw = _mapping(answer.data.get("data"))
    return Document(
        address=address,
        state=_state(answer.status, raw, metadata),
        version=int(metadata.get("version") or 0),
        data={key: value for key, value in raw.items() if isinstance(value, str)},
        raw=raw,
        created_time=metadata.get("created_time") or None,
        custom_metadata=_mapping(metadata.get("custom_metadata")),
    )


def write_merged(client: VaultClient, mount: str, path: str, values: Mapping[str, str], *, read: Document) -> int:
    """Write these values into the document, keeping all its other keys, if it still is what was read.

    Written as a whole rather than with PATCH, which needs a capability of its own and a version that is not
    deleted. Values are strings: the audit log writes numbers and booleans in clear (Vault: audit devices).

    :returns: the number of the new version.
    :raises CasMismatch: its version is not ``read.version`` any more.
    """
    merged = {**read.raw, **{key: str(value) for key, value in values.items()}}
    answer = client.request(
        "POST",
        _target(mount, "data", path),
        doing="writing",
        body={"options": {"cas": read.version}, "data": merged},
        accept=(200, 204, 400),
    )
    if answer.status != 400:
        return int(answer.data.get("version") or read.version + 1)
    if any("check-and-set parameter did not match" in error for error in answer.errors):
        raise CasMismatch(
            "writing",
            read.address,
            f"version {read.version}, which was read, is not the current one any more",
            "Somebody else writes here at the same time; run again.",
        )
    raise KeybuzzError(
        "writing",
        read.address,
        "the server does not take the document (HTTP 400)",
        "Look at the server's log, and at the mount's settings: vault read " + _target(mount, "config", ""),
    )


def undelete(client: VaultClient, mount: str, path: str, version: int) -> None:
    """Bring a soft-deleted version back. Makes no new version."""
    client.request("POST", _target(mount, "undelete", path), doing="undeleting", body={"versions": [version]})


def patch_custom_metadata(client: VaultClient, mount: str, path: str, values: Mapping[str, str]) -> None:
    """Set keys of the path's custom metadata, keeping the others. Makes no new version.

    It can be read by whoever may read the document: no secret and no plain hash belongs in it.

    :raises ForbiddenError: the token has no ``patch`` on the metadata path, which is a right of its own.
    """
    client.request(
        "PATCH",
        _target(mount, "metadata", path),
        doing="noting the origin in",
        body={"custom_metadata": dict(values)},
        content_type="application/merge-patch+json",
    )


def _state(status: int, raw: Mapping[str, Any], metadata: Mapping[str, Any]) -> State:
    if status == 404:
        return "destroyed" if metadata.get("destroyed") else "soft_deleted"
    return "present" if raw else "empty"


def _refuse_other_engines(client: VaultClient, mount: str, address: str) -> None:
    """Version 1 answers a read of ``<mount>/data/<path>`` as if there was nothing: ask before believing it."""
    answer = client.request(
        "GET",
        f"sys/internal/ui/mounts/{_quoted(mount)}",
        doing="looking up the engine of",
        accept=(200, 400, 403, 404),
    )
    if answer.status != 200:
        return  # The token may not know; the write that follows is refused by the server if it does not fit.
    engine = answer.data.get("type")
    version = str(_mapping(answer.data.get("options")).get("version") or "1")
    if engine in ("kv", "generic") and version == "2":
        return
    old = engine in ("kv", "generic")
    raise UnsupportedEngineError(
        "reading",
        address,
        f"{mount}/ is " + (f"a key-value engine of version {version}" if old else f"an engine of type {engine}"),
        "Name a key-value engine of version 2 in vault_mount"
        + (f", or upgrade this one: vault kv enable-versioning {mount}/" if old else "."),
    )


def _target(mount: str, kind: str, path: str) -> str:
    return "/".join(part for part in (_quoted(mount), kind, _quoted(path)) if part)


def _quoted(path: str) -> str:
    return urllib.parse.quote(path.strip("/"), safe="/")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
