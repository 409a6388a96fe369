# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator's time: real by default, faster or elsewhere on demand.

Token lives, usage plans, the two-minute rule and page tokens all ask this clock, so that a test can let
an hour pass in a moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Simulated seconds since the epoch; continuous when only the speed changes."""

    def __init__(self, *, speed: float = 1.0, offset: float = 0.0, real: Callable[[], float] = time.time) -> None:
        self._real = real
        self._speed = speed
        self._real_anchor = real()
        self._anchor = self._real_anchor + offset

    @property
    def speed(self) -> float:
        """Simulated seconds per real second."""
        return self._speed

    def timestamp(self) -> float:
        """Now, in seconds since the epoch."""
        return self._anchor + (self._real() - self._real_anchor) * self._speed

    def now(self) -> datetime:
        """Now, as an aware UTC datetime."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def set(
        self,
        *,
        speed: float | None = None,
        offset: float | None = None,
        advance: float = 0.0,
        at: datetime | None = None,
    ) -> None:
        """Changes the clock: to ``at`` or ``offset`` seconds from real time, and ``advance`` seconds on from there.

        At speed 0 time stands still and moves by this alone.
        """
        anchor = self.timestamp() if offset is None else self._real() + offset
        if at is not None:
            anchor = at.timestamp()
        self._real_anchor = self._real()
        self._anchor = anchor + advance
        if speed is not None:
            self._speed = speed


def iso(moment: datetime, *, milliseconds: bool = False) -> str:
    """ISO 8601 with Z, as Amazon writes it (seconds in the sandbox, milliseconds in its samples)."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if milliseconds else "seconds")
    return text.replace("+00:00", "Z")


def parse_iso(text: str) -> datetime:
    """An ISO 8601 date-time with a zone; raises ValueError for anything else (a bare date, a naive time)."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or "T" not in text:
        raise ValueError("a date-time with a zone is required")
    return moment.astimezone(UTC)
