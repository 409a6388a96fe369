# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process's time, taken from the simulator's clock: it stands still, and goes on only while somebody sleeps.

Standard library only: it runs in the peers' environments. It has to be installed before a peer is imported, as
many a module keeps ``time.sleep`` or ``time.monotonic`` from its import on. What was imported before keeps real
time: threading, queue and the sockets' own timeouts go on working. asyncio is left alone; no peer here uses it.
"""

from __future__ import annotations

import datetime as real_datetime
import heapq
import http.client
import importlib
import json
import math
import queue  # noqa: F401 - keeps real time, see above
import threading
import time
import types
from typing import Any
from urllib.parse import urlsplit

_MILLISECONDS = 1000


class VirtualClock:
    """The simulator's clock (``clock: {"speed": 0}`` in its configuration), moved by this process's sleeps.

    :param admin_url: the simulator's admin port, ``http://127.0.0.1:PORT``.
    """

    def __init__(self, admin_url: str) -> None:
        place = urlsplit(admin_url)
        self._used = time.perf_counter()
        self.broken: str | None = None
        """What became of the clock itself: a result that it spoilt is nobody's."""
        self._connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=60)
        self.real_sleep = time.sleep
        self._turn = threading.Condition()
        self._wakes: list[int] = []
        self.grace = 0.0
        """Real seconds that the earliest sleeper leaves to other threads, which may be about to sleep less."""
        self.least = 0
        """Milliseconds that even a sleep of 0 s takes: a loop of such sleeps waits for the clock's next tick."""
        self.background = 0
        """Threads that never sleep by this clock: with none beside them and the sleeper, nobody is left time."""
        self._start = real_datetime.datetime.fromisoformat(self._post({})["now"]).timestamp()
        self._monotonic_start = time.monotonic()
        self._slept = 0

    def _post(self, body: dict[str, float]) -> dict[str, Any]:
        # The simulator ends a connection that was idle for 5 s; none is used that was idle for one.
        if time.perf_counter() - self._used > 1:
            self._connection.close()
        self._connection.request("POST", "/clock", json.dumps(body), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        document: dict[str, Any] = json.loads(answer.read())
        self._used = time.perf_counter()
        if answer.status != 200:
            raise RuntimeError(f"the simulator's clock: {document.get('error')}")
        return document

    @property
    def slept(self) -> float:
        """Virtual seconds since the start: the sum of all sleeps."""
        return self._slept / _MILLISECONDS

    def sleep(self, seconds: float) -> None:
        """Lets the time pass at once. Whole milliseconds, rounded up: a sleep never ends early.

        Threads that sleep side by side share the time that passes: it goes to the earliest end of a sleep.
        """
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        step = max(self.least, math.ceil(seconds * _MILLISECONDS - 1e-6))
        if step <= 0:
            return
        with self._turn:
            wake = self._slept + step
            heapq.heappush(self._wakes, wake)
            self._turn.notify_all()
            while self._slept < wake:
                if self._wakes[0] < wake:
                    self._turn.wait()
                elif not (self._shared() and self._turn.wait(self.grace)) and self._wakes[0] == wake:
                    self._pass(wake - self._slept)
            self._wakes.remove(wake)
            heapq.heapify(self._wakes)
            self._turn.notify_all()

    def _shared(self) -> bool:
        return self.grace > 0 and threading.active_count() > self.background + 1

    def doze(self, seconds: float) -> None:
        """A sleep that moves nothing, for housekeeping in the background: it ends when others have slept so long."""
        with self._turn:
            wake = self._slept + math.ceil(seconds * _MILLISECONDS)
            while self._slept < wake:
                self._turn.wait()

    def _pass(self, step: int) -> None:
        if step <= 0:
            return
        try:
            self._post({"advance": step / _MILLISECONDS})
            self._moved(step)
        except Exception as error:
            self.broken = f"the virtual clock failed: {type(error).__name__}"
            raise
        self._slept += step

    def _moved(self, step: int) -> None:
        """Whatever else has to show the same time goes on by ``step`` milliseconds."""

    def timestamp(self) -> float:
        """Now, in seconds since the epoch."""
        return self._start + self.slept

    def monotonic(self) -> float:
        """Now, by a clock of its own zero."""
        return self._monotonic_start + self.slept

    def install(self) -> None:
        """Replaces what the module ``time`` gives to everything imported from here on."""
        replacements: dict[str, Any] = {
            "sleep": self.sleep,
            "time": self.timestamp,
            "time_ns": lambda: round(self.timestamp() * 1e9),
            "monotonic": self.monotonic,
            "monotonic_ns": lambda: round(self.monotonic() * 1e9),
        }
        for name, replacement in replacements.items():
            setattr(time, name, replacement)

    def install_datetime(self, *modules: str) -> None:
        """Gives modules that ask ``datetime`` for the time a ``datetime`` of this clock, imported either way."""
        moment = _datetime_of(self)
        proxy = types.ModuleType("datetime")
        proxy.__dict__.update(real_datetime.__dict__)
        proxy.__dict__["datetime"] = moment
        for name in modules:
            module: Any = importlib.import_module(name)
            module.datetime = proxy if isinstance(module.datetime, types.ModuleType) else moment


def _datetime_of(clock: VirtualClock) -> type:
    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real_datetime.datetime)

    class Moment(real_datetime.datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: real_datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(clock.timestamp(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(clock.timestamp(), real_datetime.timezone.utc).replace(tzinfo=None)  # noqa: UP017

    return Moment
