# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is shown of the variables that reach the process: where each comes from, and its value where that is public."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.display import looks_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.process_env import Reached, process_env


def effective(observed: Observed, names: Iterable[str]) -> dict[str, dict[str, object]]:
    """For each name that is set: ``source``, ``state``, and for a plain public one its ``value``.

    ``state`` is ``present``, ``empty``, ``unset`` (an optional reference that leads nowhere), ``broken`` (the container
    cannot start with it) or ``unknown``. ``unresolved`` lists the ``$(NAME)`` that the process gets as bare text.
    """
    resolved = process_env(observed.env, observed.env_from, observed.sources)
    last = {str(entry.get("name")): found for entry, found in zip(observed.env, resolved.entries, strict=True)}
    shown: dict[str, dict[str, object]] = {}
    for name in names:
        found = resolved.variables.get(name) or last.get(name)
        if found is not None:
            shown[name] = _shown(name, found)
    return shown


def _shown(name: str, found: Reached) -> dict[str, object]:
    shown: dict[str, object] = {"source": found.place, "state": found.state}
    if found.place == "env" and found.public and found.text is not None and not looks_secret(name, found.text):
        shown["value"] = found.text
    if found.unresolved:
        shown["unresolved"] = list(found.unresolved)
    if found.problem:
        shown["problem"] = found.problem
    return shown
