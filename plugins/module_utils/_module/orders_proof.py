# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The proof that a window is complete: what Amazon named of each day against what the table holds of it.

An order counts once, however often Amazon names it. Within a call that is known from the orders seen; across calls from
the time up to which everything was seen, as Amazon's lists come oldest first. Where they do not, an order that was
there already may be one that was named before: those are counted as ``doubtful`` and the proof says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SHOWN_DAYS = 10
"""Days that a message names."""


@dataclass(frozen=True)
class Proof:
    """What came out.

    :param said: orders that Amazon named, each once.
    :param stored: orders that the table has of the window.
    :param missing: day to how many fewer the table has than Amazon named.
    :param doubtful: orders that may have been named twice.
    """

    said: int
    stored: int
    missing: Mapping[str, int]
    by_status_said: Mapping[str, int]
    doubtful: int

    def facts(self) -> dict[str, object]:
        """As a module's result."""
        return {
            "named_by_amazon": self.said,
            "stored": self.stored,
            "missing": sum(self.missing.values()),
            "missing_days": dict(list(self.missing.items())[:SHOWN_DAYS]),
            "by_status_named": dict(self.by_status_said),
            "doubtful": self.doubtful,
        }


class Said:
    """What Amazon has named so far, day by day and status by status."""

    def __init__(self, recorded: Mapping[str, Any] | None = None) -> None:
        """:param recorded: :meth:`record` of an earlier call."""
        recorded = recorded or {}
        self._days: dict[str, dict[str, int]] = {day: dict(found) for day, found in recorded.get("days", {}).items()}
        self._doubtful = int(recorded.get("doubtful", 0))
        until = recorded.get("until")
        self._until = datetime.fromisoformat(until) if until else None
        self._before_this_call = self._until
        self._seen: set[int] = set()
        self._newest: set[int] = set()

    def add(
        self, orders: Iterable[tuple[str, datetime, str]], new: Collection[str], *, after: datetime, before: datetime
    ) -> None:
        """Orders of one page. Those outside the window are not part of the proof.

        :param orders: id, creation (aware, UTC) and status of each, as the table has them behind the page.
        :param new: ids of those that the table did not have before.
        """
        for order_id, created, status in orders:
            if not after <= created <= before:
                continue
            mark = hash(order_id)
            if mark in self._seen:
                continue
            self._seen.add(mark)
            if order_id not in new and self._before_this_call and created <= self._before_this_call:
                self._doubtful += 1
                continue
            day = self._days.setdefault(created.date().isoformat(), {})
            day[status] = day.get(status, 0) + 1
            if self._until is None or created > self._until:
                self._until, self._newest = created, set()
            if created == self._until:
                self._newest.add(mark)

    def part_ended(self) -> None:
        """What follows was created later, except on the border of two parts, which belongs to both."""
        self._seen = self._newest

    def record(self) -> dict[str, Any]:
        """For the checkpoint, as JSON types."""
        return {
            "days": self._days,
            "doubtful": self._doubtful,
            "until": self._until.isoformat() if self._until else None,
        }

    def prove(self, stored: Mapping[str, int]) -> Proof:
        """Hold it against the table. :param stored: day to orders of the window."""
        said = {day: sum(found.values()) for day, found in self._days.items()}
        statuses: dict[str, int] = {}
        for found in self._days.values():
            for status, count in found.items():
                statuses[status] = statuses.get(status, 0) + count
        return Proof(
            said=sum(said.values()),
            stored=sum(stored.values()),
            missing={
                day: count - stored.get(day, 0) for day, count in sorted(said.items()) if count > stored.get(day, 0)
            },
            by_status_said=dict(sorted(statuses.items())),
            doubtful=self._doubtful,
        )
