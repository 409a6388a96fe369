# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Items counted by their kind: what many items are told by where each of them cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, SEVERITIES, UNCHECKED


class Kind(NamedTuple):
    """What items are counted by."""

    check: str
    status: str
    severity: str


@dataclass(frozen=True)
class Group:
    """Clean items of one kind that are counted and not listed."""

    check: str
    status: str
    severity: str
    count: int

    @property
    def kind(self) -> Kind:
        return Kind(self.check, self.status, self.severity)


def total(tallies: Iterable[Mapping[Kind, int]]) -> Mapping[Kind, int]:
    """One tally of several."""
    found: Counter[Kind] = Counter()
    for tally in tallies:
        found.update(tally)
    return found


def by_status(tally: Mapping[Kind, int]) -> dict[str, int]:
    """How many items there are of each status, in alphabetical order."""
    found: Counter[str] = Counter()
    for kind, count in tally.items():
        found[kind.status] += count
    return dict(sorted(found.items()))


def by_severity(tally: Mapping[Kind, int]) -> dict[str, int]:
    """How many items there are of each severity among those that are not clean, the worst first."""
    found: Counter[str] = Counter()
    for kind, count in tally.items():
        if kind.status not in CLEAN:
            found[kind.severity] += count
    return {severity: found[severity] for severity in SEVERITIES if found[severity]}


def counts(tally: Mapping[Kind, int]) -> dict[str, object]:
    """How many items there are, by status, and by severity among those that are not clean."""
    statuses = by_status(tally)
    unchecked = sum(count for status, count in statuses.items() if status in UNCHECKED)
    clean = sum(count for status, count in statuses.items() if status in CLEAN)
    items = sum(statuses.values())
    return {
        "items": items,
        "drift": items - clean - unchecked,
        "unchecked": unchecked,
        "by_status": statuses,
        "by_severity": by_severity(tally),
    }
