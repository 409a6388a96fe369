# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""``$(NAME)`` in wanted values: what a value refers to has to be set before it, or the process gets the bare text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.expansion import references
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import ListEdit
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.process_env import process_env
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired

PREFIX = f"{CHECK}/env/"
Entry = Mapping[str, Any]
Placed = tuple["int | None", Entry]
"""An entry of ``env`` as planned, with its index in the list as it was read; None for a new one."""


def plan_references(
    observed: Observed, desired: Desired, items: Sequence[Item], edit: ListEdit
) -> tuple[tuple[Item, ...], ListEdit]:
    """Judge the wanted values that refer to others, in ``env`` as ``edit`` leaves it.

    A wanted variable that stands before what it refers to is moved behind it. One that refers to what is set nowhere
    is ``blocked`` if it would have to be written, and ``drifted`` without an action if it stands there already.
    """
    wanted = {one.name: one for one in desired.env if one.value is not None and references(one.value)}
    if not wanted:
        return tuple(items), edit
    placed: list[Placed] = [
        (index, edit.replaced.get(index, entry))
        for index, entry in enumerate(observed.env)
        if index not in edit.removed
    ]
    placed += [(None, entry) for entry in edit.appended]
    moved: set[str] = set()
    for _move in range(len(placed) ** 2):  # more moves than that would be a circle
        place = next((at for at, one in enumerate(placed) if _movable(placed, at, wanted)), None)
        if place is None:
            break
        index, entry = placed.pop(place)
        placed.append((None, entry))
        if index is not None:
            edit = ListEdit(
                {at: value for at, value in edit.replaced.items() if at != index}, (*edit.removed, index), edit.appended
            )
            moved.add(str(entry["name"]))
    edit = ListEdit(edit.replaced, edit.removed, tuple(entry for index, entry in placed if index is None))
    entries = [entry for _at, entry in placed]
    return tuple(
        _judged(observed, desired, item, entries, moved) if item.id.removeprefix(PREFIX) in wanted else item
        for item in items
    ), edit


def _movable(placed: Sequence[Placed], at: int, wanted: Mapping[str, object]) -> bool:
    """Whether this entry is a wanted one that refers to a later one, and no entry of others needs it where it is."""
    name = str(placed[at][1].get("name"))
    if name not in wanted:
        return False
    before = {str(entry.get("name")) for _at, entry in placed[: at + 1]}
    after = [entry for _at, entry in placed[at + 1 :]]
    needs = set(references(str(placed[at][1].get("value") or ""))) - before
    used = any(name in references(str(entry.get("value") or "")) and entry.get("name") not in wanted for entry in after)
    return bool(needs & {str(entry.get("name")) for entry in after}) and not used


def _judged(observed: Observed, desired: Desired, item: Item, entries: Sequence[Entry], moved: set[str]) -> Item:
    if item.status == "blocked":
        return item
    name = item.id.removeprefix(PREFIX)
    at = next((index for index, entry in enumerate(entries) if entry.get("name") == name), None)
    if at is None:  # it arrives by envFrom, where nothing is expanded
        return item
    have = {source.source for source in observed.env_from}
    sources = (*observed.env_from, *(source for source in desired.env_from if source.source not in have))
    found = process_env(entries, sources, observed.sources).entries[at]
    if found.unresolved:
        return _unresolved(item, found.unresolved, {str(entry.get("name")) for entry in entries[at + 1 :]})
    if found.state == "unknown" and item.action == "none":
        hint = "Allow get on what it refers to."
        reason = f"What its references stand for is not known: {found.problem}."
        return replace(item, status="unknown", reason=reason, hint=hint)
    if name in moved and item.action == "none":
        reason = "It stands before a variable it refers to, so the process gets the bare text; it is moved."
        return replace(item, status="drifted", action="update", before=f"{item.before} (too early)", reason=reason)
    return item


def _unresolved(item: Item, names: tuple[str, ...], later: set[str]) -> Item:
    parts = [f"$({name}), which is set {'only after it' if name in later else 'nowhere before it'}" for name in names]
    reason = f"It refers to {' and '.join(parts)}, so the process gets that text itself."
    hint = f"Set {', '.join(names)} before it, or write $$({names[0]}) if the text is meant."
    if item.action == "none":
        return replace(item, status="drifted", reason=reason, hint=hint)
    return replace(item, status="blocked", action="none", reason=reason, hint=hint)
