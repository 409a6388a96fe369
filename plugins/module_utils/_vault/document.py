# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A document of a key-value engine as it was read, and what can go wrong with one."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError, KeybuzzError

State = Literal["present", "absent", "soft_deleted", "destroyed", "empty"]
Depth = Literal["keys", "values"]


class CasMismatch(KeybuzzError):
    """Somebody wrote the document after it was read. Nothing of theirs was overwritten; read again."""

    status = "stale"


class UnsupportedEngineError(BlockedError):
    """The mount is no key-value engine, or not of the version that was named."""


@dataclass(frozen=True)
class Document:
    """One document as it was read.

    :param address: for people, ``https://host:8200/v1/secret/data/x``.
    :param state: ``present`` when the current version can be read and holds at least one key.
    :param version: number of the current version, whatever its state; 0 if there never was one, and always with
        engine version 1. Check-and-set compares with exactly this.
    :param data: keys whose value is a string.
    :param raw: all keys with their values as they are; empty with depth ``keys``.
    :param created_time: when the current version was written (ISO 8601, UTC), ``None`` if there is none.
    :param ends: when the current version deletes itself (ISO 8601, UTC), ``None`` if it does not: mount or document may
        set ``delete_version_after``.
    :param custom_metadata: the path's custom metadata, which belongs to no version.
    :param engine: version of the key-value engine; ``None`` if there is nothing and the token may not know.
    :param depth: ``keys`` when no value was read.
    :param names: the keys; ``None`` when depth is ``keys`` and the token may not know them either.
    :param objects: those that hold an object instead of one value; told with depth ``keys`` only.
    """

    address: str
    state: State
    version: int = 0
    data: Mapping[str, str] = field(repr=False, default_factory=dict)
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)
    created_time: str | None = None
    ends: str | None = None
    custom_metadata: Mapping[str, str] = field(default_factory=dict)
    engine: int | None = 2
    depth: Depth = "values"
    names: tuple[str, ...] | None = ()
    objects: frozenset[str] = frozenset()


def ending(document: Document) -> tuple[str, ...]:
    """What to warn of when a document that is all right will not stay: each version has a time of its own."""
    if document.state != "present" or not document.ends:
        return ()
    return (
        f"{document.address} deletes itself at {document.ends}. "
        "Unless that is meant, set delete_version_after of the document and of its mount to 0s, and write it anew.",
    )


def target(mount: str, kind: str, path: str) -> str:
    """A path below ``/v1/``, quoted. Mount and path may have several segments."""
    return "/".join(part for part in (quoted(mount), kind, quoted(path)) if part)


def quoted(path: str) -> str:
    return urllib.parse.quote(path.strip("/"), safe="/")


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one: a server may answer ``null``."""
    return value if isinstance(value, Mapping) else {}


def strings(raw: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in raw.items() if isinstance(value, str)}


def lost_race(address: str, answered: str) -> CasMismatch:
    return CasMismatch("writing", address, answered, "Somebody else writes here at the same time; run again.")
