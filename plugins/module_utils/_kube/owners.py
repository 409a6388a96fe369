# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who else writes a field of an object, since when, and whether our change of it will survive."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Owner
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import FIELD_MANAGER
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.metadata import claims
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.tools import tool_of

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""What client-side apply (Argo CD's default, kubectl's) was last given: it holds the declared values themselves."""
NOTHING = object()


def owner_of(metadata: Mapping[str, Any], path: tuple[str, ...] = ()) -> Owner:
    """Owner of the field at ``path`` (steps of fieldsV1; empty: the object), if the field were changed.

    ``revert_risk``: certain if the tool that marks the object also owns the value that is there (it writes that back);
    possible if it marks the object and does not declare the field, or declares it and somebody else has changed the
    value since; unknown where the server keeps no managedFields; none otherwise. :mod:`foreign` knows more: what is
    wanted.
    """
    found = claims(metadata, path)
    since = max((claim.time for claim in found if claim.whole and claim.time), default=None)
    names = tuple(sorted({claim.manager for claim in found}))
    where = shown_path(path) or None
    tool = tool_of(metadata)
    if tool is None:
        return Owner(managers=names, path=where, since=since)
    given = declared_value(metadata, path)
    if not metadata.get("managedFields") and given is NOTHING:
        return Owner(gitops=tool.name, revert_risk="unknown", source=tool.source, path=where)
    theirs = [claim for claim in found if claim.manager in tool.managers and claim.manager != FIELD_MANAGER]
    whole = any(claim.whole for claim in theirs)
    return Owner(
        managers=names,
        gitops=tool.name,
        revert_risk="none" if tool.hands_off else "certain" if whole else "possible",
        source=tool.source,
        declared=_declared(metadata, bool(theirs) or given is not NOTHING, there=bool(found)),
        path=where,
        since=since,
    )


def _declared(metadata: Mapping[str, Any], declares: bool, *, there: bool) -> bool | None:
    """A field that is not there belongs to nobody, so only what was last applied tells whether it was declared."""
    return declares if declares or there or LAST_APPLIED in (metadata.get("annotations") or {}) else None


def owns_value(metadata: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Whether the tool that marks the object owns the value that is there: it is what the tool wants."""
    tool = tool_of(metadata)
    return tool is not None and any(one.whole and one.manager in tool.managers for one in claims(metadata, path))


def declared_value(metadata: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """What the object's source says of the field, or NOTHING where it does not, or nobody can tell."""
    text = (metadata.get("annotations") or {}).get(LAST_APPLIED)
    try:
        given = json.loads(text) if text else None
    except ValueError:
        given = None
    return value_at(given, path) if isinstance(given, dict) and path else NOTHING


def value_at(item: Any, path: Iterable[str]) -> Any:
    """The value at the steps of a fieldsV1 path, or NOTHING. Of entries with the same key the last one counts."""
    for step in path:
        if step.startswith("f:"):
            item = item.get(step[2:], NOTHING) if isinstance(item, Mapping) else NOTHING
        else:
            key = json.loads(step[2:])
            entries = item if isinstance(item, list) else []
            found = [one for one in entries if all(one.get(name) == value for name, value in key.items())]
            item = found[-1] if found else NOTHING
        if item is NOTHING:
            return NOTHING
    return item


def includes(whole: Any, part: Any) -> bool:
    """Whether everything ``part`` says is so in ``whole``, which may hold the server's defaults beside it."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(includes(whole.get(key), value) for key, value in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(includes, whole, part))
    return bool(whole == part)


def shown_path(path: Iterable[str]) -> str:
    """``.spec.containers[name="web"].env[name="A"]``; keys that are not plain words are quoted: ``.data["ca.crt"]``."""
    shown = ""
    for step in path:
        if step.startswith("k:"):
            pairs = json.loads(step[2:]).items()
            shown += "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in pairs) + "]"
        else:
            plain = re.fullmatch(r"[A-Za-z0-9_-]+", step[2:])
            shown += f".{step[2:]}" if plain else f"[{json.dumps(step[2:])}]"
    return shown


def steps_of(shown: str) -> tuple[str, ...]:
    """The inverse of :func:`shown_path`."""
    steps = []
    for word, quoted, key in re.findall(
        r'\.([A-Za-z0-9_-]+)|\[("(?:[^"\\]|\\.)*")\]|\[(\w+="(?:[^"\\]|\\.)*")\]', shown
    ):
        if key:
            name, _equals, value = key.partition("=")
            steps.append("k:" + json.dumps({name: json.loads(value)}, separators=(",", ":")))
        else:
            steps.append(f"f:{json.loads(quoted) if quoted else word}")
    return tuple(steps)


TEMPLATE = ("f:spec", "f:template")
POD = (*TEMPLATE, "f:spec")


def in_container(container: str, *steps: str) -> tuple[str, ...]:
    """Path of a field of a container: ``in_container("web", "f:env", named("VAULT_ADDR"))``."""
    return (*POD, "f:containers", named(container), *steps)


def named(name: str) -> str:
    """The step into a list keyed by name."""
    return f'k:{{"name":"{name}"}}'


def mounted(path: str) -> str:
    """The step into volumeMounts, keyed by mountPath."""
    return f'k:{{"mountPath":"{path}"}}'
