# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The environment a container's process gets, resolved as the kubelet does (kubelet_pods.go, Kubernetes 1.36).

First the sources of ``envFrom`` in order, then the entries of ``env`` in order; each sets its variable anew. A
``$(NAME)`` is looked up among what is set by then. An optional reference that leads nowhere sets nothing, so what
came before stays; one that is not optional keeps the container from starting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Source
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.display import described, looks_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.expansion import expand, references
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import EnvFrom, SourceKind, SourceName

State = Literal["present", "empty", "unset", "unknown", "broken"]
SERVICE = re.compile(r"[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT\w*|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
"""Names the kubelet itself sets for each Service of the namespace."""


@dataclass(frozen=True)
class Reached:
    """One variable as it reaches the process.

    ``text`` is None where it is not known here. ``broken``: the container cannot start, ``problem`` says why.
    ``unset``: the entry is there and sets nothing. ``public``: nothing of a Secret is in the text.
    """

    place: str
    state: State
    text: str | None = field(default=None, repr=False)
    problem: str = ""
    unresolved: tuple[str, ...] = ()
    public: bool = False


@dataclass(frozen=True)
class ProcessEnv:
    """The variables by name, and what each entry of ``env`` gives by its index."""

    variables: Mapping[str, Reached]
    entries: tuple[Reached, ...]


def process_env(
    env: Sequence[Mapping[str, Any]], env_from: Sequence[EnvFrom], known: Mapping[SourceName, Source]
) -> ProcessEnv:
    """Resolve. Sources that are not in ``known`` were not needed: they set nothing that anybody asks for."""
    variables: dict[str, Reached] = {}
    unread: list[tuple[str, str]] = []
    for source in env_from:
        state = known.get(source.source)
        if state is None:
            continue
        if state.exists is None:
            unread.append((source.prefix, state.problem))
            for name in [name for name in variables if name.startswith(source.prefix)]:
                variables[name] = Reached(variables[name].place, "unknown", problem=state.problem)
        for key, value in state.values.items():
            variables[source.prefix + key] = _given(f"from {label(source.source)} key {key} (envFrom)", value, source)
    entries = []
    for entry in env:
        found = _entry(entry, variables, unread, known)
        entries.append(found)
        if found.state != "unset":
            variables[str(entry.get("name"))] = found
    return ProcessEnv(variables, tuple(entries))


def label(source: SourceName) -> str:
    """``Secret x`` or ``ConfigMap x``."""
    return f"{'Secret' if source[0] == 'secret' else 'ConfigMap'} {source[1]}"


def referenced(entry: Mapping[str, Any]) -> tuple[SourceName, str] | None:
    """The Secret or ConfigMap and the key that an EnvVar refers to."""
    reference = entry.get("valueFrom") or {}
    forms: tuple[tuple[SourceKind, str], ...] = (("secret", "secretKeyRef"), ("config_map", "configMapKeyRef"))
    for kind, form in forms:
        if reference.get(form):
            return (kind, str(reference[form].get("name"))), str(reference[form].get("key"))
    return None


def optional(entry: Mapping[str, Any]) -> bool:
    """Whether the reference of an EnvVar may lead nowhere."""
    return any(bool((form or {}).get("optional")) for form in (entry.get("valueFrom") or {}).values())


def _given(place: str, value: str, source: EnvFrom | None = None) -> Reached:
    public = source is not None and source.kind == "config_map"
    return Reached(place, "present" if value else "empty", value, public=public)


def _entry(
    entry: Mapping[str, Any],
    variables: Mapping[str, Reached],
    unread: Sequence[tuple[str, str]],
    known: Mapping[SourceName, Source],
) -> Reached:
    reference = entry.get("valueFrom")
    if not reference:
        return _plain(str(entry.get("name")), str(entry.get("value") or ""), variables, unread)
    place, target = described(reference), referenced(entry)
    if target is None:
        return Reached(place, "unknown", problem="it is known to the node only")
    state = known.get(target[0])
    if state is None or state.exists is None:
        return Reached(place, "unknown", problem=state.problem if state else f"{label(target[0])} was not read")
    if target[1] in state.values:
        value = state.values[target[1]]
        return Reached(place, "present" if value else "empty", value, public=target[0][0] == "config_map")
    if optional(entry):
        return Reached(place, "unset")
    what = f"has no key {target[1]}" if state.exists else "does not exist"
    return Reached(place, "broken", problem=f"{label(target[0])} {what}")


def _plain(name: str, text: str, variables: Mapping[str, Reached], unread: Sequence[tuple[str, str]]) -> Reached:
    unresolved, problems, public = [], [], not looks_secret(name, text)
    for one in references(text):
        found = variables.get(one)
        if found is None:
            hidden = [problem for prefix, problem in unread if one.startswith(prefix)]
            if SERVICE.fullmatch(one):
                hidden.append(f"{one} may be set by the node for a Service")
            problems += hidden
            unresolved += [] if hidden else [one]
        elif found.text is None:
            problems.append(f"$({one}) is not known: {found.problem}")
        else:
            public = public and found.public and not looks_secret(one, found.text)
    if problems:
        return Reached("env", "unknown", problem="; ".join(dict.fromkeys(problems)), unresolved=tuple(unresolved))

    def value_of(one: str) -> str | None:
        return variables[one].text if one in variables else None

    whole = expand(text, value_of)
    return Reached("env", "present" if whole else "empty", whole, unresolved=tuple(unresolved), public=public)
