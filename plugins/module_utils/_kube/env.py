# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Environment variables of one container: what is wanted of its own list, and what has to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Severity
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed, Source
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.display import shown
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.expansion import expand, references
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import ListEdit
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import in_container, named, owner_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.process_env import label
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import (
    Desired,
    EnvFrom,
    SourceName,
    Variable,
)

CHECK = "backend_access"
BYPASS = "NODE_TLS_REJECT_UNAUTHORIZED"
BYPASS_REASON = (
    "NODE_TLS_REJECT_UNAUTHORIZED=0 is process-wide: it disables verification for api.amazon.com and SP-API too, so "
    "the client secret and the refresh token travel to an unverified peer"
)


@dataclass(frozen=True)
class Arrival:
    """A variable that arrives by ``envFrom``: the source that wins, its key, its value."""

    source: EnvFrom
    key: str
    value: str

    @property
    def place(self) -> str:
        return f"from {label(self.source.source)} key {self.key} (envFrom)"


def arrival(name: str, sources: Iterable[EnvFrom], known: Mapping[SourceName, Source]) -> Arrival | None:
    """Which source of ``envFrom`` gives ``name``: the last one that has it, as the kubelet resolves them."""
    found = None
    for source in sources:
        if not name.startswith(source.prefix):
            continue
        key = name[len(source.prefix) :]
        values = known[source.source].values if source.source in known else {}
        if key in values:
            found = Arrival(source, key, values[key])
    return found


def unseen(name: str, sources: Iterable[EnvFrom], known: Mapping[SourceName, Source]) -> tuple[str, ...]:
    """Why it is not certain what ``envFrom`` gives for ``name``: the problems of the sources nobody could read."""
    problems = []
    for source in sources:
        state = known.get(source.source)
        if name.startswith(source.prefix) and state is not None and state.exists is None:
            problems.append(state.problem)
    return tuple(problems)


def explicit(env: Sequence[Mapping[str, Any]], name: str) -> tuple[int, ...]:
    """Indices of the entries of ``env`` with this name; the last one wins."""
    return tuple(index for index, entry in enumerate(env) if entry.get("name") == name)


def same(entry: Mapping[str, Any], wanted: Variable) -> bool:
    """Whether an EnvVar of the API is the wanted one. An absent value is the empty one."""
    reference = entry.get("valueFrom")
    if wanted.source is None:
        return not reference and str(entry.get("value") or "") == (wanted.value or "")
    form = "secretKeyRef" if wanted.source[0] == "secret" else "configMapKeyRef"
    have = (reference or {}).get(form) or {}
    found = (have.get("name"), have.get("key"), bool(have.get("optional")))
    return found == (wanted.source[1], wanted.key, wanted.optional)


def plan_wanted(observed: Observed, desired: Desired) -> tuple[tuple[Item, ...], ListEdit]:
    """Items ``backend_access/env/NAME`` and the edit of ``env`` that brings the wanted variables."""
    items, replaced, appended = [], {}, []
    for variable in desired.env:
        item, index = _wanted(observed, desired, variable)
        items.append(item)
        if item.action == "none":
            continue
        if index is None:
            appended.append(variable.entry())
        else:
            replaced[index] = variable.entry()
    return tuple(items), ListEdit(replaced=replaced, appended=tuple(appended))


def _wanted(observed: Observed, desired: Desired, variable: Variable) -> tuple[Item, int | None]:
    at = explicit(observed.env, variable.name)
    after = shown(variable.entry())
    insecure = variable.name == BYPASS and variable.value == "0"
    item = Item(
        id=f"{CHECK}/env/{variable.name}",
        address=f"{observed.container_address} env {variable.name}",
        check=CHECK,
        severity="critical" if insecure else "high",
        status="in_sync",
        sensitive=after == "present" or variable.source is not None,
        after=after,
        owner=owner_of(observed.metadata, in_container(observed.container_name, "f:env", named(variable.name))),
    )
    if len(at) > 1:
        return _duplicated(item, at), None
    entry = observed.env[at[0]] if at else None
    if entry is not None and same(entry, variable):
        return _standing(observed, desired, variable, _kept(item, after, insecure)), at[0]
    found = arrival(variable.name, observed.env_from, observed.sources) if entry is None else None
    if found and variable.source is None and found.value == _literal(variable):
        return _arriving(observed, variable, item, found, insecure), None
    missing = _missing_reference(observed, desired, variable)
    if missing:
        return replace(item, status="blocked", before=shown(entry), reason=missing[0], hint=missing[1]), None
    before = found.place if found else _before(entry, variable)
    if entry is None and not found:
        why = "The variable is not there, so the backend starts without it."
        return replace(item, status="missing", action="create", before=before, reason=why), None
    why = "The variable arrives with another value." if found else "The variable has another value or source."
    return replace(item, status="drifted", action="update", before=before, reason=why), at[0] if at else None


