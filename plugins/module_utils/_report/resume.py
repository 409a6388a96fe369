# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a repair found, what it did about it and what is there now. Said once, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, UNCHECKED, Action, Item

STEPS: tuple[tuple[str, str], ...] = (
    ("vault_token", "Vault token of the backend"),
    ("backend_access", "Vault address, TLS trust, pods"),
    ("amazon_app", "Amazon application credentials"),
    ("amazon_tenant", "Tenant's connection to Amazon"),
    ("amazon_orders", "Orders of the window"),
)
"""The steps of a repair in their order: the check's name and its title."""

DONE: Mapping[Action, str] = {
    "create": "created",
    "update": "updated",
    "remove": "removed",
    "undelete": "undeleted",
    "renew": "renewed",
    "restart": "restarted",
    "reauthorize": "reauthorized",
}


@dataclass(frozen=True)
class Step:
    """One row of the résumé, in words."""

    title: str
    found: str
    done: str
    now: str


@dataclass(frozen=True)
class Problem:
    """One item that was not in sync, what was done about it and its status now, in words."""

    item: Item
    done: str
    now: str


def steps(found: Sequence[Item], now: Sequence[Item]) -> tuple[Step, ...]:
    """A row for each step that was looked at before the repair."""
    rows = []
    for check, title in STEPS:
        before = [item for item in found if item.check == check]
        after = [item for item in now if item.check == check]
        if before:
            rows.append(Step(title, _statuses(before), _actions(before, now), _statuses(after)))
    return tuple(rows)


def problems(found: Sequence[Item], now: Sequence[Item]) -> tuple[Problem, ...]:
    """Every item that was not in sync, in the order in which it was found."""
    status = {item.id: str(item.status) for item in now}
    return tuple(
        Problem(item, _actions((item,), now), status.get(item.id, "not looked at"))
        for item in found
        if item.status not in CLEAN
    )


def _actions(found: Iterable[Item], now: Iterable[Item]) -> str:
    """What was planned counts as done only where the last look finds it done. A setting that is insecure as it was
    asked for is done, too."""
    good = {item.id for item in now if item.status in CLEAN or item.status == "insecure"}
    items = [item for item in found if item.id in good]
    done = sorted({DONE[item.action] for item in items if item.action != "none"})
    if not done:
        # Nobody wrote it: what it waited for is there now.
        return "checked" if any(item.status in UNCHECKED for item in items) else "nothing"
    return ", ".join(done)


def _statuses(items: Sequence[Item]) -> str:
    if not items:
        return "not looked at"
    return ", ".join(sorted({item.status for item in items if item.status not in CLEAN})) or "in sync"
