# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What to do about a field that somebody else's tool writes too: block, warn or go on, and say what survives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import (
    NOTHING,
    declared_value,
    includes,
    owns_value,
    steps_of,
    value_at,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.tools import Tool, tool_of

Policy = Literal["auto", "warn", "block", "force"]
Risk = Literal["none", "possible", "certain", "unknown"]
POLICIES: tuple[Policy, ...] = ("auto", "warn", "block", "force")


@dataclass(frozen=True)
class Subject:
    """An object before and after what is planned for it."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.before.get("metadata") or {}


def judged(items: Iterable[Item], subjects: Mapping[str, Subject], policy: Policy) -> list[Item]:
    """The items with the risk that what is wanted is undone, and those blocked that the policy does not let through.

    :param subjects: the object that an item is about, by the item's id. Items of no object stay as they are.
    """
    return [_judged(item, subjects[item.id], policy) if item.id in subjects else item for item in items]


def warnings(items: Iterable[Item], policy: Policy) -> tuple[str, ...]:
    """What the user is warned of: fields about to be written, or written, that a tool writes back or does not know."""
    found: dict[tuple[str, str, bool], list[str]] = {}
    for item in pending(items):
        owner = item.owner
        if owner.gitops is None or owner.revert_risk in {"none", "unknown"} or policy == "force":
            continue
        key = (owner.gitops, owner.source or "", owner.revert_risk == "certain")
        found.setdefault(key, []).append(item.id.rpartition("/")[2])
    return tuple(
        f"{tool} ({source}) declares {', '.join(sorted(names))} with other values and will write them back: put "
        "git_fragment where it takes them from."
        if certain
        else f"{tool} ({source}) may not know of {', '.join(sorted(names))}: what is declared nowhere is lost when the "
        "object is made anew. Put git_fragment where it takes the object from."
        for (tool, source, certain), names in found.items()
    )


def _judged(item: Item, subject: Subject, policy: Policy) -> Item:
    tool = tool_of(subject.metadata)
    if tool is None or item.owner.path is None:
        return item
    path = steps_of(item.owner.path)
    risk = _risk(item, subject, tool, path)
    item = replace(item, owner=replace(item.owner, revert_risk=risk))
    if not pending([item]) or risk == "none":
        return item
    why = _why(item, tool, risk)
    if _blocks(item, tool, risk, policy):
        return replace(
            item,
            status="blocked",
            action="none",
            reason=_joined(item.reason, why),
            hint=f"Change it where {tool.name} takes it from (git_fragment has what to put there), or set "
            "on_foreign_owner to force to write it here although it will be undone.",
        )
    if policy == "force" and risk == "certain":
        why = f"{why} It is written all the same, because on_foreign_owner is force."
    return replace(item, reason=_joined(item.reason, why) if risk == "certain" else item.reason)


def _risk(item: Item, subject: Subject, tool: Tool, path: tuple[str, ...]) -> Risk:
    if tool.hands_off:
        return "none"
    owner, writes = item.owner, bool(pending([item]))
    if owner.revert_risk == "unknown":
        return "unknown"
    wanted = value_at(subject.after, path)
    declared = declared_value(subject.metadata, path)
    if declared is not NOTHING:
        return "none" if wanted is not NOTHING and includes(wanted, declared) else "certain"
    if not owner.declared:
        # Nobody puts back what is declared nowhere; but what was removed by hand may well be declared.
        return "none" if writes and wanted is NOTHING else "possible"
    if owns_value(subject.metadata, path):
        return "certain" if writes else "none"
    # Somebody has changed the value since the tool wrote it: what is there is not what the tool wants.
    return "possible" if writes else "certain"


def _blocks(item: Item, tool: Tool, risk: Risk, policy: Policy) -> bool:
    if policy == "block":
        return True
    return policy == "auto" and risk == "certain" and tool.continuous


def _why(item: Item, tool: Tool, risk: Risk) -> str:
    if risk == "certain":
        return f"{tool.words} declares this field with another value and writes that back {tool.when}."
    if item.owner.declared:
        return f"{tool.words} declares this field, with a value that cannot be seen here."
    return f"{tool.words} applies this object."


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def policy_of(given: object) -> Policy:
    """The option on_foreign_owner; ``auto`` if it is not given."""
    return next((one for one in POLICIES if one == given), "auto")


def subjects_of(
    items: Sequence[Item],
    deployment: Subject,
    config_maps: Mapping[str, Subject],
) -> dict[str, Subject]:
    """By the item's id: the ConfigMap for ``…/config/NAME``, the Deployment for what stands in its pod template."""
    found = {}
    for item in items:
        _step, kind, name = item.id.rsplit("/", 2) if item.id.count("/") >= 2 else ("", "", "")
        if kind == "config":
            found.update({item.id: config_maps[name]} if name in config_maps else {})
        elif kind in {"env", "forbidden", "env_from", "mount"}:
            found[item.id] = deployment
    return found
