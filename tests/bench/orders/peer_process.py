# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One peer in a process of its own: ``python -m tests.bench.orders.peer_process MODULE:FUNCTION``.

Its place comes as JSON on standard input; the last line of standard output is the result. Whatever else the peer
prints goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.orders.place import Place, Tally
from tests.bench.orders.virtual_clock import VirtualClock

perf_counter = time.perf_counter


def peak_rss() -> int:
    """This process's largest resident size, bytes. Linux's getrusage also counts what the parent had."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def ending(error: BaseException) -> str:
    """What a loop ended with: the HTTP status, or the error's name. Its text stays out, it can hold a token."""
    status = next(
        (value for name in ("status_code", "status", "code") if isinstance(value := getattr(error, name, None), int)),
        None,
    )
    return f"HTTP {status}" if status else type(error).__name__


def main() -> int:
    """Runs the loop; a peer that gives up is a result."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    place = Place(**json.load(sys.stdin))
    clock = VirtualClock(place.admin_url)
    clock.install()
    module, _, function = sys.argv[1].partition(":")
    loops: Any = importlib.import_module(f"tests.bench.orders.loops.{module}")
    if hasattr(loops, "prepare"):
        loops.prepare(clock)
    tally = Tally()
    error = None
    began = perf_counter()
    try:
        getattr(loops, function)(place, tally)
    except Exception as raised:
        error = ending(raised)
        if os.environ.get("BENCH_TRACE"):
            raise
    if clock.broken:
        sys.exit(clock.broken)
    result = {
        "orders": len(tally.orders),
        "rows": tally.rows,
        "items": tally.items,
        "virtual_seconds": clock.slept,
        "real_seconds": round(perf_counter() - began, 3),
        "peak_rss": peak_rss(),
        "error": error,
    }
    out.write(json.dumps(result) + "\n")
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
