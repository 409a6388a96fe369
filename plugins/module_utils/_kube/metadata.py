# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What stands in an object's metadata about its writers: names, owners, times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Claim:
    """That a manager has a part in a field.

    :param whole: it owns the field's value, or a part of it. Otherwise only the entry's key is its own: somebody else
        has changed the value since.
    """

    manager: str
    operation: str
    time: str | None
    whole: bool


def claims(metadata: Mapping[str, Any], path: Iterable[str] = ()) -> tuple[Claim, ...]:
    """Who has a part in the field at ``path`` (steps as in fieldsV1: ``f:data``, ``k:{"name":"x"}``), as listed.

    The empty path gives every manager of the object. Managers of a parent or of parts of the field count too:
    an atomic list is owned as a whole, a map in parts.
    """
    steps = tuple(path)
    found = []
    for entry in metadata.get("managedFields") or ():
        node: Any = entry.get("fieldsV1") or {}
        for step in steps:
            node = node.get(step) if isinstance(node, dict) else None
            if node is None:
                break
        if node is not None and entry.get("subresource") is None:
            keys = {".", *_keys(steps[-1])} if steps else {"."}
            found.append(
                Claim(
                    str(entry.get("manager") or "unnamed"),
                    str(entry.get("operation") or ""),
                    entry.get("time"),
                    whole=not node or bool(set(node) - keys),
                )
            )
    return tuple(found)


def _keys(step: str) -> set[str]:
    """The fields that are the key of a list's entry: ``{"f:name"}`` for ``k:{"name":"x"}``."""
    return {f"f:{name}" for name in json.loads(step[2:])} if step.startswith("k:") else set()


def managers(metadata: Mapping[str, Any], path: Iterable[str] = ()) -> tuple[str, ...]:
    """Names of those who have a part in the field at ``path``, sorted."""
    return tuple(sorted({claim.manager for claim in claims(metadata, path)}))


def written(metadata: Mapping[str, Any], fields: Iterable[str]) -> str | None:
    """When any of the top-level ``fields`` (``data``) was last written: RFC 3339 in UTC, to the second.

    managedFields keeps the time of each manager's last change. Without it the time of creation is all there is.
    """
    wanted = {f"f:{name}" for name in fields}
    times = [
        str(entry["time"])
        for entry in metadata.get("managedFields") or ()
        if entry.get("time") and wanted & set(entry.get("fieldsV1") or {})
    ]
    return max(times) if times else metadata.get("creationTimestamp")


def owner_references(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """``ExternalSecret vault-token (external-secrets.io/v1)`` for each owner."""
    return tuple(
        f"{owner.get('kind')} {owner.get('name')} ({owner.get('apiVersion')})"
        for owner in metadata.get("ownerReferences") or ()
    )
