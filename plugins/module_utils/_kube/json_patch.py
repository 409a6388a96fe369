# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""JSON Patch (RFC 6902) operations that first test what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Operation = dict[str, Any]


@dataclass(frozen=True)
class ListEdit:
    """Changes of one list by index of the list as it was read. Appended entries keep their order."""

    replaced: Mapping[int, Any] = field(default_factory=dict)
    removed: tuple[int, ...] = ()
    appended: tuple[Any, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.replaced or self.removed or self.appended)

    def joined(self, other: ListEdit) -> ListEdit:
        """Both edits of the same list as one."""
        return ListEdit(
            {**self.replaced, **other.replaced}, self.removed + other.removed, self.appended + other.appended
        )

    def applied(self, before: Sequence[Any]) -> list[Any]:
        """The list after the edit."""
        kept = [self.replaced.get(index, entry) for index, entry in enumerate(before) if index not in self.removed]
        return [*kept, *self.appended]


def pointer(key: str) -> str:
    """One step of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def edit_list(path: str, before: Sequence[Any] | None, edit: ListEdit) -> list[Operation]:
    """Operations that carry out ``edit`` on the list at ``path``; None where the object has no such list."""
    if not edit:
        return []
    if not before:
        return [{"op": "add", "path": path, "value": list(edit.appended)}]
    operations: list[Operation] = []
    for index, entry in sorted(edit.replaced.items()):
        operations += replace(f"{path}/{index}", before[index], entry)
    for index in sorted(edit.removed, reverse=True):  # from the end, so that the indices before stay right
        operations += [
            {"op": "test", "path": f"{path}/{index}", "value": before[index]},
            {"op": "remove", "path": f"{path}/{index}"},
        ]
    operations += [{"op": "add", "path": f"{path}/-", "value": entry} for entry in edit.appended]
    return operations


def replace(path: str, before: Any, after: Any) -> list[Operation]:
    """Test the value at ``path``, then replace it."""
    return [{"op": "test", "path": path, "value": before}, {"op": "replace", "path": path, "value": after}]


def set_keys(path: str, before: Mapping[str, str] | None, values: Mapping[str, str]) -> list[Operation]:
    """Set keys of the map at ``path``, each tested if it was there; None where the object has no such map."""
    changed = {key: value for key, value in values.items() if (before or {}).get(key) != value}
    if not changed:
        return []
    if not before:
        return [{"op": "add", "path": path, "value": changed}]
    operations: list[Operation] = []
    for key, value in changed.items():
        at = f"{path}/{pointer(key)}"
        operations += replace(at, before[key], value) if key in before else [{"op": "add", "path": at, "value": value}]
    return operations
