# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The parts of a window that is read by reports, and how far each is: what a checkpoint keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import iso

LONGEST = timedelta(days=30)
"""Longest window of a report. Users measured 31 days; a longer one is empty instead of refused."""


@dataclass(frozen=True)
class Part:
    """One report.

    :param after: its window, both ends included (ISO 8601 in UTC).
    :param report: Amazon's id of it, once it was asked for.
    :param done: orders of its document that are stored, in the document's order.
    :param finished: nothing of it is left to read.
    """

    after: str
    before: str
    report: str | None = None
    done: int = 0
    finished: bool = False


def parts_of(query: Mapping[str, str], state: Mapping[str, Any]) -> list[Part]:
    """The parts of a query where a checkpoint left them, or all of them new."""
    if state.get("parts"):
        known = [field.name for field in fields(Part)]
        return [Part(**{name: part[name] for name in known if name in part}) for part in state["parts"]]
    after, before = (datetime.fromisoformat(query[name]) for name in ("dataStartTime", "dataEndTime"))
    return [Part(iso(start), iso(end)) for start, end in windows(after, before)]


def begun_anew(state: Mapping[str, Any]) -> dict[str, Any]:
    """The same reports, none of whose orders are stored."""
    return {"parts": [{**part, "done": 0, "finished": False} for part in state.get("parts", ())]}


def windows(after: datetime, before: datetime) -> list[tuple[datetime, datetime]]:
    """A window in parts of at most 30 days, which share their borders: what lies on one is read twice, never missed."""
    borders = [after]
    while before - borders[-1] > LONGEST:
        borders.append(borders[-1] + LONGEST)
    return list(zip(borders, [*borders[1:], before], strict=True))


def place_state(parts: list[Part]) -> dict[str, Any]:
    """What a checkpoint keeps, as JSON types."""
    return {"parts": [asdict(part) for part in parts]}