def _literal(variable: Variable) -> str | None:
    """What the process gets of a wanted plain value, unless that depends on other variables."""
    text = variable.value or ""
    return None if references(text) else expand(text, lambda _: None)


def _standing(observed: Observed, desired: Desired, variable: Variable, item: Item) -> Item:
    """The item of a variable that stands there as wanted: a reference also has to lead somewhere."""
    if variable.source is None or variable.optional:
        return item
    state = observed.sources.get(variable.source)
    if state is None or state.exists is None:
        problem = state.problem if state else f"{label(variable.source)} was not read"
        reason = f"The reference is as wanted. Whether it leads somewhere is unknown: {problem}."
        return replace(item, status="unknown", reason=reason, hint=f"Allow get on {label(variable.source)}.")
    missing = _missing_reference(observed, desired, variable)
    return replace(item, status="blocked", reason=missing[0], hint=missing[1]) if missing else item


def _arriving(observed: Observed, variable: Variable, item: Item, found: Arrival, insecure: bool) -> Item:
    """The item of a variable that arrives by ``envFrom`` as wanted, unless a source nobody could read overrides it."""
    later = observed.env_from[observed.env_from.index(found.source) + 1 :]
    problems = unseen(variable.name, later, observed.sources)
    if not problems:
        return _kept(replace(item, reason=f"It arrives {found.place}."), found.place, insecure)
    reason = f"It arrives {found.place}, unless a later source overrides it: {'; '.join(problems)}."
    hint = "Allow get on these sources, or set the variable in env, where it wins."
    return replace(item, status="unknown", before="unknown", reason=reason, hint=hint)


def _before(entry: Mapping[str, Any] | None, wanted: Variable) -> str:
    """As :func:`shown`; a plain value in the place of a wanted reference to a Secret is a secret itself."""
    if entry is not None and not entry.get("valueFrom") and wanted.source and wanted.source[0] == "secret":
        return "present" if entry.get("value") else "empty"
    return shown(entry)


def _kept(item: Item, before: str, insecure: bool) -> Item:
    if not insecure:
        return replace(item, before=before)
    return replace(
        item,
        status="insecure",
        before=before,
        reason=f"{BYPASS_REASON}.",
        hint="Mount the CA and set NODE_EXTRA_CA_CERTS instead, then forbid this variable.",
    )


def _duplicated(item: Item, at: tuple[int, ...]) -> Item:
    places = " and ".join(str(index) for index in at)
    return replace(
        item,
        status="blocked",
        before="duplicated",
        reason=f"The container has this variable more than once, at env indices {places}; the last one wins.",
        hint="Remove all but one of them in the Deployment's manifest; which one is meant is not ours to guess.",
    )


def _missing_reference(observed: Observed, desired: Desired, variable: Variable) -> tuple[str, str] | None:
    """Why a wanted reference cannot be set: a container with a reference to nothing does not start."""
    if variable.source is None or variable.optional:
        return None
    if variable.source[0] == "secret" and _predicted(desired, variable.source[1]):
        return None
    state = observed.sources.get(variable.source)
    kind = label(variable.source)
    if state is None or state.exists is None:
        return f"Whether {kind} is there is unknown: {state.problem if state else 'unread'}.", f"Allow get on {kind}."
    if not state.exists or variable.key not in state.values:
        what = f"has no key {variable.key}" if state.exists else "does not exist"
        return f"{kind} {what}; the container would not start.", "Create it first."
    return None


def _predicted(desired: Desired, secret: str) -> bool:
    return any(one.secret == secret and one.will_change for one in desired.restart_for)


def plan_absent(observed: Observed, desired: Desired) -> tuple[tuple[Item, ...], tuple[int, ...]]:
    """Items and the indices to remove for the names that must not stand in the container's own list."""
    items: list[Item] = []
    removed: list[int] = []
    for name in desired.absent:
        at = explicit(observed.env, name)
        severity: Severity = "medium"
        items.append(
            Item(
                id=f"{CHECK}/env/{name}",
                address=f"{observed.container_address} env {name}",
                check=CHECK,
                severity=severity,
                status="drifted" if at else "in_sync",
                action="remove" if at else "none",
                before=shown(observed.env[at[-1]]) if at else "missing",
                after="missing",
                reason="The variable must not be set here." if at else "",
                owner=owner_of(observed.metadata, in_container(observed.container_name, "f:env", named(name))),
            )
        )
        removed += at
    return tuple(items), tuple(removed)
