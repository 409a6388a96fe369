# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A look held against a plan: which steps may be taken, and what is refused because it has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, Item, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import FOLLOWS, Group, group_of, moved

IS_DONE = "it is in sync already"


@dataclass(frozen=True)
class Refusal:
    """Something that is not applied, and why."""

    id: str
    why: str
    group: Group


@dataclass(frozen=True)
class Held:
    """What came of it.

    :param groups: calls that may be made. Each of them writes nothing but what was planned.
    :param refused: planned items that are not applied.
    :param unplanned: pending items that no plan has; they stay as they are.
    :param done: planned items that are in sync already.
    """

    groups: frozenset[Group]
    refused: tuple[Refusal, ...]
    unplanned: tuple[Refusal, ...] = ()
    done: tuple[str, ...] = field(default=())


def hold(entries: Sequence[Mapping[str, Any]], items: Sequence[Item]) -> Held:
    """Hold what is found now against what was planned.

    A call of a module writes all that is pending in its step, so a step is taken only if that is exactly what was
    planned, and none of what it waits for is refused.
    """
    found = {item.id: item for item in items}
    planned = {str(one["id"]): one for one in entries}
    follows = {follower for one in planned for follower in FOLLOWS.get(one, ())}
    refused: dict[str, Refusal] = {}
    done: list[str] = []
    for name, one in planned.items():
        group = group_of(name, str(one["check"]))
        item = found.get(name)
        if item is None:
            refused[name] = Refusal(name, "it is not there any more", group)
        elif item.status in CLEAN:
            done.append(name)
        elif why := moved(one, item):
            refused[name] = Refusal(name, why, group)
    unplanned = [
        Refusal(item.id, "it is not in the plan", group_of(item.id, item.check))
        for item in pending(items)
        if item.id not in planned and item.id not in follows
    ]
    open_entries = {name: one for name, one in planned.items() if name not in done}
    before = -1
    while before != len(refused):  # one refusal can hold up what waits for it, and that its whole step
        before = len(refused)
        for name, one in open_entries.items():
            group = group_of(name, str(one["check"]))
            why = _waits(one, refused) or _not_alone(group, (*refused.values(), *unplanned))
            if why and name not in refused:
                refused[name] = Refusal(name, why, group)
    groups = frozenset(group_of(name, str(one["check"])) for name, one in open_entries.items() if name not in refused)
    return Held(groups, tuple(refused.values()), tuple(unplanned), tuple(done))


def _waits(entry: Mapping[str, Any], refused: Mapping[str, Refusal]) -> str:
    waits = [one for one in entry["depends_on"] if one in refused]
    return f"it waits for {waits[0]}, which is refused" if waits else ""


def _not_alone(group: Group, others: Sequence[Refusal]) -> str:
    cause = next((one for one in others if one.group == group), None)
    return f"{cause.id} is written by the same call, and {cause.why}" if cause else ""
