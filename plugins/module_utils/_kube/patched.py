# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What an object is after the operations of a JSON Patch, without asking a server."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import Operation


def patched(document: Mapping[str, Any], operations: Iterable[Operation]) -> dict[str, Any]:
    """A copy with ``add``, ``replace`` and ``remove`` carried out; every ``test`` is taken to hold.

    Only for operations that :mod:`json_patch` made from this very document: a path that leads nowhere is a mistake
    there, and raises KeyError or IndexError.
    """
    result = copy.deepcopy(dict(document))
    for operation in operations:
        if operation["op"] == "test":
            continue
        *above, last = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
        place: Any = result
        for step in above:
            place = place[int(step)] if isinstance(place, list) else place[step]
        value = copy.deepcopy(operation.get("value"))
        if isinstance(place, list):
            _in_list(place, operation["op"], last, value)
        elif operation["op"] == "remove":
            del place[last]
        else:
            place[last] = value
    return result


def _in_list(entries: list[Any], op: str, last: str, value: Any) -> None:
    if op == "remove":
        del entries[int(last)]
    elif op == "replace":
        entries[int(last)] = value
    else:
        entries.insert(len(entries) if last == "-" else int(last), value)
