# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports that run in a nursery's children, from the side of who orders them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[3]
PATIENCE = 180.0


@dataclass(frozen=True)
class Ended:
    """How an import ended.

    :param killed_at: the point it was killed at, where a kill was ordered by point.
    :param signal: 9 when it was killed.
    :param hung: it had to be killed because its time was over, which nobody had ordered.
    :param passed: the points it passed, in order; empty for one that was killed.
    """

    signal: int | None
    seconds: float
    killed_at: str | None = None
    facts: Mapping[str, Any] | None = None
    error: str | None = None
    kind: str | None = None
    hung: bool = False
    passed: tuple[str, ...] = field(default=(), repr=False)

    @property
    def well(self) -> bool:
        """It came to its end without an error."""
        return self.signal is None and self.facts is not None


class Nursery:
    """One nursery: one import at a time. Two at once need two of them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.orders.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{PROJECT}:{PROJECT / '.collections'}"},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._buffer = b""
        self._at: str | None = None

    def start(self, params: Mapping[str, Any], **order: Any) -> int:
        """Begin an import; its process id."""
        self._at = None
        self._say({"params": dict(params), **order})
        return int(self._hear()["pid"])

    def at(self) -> str:
        """Wait until the import that was told to hold has reached its point; the point's name."""
        event = self._hear()
        assert "at" in event, f"the import ended before it reached its point: {event}"
        self._at = str(event["at"])
        return self._at

    def go(self) -> None:
        """Let it go on."""
        self._in.write(b"go\n")
        self._in.flush()

    def ended(self) -> Ended:
        """Wait for its end."""
        while "ended" not in (event := self._hear()):
            self._at = str(event.get("at"))
        return Ended(
            signal=event["signal"],
            seconds=event["seconds"],
            killed_at=self._at if event["signal"] else None,
            facts=event.get("facts"),
            error=event.get("error"),
            kind=event.get("kind"),
            hung=bool(event.get("hung")),
            passed=tuple(event.get("passed", ())),
        )

    def run(self, params: Mapping[str, Any], **order: Any) -> Ended:
        """One import from its beginning to its end."""
        self.start(params, **order)
        return self.ended()

    def close(self) -> None:
        """End the nursery, and its child with it."""
        self._in.close()
        self._process.wait(timeout=30)
        self._out.close()

    def _say(self, order: Mapping[str, Any]) -> None:
        self._in.write(json.dumps(order).encode() + b"\n")
        self._in.flush()

    def _hear(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._out], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(self._out.fileno(), 1 << 20) if ready else b""
            assert piece, "the nursery ended" if ready else "the nursery says nothing any more"
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event
