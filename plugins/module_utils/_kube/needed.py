# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which Secrets and ConfigMaps the plan depends on: those are read, each once, and no others."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import explicit
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.expansion import references
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.node_options import NODE_OPTIONS
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.process_env import optional, referenced
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired, SourceName


def needed_sources(observed: Observed, desired: Desired) -> tuple[SourceName, ...]:
    """Those of ``restart_for``; what wanted references name, because a container with a reference to nothing does not
    start; the sources of ``envFrom`` that could bring a managed variable which ``env`` does not set; and the same for
    whatever these refer to by ``$(NAME)``.
    """
    needed: dict[SourceName, None] = {("secret", one.secret): None for one in desired.restart_for}
    arriving: dict[str, None] = {}
    wanted_names = {variable.name for variable in desired.env}
    for variable in desired.env:
        if variable.source is not None:
            needed.update({} if variable.optional else {variable.source: None})
            continue
        arriving.update(_followed(observed, references(variable.value or ""), needed))
        if not explicit(observed.env, variable.name):
            arriving[variable.name] = None
    for one in desired.forbidden:
        if one.name in wanted_names:
            continue
        looked_at = [one.name, NODE_OPTIONS] if NODE_OPTIONS not in wanted_names else [one.name]
        followed = _followed(observed, looked_at, needed if one.value is not None or one.flags else {})
        arriving.update(followed if one.in_env_from else {name: None for name in followed if name not in looked_at})
        if one.in_env_from:
            arriving[one.name] = None
    for source in observed.env_from:
        if any(name.startswith(source.prefix) for name in arriving):
            needed[source.source] = None
    have = {source.source for source in observed.env_from}
    for wanted in desired.env_from:
        if wanted.source not in have and not wanted.optional:
            needed[wanted.source] = None
    return tuple(needed)


def _followed(observed: Observed, names: Iterable[str], needed: dict[SourceName, None]) -> dict[str, None]:
    """The names that only ``envFrom`` can bring, among ``names`` and what their entries refer to.

    References to keys of Secrets and ConfigMaps on the way are added to ``needed``.
    """
    left, seen, arriving = list(names), set(), dict[str, None]()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        at = explicit(observed.env, name)
        if not at:
            arriving[name] = None
        for index in at:
            entry = observed.env[index]
            target = referenced(entry)
            if target is not None:
                needed[target[0]] = None
            if optional(entry):  # it may set nothing, and then what came before stays
                arriving[name] = None
            left += references(str(entry.get("value") or "")) if not entry.get("valueFrom") else ()
    return arriving
