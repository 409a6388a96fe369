# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The values that the application's document is wanted to hold: from a Kubernetes Secret, or given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState, read_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_plan import FIELDS, SHOWN, Wish, clean
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.instants import instant

Protect = Callable[[Iterable[str | None]], None]


def refuse_ambiguous_keys(keys: Mapping[str, str]) -> None:
    """Two values under one key would overwrite each other on each run, with a new version each time."""
    if all(keys.values()) and len(set(keys.values())) == len(keys):
        return
    raise BadInputError(
        "reading option",
        "document_keys",
        "a key is empty or named twice",
        f"Give each of {', '.join(keys)} a key of its own.",
    )


def wished(options: Mapping[str, Any], kube: KubeClient | None, protect: Protect) -> Wish:
    """The values to write, from the source Secret and the given values; a given one wins."""
    given = {name: clean(options.get(name)) for name in FIELDS if clean(options.get(name))}
    source = options.get("source_secret")
    if not source or kube is None:
        return Wish(given, problem=None if given else "No source_secret and no values were given")
    state = _read_source(kube, source, protect)
    keys = source["keys"]
    stored = {name: clean(state.data.get(keys[name])) for name in FIELDS if clean(state.data.get(keys[name]))}
    lacking = [keys[name] for name in FIELDS if name not in stored and name not in given]
    problem = None
    if not state.exists and not given:
        problem = f"{state.address} does not exist"
    elif lacking:
        problem = f"{state.address} lacks {', '.join(lacking)}" if state.exists else f"{state.address} does not exist"
    return Wish(
        {**stored, **given},
        source=f"{state.address} and the given values"
        if given and stored
        else state.address
        if stored
        else "the given values",
        problem=problem,
        since=None if "client_secret" in given else instant(state.data_written),
    )


def _read_source(kube: KubeClient, source: Mapping[str, Any], protect: Protect) -> SecretState:
    """Read the Secret and have its secrets masked, but not a region, which stands in many other outputs."""
    values: list[str | None] = []
    state = read_secret(kube, source["namespace"], source["name"], values.extend)
    harmless = {state.data.get(source["keys"][name]) for name in SHOWN}
    harmless |= {state.encoded.get(source["keys"][name]) for name in SHOWN}
    protect([value for value in values if value not in harmless])
    protect([clean(state.data.get(source["keys"][name])) for name in FIELDS if name not in SHOWN])
    return state
