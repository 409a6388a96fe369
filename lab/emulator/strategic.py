# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategic merge patch (k8s.io/apimachinery/pkg/util/strategicpatch), as far as the lab's kinds have it.

Lists with a merge key are merged item by item, new items come first unless ``$setElementOrder`` says otherwise;
``$patch: delete`` and ``$patch: replace`` are known; all other lists are replaced.
"""

from __future__ import annotations

import copy
from typing import Any

from lab.emulator.errors import bad_request
from lab.emulator.schema import MERGE_KEYS

Object = dict[str, Any]

_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"


def strategic_merge(item: Object, patch: Object) -> Object:
    return _merge_map(item, patch)


def _merge_map(target: Object, patch: Object) -> Object:
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    result = dict(target)
    retained = patch.get("$retainKeys")
    if retained is not None:
        result = {key: value for key, value in result.items() if key in retained}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
            result.pop(key, None)
        else:
            result[key] = _merged(key, result.get(key), value)
    for key, value in patch.items():
        if key.startswith(_DELETE_PRIMITIVES):
            name = key.removeprefix(_DELETE_PRIMITIVES)
            result[name] = [entry for entry in result.get(name) or [] if entry not in value]
        if key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            if name in MERGE_KEYS:
                result[name] = _ordered(result.get(name) or [], value, MERGE_KEYS[name])
    return result


def _merged(key: str, before: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return _merge_map(before if isinstance(before, dict) else {}, value)
    if isinstance(value, list) and _is_keyed(key, value):
        return _merge_list(before or [], value, MERGE_KEYS[key])
    return copy.deepcopy(value)


def _is_keyed(key: str, value: list[Any]) -> bool:
    return key in MERGE_KEYS and all(isinstance(entry, dict) for entry in value)


def _merge_list(target: list[Object], patch: list[Object], key: str) -> list[Object]:
    if any(entry.get("$patch") == "replace" for entry in patch):
        return [copy.deepcopy(entry) for entry in patch if "$patch" not in entry]
    result = list(target)
    added: list[Object] = []
    for entry in patch:
        if key not in entry:
            raise bad_request(f"map: {sorted(entry)} does not contain declared merge key: {key}")
        places = [place for place, known in enumerate(result) if known.get(key) == entry[key]]
        if entry.get("$patch") == "delete":
            # All with that key go (kubernetes#58477).
            result = [known for known in result if known.get(key) != entry[key]]
        elif places:
            result[places[0]] = _merge_map(result[places[0]], entry)
        else:
            added.append(_merge_map({}, entry))
    return added + result


def _ordered(items: list[Object], order: list[Object], key: str) -> list[Object]:
    """Items the order names in that order; the others keep their place relative to what preceded them."""
    wanted = [entry[key] for entry in order]
    named = sorted((item for item in items if item.get(key) in wanted), key=lambda item: wanted.index(item[key]))
    result = list(named)
    for place, item in enumerate(items):
        if item.get(key) not in wanted:
            before = items[:place]
            anchor = max((result.index(known) + 1 for known in before if known in result), default=0)
            result.insert(anchor, item)
    return result
