# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Items as a plan keeps them, and whether an item of now is still what was planned."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import UNCHECKED, Item, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import StaleError

FINGERPRINT = re.compile(r"^present \(fp [0-9a-f]+\)$")
MOVING = frozenset({"amazon_orders"})
"""Checks whose items name the end of a window, which without a given end is two minutes ago at any time."""
SET_BY_THE_WRITE = frozenset({"after created_at"})
"""Values that say when they were written."""
FOLLOWS: Mapping[str, tuple[str, ...]] = {"vault_token/secret": ("vault_token/superseded",)}
"""What writing an item makes pending: a token that was replaced is revoked after the rollout."""


@dataclass(frozen=True)
class Group:
    """Items that one call of a module writes: a step, or a step of one tenant."""

    check: str
    tenant: str = ""


def group_of(item_id: str, check: str) -> Group:
    """The group of an item. Ids of tenants' items are ``check/tenant/part``."""
    if check not in {"amazon_tenant", "amazon_orders"}:
        return Group(check)
    parts = item_id.split("/")
    return Group(check, parts[1] if len(parts) > 2 else "")


def entry(item: Item) -> dict[str, Any]:
    """What a plan keeps of an item: no secret, and nothing that one could be guessed from."""
    return {
        "id": item.id,
        "address": item.address,
        "check": item.check,
        "severity": item.severity,
        "status": item.status,
        "action": item.action,
        "sensitive": item.sensitive,
        "before": shown(item.before),
        "after": shown(item.after),
        "reason": item.reason,
        "precondition": dict(item.precondition),
        "depends_on": list(item.depends_on),
    }


def shown(value: object) -> object:
    """A value without fingerprints: they are keyed for one run, and say nothing in another."""
    if isinstance(value, Mapping):
        return {str(key): shown(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(inner) for inner in value]
    return "present" if isinstance(value, str) and FINGERPRINT.match(value) else value


def planned(items: Sequence[Item]) -> list[dict[str, Any]]:
    """The entries of a plan: what a repair writes now, and what waits for that and is written then."""
    todo = pending(items)
    ids = {item.id for item in todo}
    waiting = [
        item for item in items if item.status in UNCHECKED and item.depends_on and ids.issuperset(item.depends_on)
    ]
    return [entry(item) for item in items if item in todo or item in waiting]


def moved(planned_entry: Mapping[str, Any], item: Item) -> str:
    """What has moved since the plan was made, in words; empty if nothing has.

    An entry that waited for others was not known then: it is what it turns out to be.
    """
    if planned_entry["action"] == "none":
        return ""
    found = entry(item)
    fields = ["status", "action"]
    if item.check not in MOVING:
        fields += ["precondition", "before", "after"]
    pairs = [
        (name, was, now)
        for field in fields
        for name, was, now in _pairs(field, _plain(planned_entry[field]), _plain(found[field]))
        if was != now and name not in SET_BY_THE_WRITE
    ]
    return "; ".join(f"{name} was {_said(was)} and is {_said(now)}" for name, was, now in pairs)


def _pairs(name: str, was: object, now: object) -> list[tuple[str, object, object]]:
    """Values to compare, of two dictionaries key by key."""
    if not (isinstance(was, dict) and isinstance(now, dict)):
        return [(name, was, now)]
    return [(f"{name} {key}", was.get(key), now.get(key)) for key in sorted({*was, *now})]


def refuse_unplanned(items: Iterable[Item], entries: Sequence[Mapping[str, Any]] | None) -> None:
    """Accept a call that writes what was planned and nothing else.

    :param items: as they are found now, before the first write.
    :param entries: the plan's entries; ``None``: there is no plan.
    :raises StaleError: something else would be written too, or something has moved. Nothing was written.
    """
    if entries is None:
        return
    known = {str(one["id"]): one for one in entries}
    follows = {follower for one in known for follower in FOLLOWS.get(one, ())}
    for item in pending(tuple(items)):
        if item.id in known:
            why = moved(known[item.id], item)
        else:
            why = "" if item.id in follows else "it is not in the plan, and the same call would write it"
        if why:
            raise StaleError(
                "applying the plan to",
                item.address,
                f"{item.id}: {why}. Nothing was written",
                "Make a new plan, and have it reviewed.",
            )


def _plain(value: object) -> object:
    return json.loads(json.dumps(value))


def _said(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."
