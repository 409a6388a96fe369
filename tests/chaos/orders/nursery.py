# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that has everything of the import loaded, and forks one child for each import: a kill costs no start-up.

It has no threads and no connections of its own, so that a fork is a clean one. Orders come as JSON lines on its
standard input, one import at a time; what happens goes back as JSON lines on its standard output:

- ``{"pid"}``: the import has started;
- ``{"at", "number"}``: it has reached the point it was given, the ``number``-th passing of any;
- ``{"ended", "signal", "facts", "error", "kind", "passed", "seconds"}``: it is over.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_orders_backfill

from tests.chaos.orders import points

GO = b"go\n"


def protect(_secrets: Iterable[str | None]) -> None:
    """Nothing is shown here that would have to be masked."""


class _Act:
    """What happens at the ``nth`` passing of ``point`` (``*``: of any)."""

    def __init__(self, order: Mapping[str, Any], report: int, go: int) -> None:
        self.kind = order.get("act", "none")
        self.point, self.nth = order.get("point", "*"), int(order.get("nth", 0))
        self.delay = float(order.get("delay", 0.0))
        self.passed: list[str] = []
        self._met = 0
        self._report, self._go = report, go

    def __call__(self, point: str) -> None:
        self.passed.append(point)
        if self.kind == "none" or self.point not in {"*", point}:
            return
        self._met += 1
        if self._met != self.nth:
            return
        _tell(self._report, {"at": point, "number": len(self.passed)})
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.kind == "hold":
            while os.read(self._go, 1) != b"\n":
                pass


def _tell(file: int, event: Mapping[str, Any]) -> None:
    os.write(file, json.dumps(event).encode() + b"\n")


def _import(order: Mapping[str, Any], report: int, go: int) -> None:
    """The child's life."""
    act = _Act(order, report, go)
    points.MOMENT.act = act
    points.settings(order.get("settings", {}))
    event: dict[str, Any] = {}
    try:
        outcome = amazon_orders_backfill.run(order["params"], protect, check_mode=False)
        event = {"facts": {"changed": outcome.changed, **{n: outcome.facts.get(n) for n in ("resumed", "counts")}}}
    except KeybuzzError as error:
        event = {"error": str(error), "kind": type(error).__name__}
    except BaseException as error:
        event = {"error": f"{type(error).__name__}: {error}", "kind": "CRASH"}
    _tell(report, {**event, "passed": act.passed})


def _serve(order: Mapping[str, Any]) -> None:
    heard, report = os.pipe()
    go, nudge = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        os.close(nudge)
        try:
            _import(order, report, go)
        finally:
            os._exit(0)
    os.close(report)
    os.close(go)
    _tell(1, {"pid": pid})
    said, status = _watch(order, pid, heard, nudge, started)
    os.close(heard)
    os.close(nudge)
    event = {
        "ended": os.waitstatus_to_exitcode(status),
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "seconds": round(time.monotonic() - started, 3),
        **said,
    }
    _tell(1, event)


def _watch(order: Mapping[str, Any], pid: int, heard: int, nudge: int, started: float) -> tuple[dict[str, Any], int]:
    """Pass on what the child says, let it go on when told so, and end it when its time has come."""
    said: dict[str, Any] = {}
    buffer = b""
    end = started + float(order.get("limit", 120.0))
    timed = order.get("act") == "kill-after"
    if timed:
        end = started + float(order["delay"])
    listening = [heard, 0]
    while True:
        ready, _, _ = select.select(listening, [], [], max(0.0, end - time.monotonic()))
        if not ready:
            said |= {} if timed else {"hung": True}
            _end(pid)
            end = time.monotonic() + 60
            continue
        if 0 in ready:
            line = _line()
            if not line:
                _end(pid)
                listening = [heard]
            elif line == GO:
                os.write(nudge, b"\n")
        if heard in ready:
            piece = os.read(heard, 1 << 20)
            if not piece:
                break
            buffer += piece
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                event = json.loads(line)
                if "at" not in event:
                    said |= event
                    continue
                _tell(1, event)
                if order.get("act") == "kill-in-flight":
                    end, timed = time.monotonic() + float(order["delay"]), True
    return said, os.waitpid(pid, 0)[1]


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _line() -> bytes:
    """One line of standard input, byte by byte: what follows is another order."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            return b""
        line += piece
    return line


def main() -> None:
    """Serve until standard input ends."""
    import httpx  # noqa: F401 - loaded here, so that no child has to
    import hvac  # noqa: F401
    import psycopg2.extensions  # noqa: F401
    import sp_api.base._transport_httpx  # noqa: F401

    points.install()
    while line := _line():
        if line != GO:
            _serve(json.loads(line))


if __name__ == "__main__":
    main()
