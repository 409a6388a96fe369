# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns which field: ``metadata.managedFields`` of ordinary writers (operation Update).

A writer owns what it changed or added, and everybody else loses exactly that
(sigs.k8s.io/structured-merge-diff, merge.Updater.Update).
"""

from __future__ import annotations

import json
from typing import Any

from lab.emulator.schema import ATOMIC_MAPS, SET_LISTS, list_key

Object = dict[str, Any]
Path = tuple[str, ...]
Leaves = dict[Path, Any]

# Kept by the server itself: nobody owns them.
_OWN = {
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
}
# Structures that are always there: their presence is nobody's doing.
_ALWAYS = {"metadata", "spec", "status", "template", "containers", "strategy"}


def record(
    before: Object | None, after: Object, *, manager: str, api_version: str, subresource: str, time: str
) -> list[Object]:
    """The managedFields of ``after``, given those of ``before`` and who made the change."""
    old, new = (leaves(before) if before else {}), leaves(after)
    touched = {path for path, value in new.items() if path not in old or old[path] != value}
    gone = set(old) - set(new)
    me = (manager, "Update", api_version, subresource)
    result = []
    known = False
    for entry in (before or {}).get("metadata", {}).get("managedFields") or []:
        key = (entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", ""))
        owned = paths(entry["fieldsV1"]) - gone
        if key == me:
            known = True
            owned |= touched
            time_of = time if touched or gone else entry["time"]
        else:
            owned -= touched
            time_of = entry["time"]
        if owned:
            result.append({**entry, "time": time_of, "fieldsV1": _tree(owned)})
    if touched and not known:
        result.append(
            {
                "manager": manager,
                "operation": "Update",
                "apiVersion": api_version,
                "time": time,
                "fieldsType": "FieldsV1",
                "fieldsV1": _tree(touched),
                **({"subresource": subresource} if subresource else {}),
            }
        )
    return sorted(result, key=lambda entry: (entry["operation"], entry["time"]))


def leaves(item: Object) -> Leaves:
    """Path of field elements -> value, for everything somebody can own."""
    found: Leaves = {}
    for field, value in item.items():
        if field in ("apiVersion", "kind"):
            continue
        owned = {key: inner for key, inner in value.items() if key not in _OWN} if field == "metadata" else value
        _walk((f"f:{field}",), field, owned, found)
    return found


def paths(tree: Object, above: Path = ()) -> set[Path]:
    """The inverse of the fieldsV1 form."""
    found: set[Path] = set()
    for element, inner in tree.items():
        if element == ".":
            found.add((*above, "."))
        elif inner:
            found |= paths(inner, (*above, element))
        else:
            found.add((*above, element))
    return found


def _walk(path: Path, field: str, value: Any, found: Leaves) -> None:
    if isinstance(value, dict) and value and field not in ATOMIC_MAPS:
        if field not in _ALWAYS:
            found[(*path, ".")] = None
        for key, inner in value.items():
            _walk((*path, f"f:{key}"), key, inner, found)
    elif isinstance(value, list) and field in SET_LISTS:
        found[(*path, ".")] = None
        found.update({(*path, f"v:{json.dumps(entry)}"): None for entry in value})
    elif isinstance(value, list) and value and (keyed := _keyed(field, value)) is not None:
        if field not in _ALWAYS:
            found[(*path, ".")] = None
        for element, entry in keyed.items():
            found[(*path, element, ".")] = None
            for key, inner in entry.items():
                _walk((*path, element, f"f:{key}"), key, inner, found)
    else:
        found[path] = value


def _keyed(field: str, items: list[Any]) -> dict[str, Object] | None:
    """``k:{"name":"X"}`` -> item; None where the list has no keys or holds one twice."""
    found: dict[str, Object] = {}
    for item in items:
        key = list_key(field, item) if isinstance(item, dict) else None
        if key is None:
            return None
        element = "k:" + json.dumps(dict(sorted(key)), separators=(",", ":"))
        if element in found:
            return None
        found[element] = item
    return found


def _tree(owned: set[Path]) -> Object:
    tree: Object = {}
    for path in sorted(owned):
        place = tree
        for element in path:
            place = place.setdefault(element, {})
    return tree
