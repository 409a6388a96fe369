# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module amazon_orders_backfill and says how far it is while it runs.

The module writes JSON lines into a private file; a thread here reads them and shows one line at least every
``progress_interval`` seconds. The lines go to standard error, so that a callback that prints JSON stays readable.
Where the file cannot be shared (another host, another user, asynchronous tasks) the module just runs.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

DEFAULT_INTERVAL = 10.0
SHORTEST_INTERVAL = 0.5
POLL = 0.25

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    """The module, with progress where it can be shown."""

    _supports_check_mode = True
    _supports_async = True
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        wrap_async = self._task.async_val and not self._connection.has_native_async
        if not self._can_watch(wrap_async):
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=wrap_async))
            for text in plans(str(arguments.get("tenant", "")), result) if self._task.check_mode else ():
                _show(text)
            return result
        handle, name = tempfile.mkstemp(prefix="keybuzz-orders-", dir=C.DEFAULT_LOCAL_TMP)
        os.close(handle)
        path = Path(name)
        watcher = Watcher(path, _named(arguments), _interval(arguments.get("progress_interval")), _show)
        try:
            with watcher:
                result.update(
                    self._execute_module(module_args={**arguments, "progress_file": name}, task_vars=task_vars)
                )
        finally:
            path.unlink(missing_ok=True)
        return result

    def _can_watch(self, wrap_async: bool) -> bool:
        other_user = bool(getattr(self._connection, "become", None))
        return not (wrap_async or other_user or self._task.check_mode or self._connection.transport != "local")


class Watcher:
    """Follows the file from another thread while the module runs.

    :param named: what the lines are about, before the module says more.
    :param interval: seconds between two lines; a wait that begins is shown at once.
    :param show: takes one line.
    """

    def __init__(self, path: Path, named: str, interval: float, show: Callable[[str], None]) -> None:
        self._path = path
        self._named = named
        self._interval = interval
        self._show = show
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="orders-progress", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def _follow(self) -> None:
        shown_at, waited = time.monotonic(), False
        latest: dict[str, dict[str, Any]] = {}
        offset = 0
        while not self._over.wait(POLL):
            lines, offset = _new_lines(self._path, offset)
            latest.update((event.get("tenant", ""), event) for event in lines)
            waiting = bool(latest) and all(event["waiting"] for event in latest.values())
            if (waiting and not waited) or time.monotonic() - shown_at >= self._interval:
                self._show(line(self._named, list(latest.values())))
                shown_at = time.monotonic()
            waited = waiting


def line(named: str, events: list[dict[str, Any]]) -> str:
    """The newest event of each tenant in words; without any the module is still looking at the database."""
    if not events:
        return f"[{named}] orders: looking at what is there"
    if len(events) > 1:
        return _several(named, events)
    (event,) = events
    expected = event.get("expected")
    of = f" of about {expected}" if expected and expected >= event["done"] else ""
    source = f" by {event['source']}" if event.get("source") else ""
    words = f"[{named}] orders{source}: {event['done']}{of}, {event['pages']} pages, {event['rate']:g}/s"
    if event.get("waiting"):
        return f"{words}; waiting until {_clock(event['until'])} UTC: {event['waiting']}"
    if of and event["rate"] > 0:
        words += f", about {(expected - event['done']) / event['rate']:.0f} s to go"
    return words


def _several(named: str, events: list[dict[str, Any]]) -> str:
    done, pages = (sum(event[name] for event in events) for name in ("done", "pages"))
    waiting = [event for event in events if event.get("waiting")]
    words = f"[{named}] orders of {len(events)} tenants: {done}, {pages} pages"
    if waiting:
        first = min(waiting, key=lambda event: float(event["until"]))
        words += f"; {len(waiting)} are waiting, the first until {_clock(first['until'])} UTC: {first['waiting']}"
    return words


def plans(tenant: str, result: dict[str, Any]) -> list[str]:
    """What check mode would do, a line a tenant."""
    found = result.get("tenants") or {tenant: result}
    return [f"[{name}] plan: {facts['plan']['why']}" for name, facts in found.items() if facts.get("plan")]


def _named(arguments: dict[str, Any]) -> str:
    several = arguments.get("tenants")
    if not isinstance(several, list):
        return str(arguments.get("tenant") or several or "")
    return str(several[0]) if len(several) == 1 else f"{len(several)} tenants"


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S}"


def _new_lines(path: Path, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Whole lines behind ``offset``, and the offset behind them."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read()
    except OSError:
        return [], offset
    whole = content[: content.rfind(b"\n") + 1]
    return [json.loads(raw) for raw in whole.splitlines()], offset + len(whole)


def _interval(value: object) -> float:
    try:
        return max(SHORTEST_INTERVAL, float(str(value)))
    except ValueError:
        return DEFAULT_INTERVAL


def _show(text: str) -> None:
    display.display(text, stderr=True)
