# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What an import says while it runs: JSON lines in a file that the action plugin reads."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError


class Progress:
    """Appends one line an event. Without a path it does nothing.

    A line: ``tenant``, ``source``, ``done`` orders and ``pages`` of this run so far, ``expected`` orders or null,
    ``rate`` orders a second of this call, ``waiting`` (why, or null) and ``until`` (seconds since the epoch, or null).
    """

    def __init__(self, path: str | None, *, tenant: str = "", clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._tenant = tenant
        self._started = clock()
        self._first: int | None = None
        self._done = self._pages = 0
        self._expected: int | None = None
        self._source = ""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW) if path else None
        except OSError as error:
            raise BadInputError(
                "opening progress_file:", str(path), error.strerror or "it cannot be opened", "Leave the option out."
            ) from None

    def expects(self, orders: int | None, source: str) -> None:
        """What is read from now on, and about how many orders it will be in all."""
        self._expected, self._source = orders, source

    def page(self, done: int, pages: int) -> None:
        """A page is loaded; ``done`` counts all orders of the run, also those of an earlier call."""
        if self._first is None or done < self._first:
            self._first = 0
        self._done, self._pages = done, pages
        self._write(None, None)

    def resumed(self, done: int, pages: int) -> None:
        """Where the run stands before the first page of this call."""
        self._first, self._done, self._pages = done, done, pages
        self._write(None, None)

    def waiting(self, why: str, until: float) -> None:
        """Nothing happens before ``until`` (seconds since the epoch)."""
        self._write(why, until)

    def close(self) -> None:
        """No more lines."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, why: str | None, until: float | None) -> None:
        if self._file is None:
            return
        seconds = max(self._clock() - self._started, 0.001)
        line = {
            "tenant": self._tenant,
            "source": self._source,
            "done": self._done,
            "pages": self._pages,
            "expected": self._expected,
            "rate": round((self._done - (self._first or 0)) / seconds, 2),
            "waiting": why,
            "until": until,
        }
        # One write of one line: several tenants share the file, and appending is atomic.
        os.write(self._file, json.dumps(line).encode() + b"\n")
