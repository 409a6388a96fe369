# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This project's importer in a process of its own, on virtual time: ``python -m tests.bench.orders.ours_process``.

Standard input: ``{"params": ..., "admin_url": ..., "admin": ...}``, the options of the module, the simulator's
admin port and the database's administrator. The last line of standard output is the result.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from tests.bench.orders.database_clock import DatabaseClock
from tests.bench.orders.peer_process import ending, peak_rss

GRACE = 0.05
"""Real seconds that a sleeping thread leaves to the others, which may be loading a page meanwhile."""


def protect(_secrets: Iterable[str | None]) -> None:
    """Nothing is shown here that would have to be masked."""


class Watch(threading.Thread):
    """Looks twenty times a second at how many threads there are; keeps the most."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="watch")
        self.threads = 0

    def run(self) -> None:
        while True:
            # Itself is none of the importer's.
            self.threads = max(self.threads, len(list(Path("/proc/self/task").iterdir())) - 1)
            threading.Event().wait(0.05)


def main() -> int:
    """One call of the module."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    given = json.load(sys.stdin)
    perf_counter = time.perf_counter
    watch = Watch()
    clock = DatabaseClock(given["admin_url"], given["admin"])
    clock.install()
    if given.get("threads"):
        clock.grace, clock.background = GRACE, 1
        watch.start()
    from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_orders_backfill

    error, facts = None, {}
    began = perf_counter()
    try:
        facts = dict(amazon_orders_backfill.run(given["params"], protect, check_mode=False).facts)
    except Exception as raised:
        error = ending(raised)
        print(f"{type(raised).__name__}: {raised}", file=sys.stderr)
    if clock.broken:
        sys.exit(clock.broken)
    result = {
        "facts": facts,
        "virtual_seconds": clock.slept,
        "real_seconds": round(perf_counter() - began, 3),
        "peak_rss": peak_rss(),
        "threads": watch.threads,
        "error": error,
    }
    out.write(json.dumps(result, default=str) + "\n")
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
