# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.bench.orders``: how long an import of 90 days waits for Amazon, this importer and its peers.

Ends with 1 when a target of tests/bench/orders/targets.py is missed. Peers come from
``python -m tests.bench.orders.install``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.orders import measure, ours, table, targets
from tests.bench.orders.measure import Measured
from tests.bench.orders.peers import PROJECT, Peer, named
from tests.bench.orders.targets import Cell, Row

SIZES = (94, 1_000, 10_000, 100_000, 1_000_000)
OUTPUT = PROJECT / "build" / "bench" / "orders.json"
NO_PEER = "it is not installed: python -m tests.bench.orders.install"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.orders", description=__doc__)
    parser.add_argument("--sizes", type=_numbers, default=SIZES, help="orders in the window, separated by commas")
    parser.add_argument("--peers", type=_words, help="names or beginnings of names; all by default, 'none' for none")
    parser.add_argument("--source", help="the importer's option source; its default when not given")
    parser.add_argument("--limit", type=float, default=180.0, help="real seconds for one run of a peer")
    parser.add_argument("--own-limit", type=float, default=1200.0, help="real seconds for one run of this importer")
    parser.add_argument("--without-ours", action="store_true", help="the peers only; no target is looked at")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part.replace("_", "")) for part in text.split(",")))


def _words(text: str) -> list[str]:
    return [] if text == "none" else text.split(",")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def of_peers(sizes: Sequence[int], chosen: Sequence[Peer], *, limit: float) -> dict[int, dict[str, Cell]]:
    """Every peer at every size: measured as far as it goes, computed beyond."""
    found: dict[int, dict[str, Cell]] = {size: {} for size in sizes}
    largest: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as folder, measure.standing_simulator(Path(folder) / "amazon") as simulator:
        for size in sizes:
            running = [peer for peer in chosen if size <= peer.largest and peer.python.exists()]
            items = 0
            if running:
                measure.fill(simulator, size)
                items = measure.expected_items(simulator, size)
            for peer in chosen:
                cell: Cell = NO_PEER
                if peer in running:
                    cell = measure.run(simulator, peer, size, limit=limit, items=items)
                if isinstance(cell, Measured):
                    largest[peer.name] = cell
                    _say(f"{size:>9,}  {peer.title}: {cell.ended}, {cell.throttle:,.0f} s ({cell.real_seconds} s real)")
                elif peer.name in largest and (peer not in running or cell.startswith(measure.TOO_LONG)):
                    cell = targets.computed(peer, size, largest[peer.name])
                found[size][peer.name] = cell
    return found


def of_ours(sizes: Sequence[int], *, source: str | None, limit: float) -> dict[int, Cell]:
    """This importer at every size."""
    found: dict[int, Cell] = {}
    with tempfile.TemporaryDirectory() as folder, ours.world(Path(folder) / "world") as bench:
        for size in sizes:
            found[size] = cell = ours.run(bench, size, limit=limit, wanted=source)
            _say(f"{size:>9,}  this importer: {cell if isinstance(cell, str) else cell.ended}")
    return found


def versions(chosen: Sequence[Peer]) -> dict[str, str]:
    """The installed version of each peer's packages."""
    code = "import sys, importlib.metadata as m; print(*(m.version(n) for n in sys.argv[1:]), sep='\\n')"
    found: dict[str, str] = {}
    for peer in chosen:
        if peer.python.exists() and not set(peer.packages) <= set(found):
            command = [str(peer.python), "-c", code, *peer.packages]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found |= dict(zip(peer.packages, done.stdout.split(), strict=True))
    return found


def document(rows: Sequence[Row], chosen: Sequence[Peer], deviations: Any, missed: Sequence[str]) -> dict[str, Any]:
    """What is written to build/bench/orders.json."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "versions": versions(chosen),
        "peers": {peer.name: {"title": peer.title, "route": peer.route, "kind": peer.kind} for peer in chosen},
        "rows": [asdict(row) for row in rows],
        "measured_against_computed": deviations,
        "missed": list(missed),
    }


def _deviations(row: Row, chosen: Sequence[Peer]) -> dict[str, float]:
    """How far each finished run of one size lies above the calculation, as a share of it."""
    return {
        peer.name: away
        for peer in chosen
        if isinstance(run := row.peers.get(peer.name), Measured) and run.complete and not run.computed
        if (away := targets.deviation(peer, run)) is not None
    }


def main() -> int:
    """The command."""
    given = arguments()
    chosen = named(given.peers)
    own: dict[int, Cell] = {}
    theirs = of_peers(given.sizes, chosen, limit=given.limit)
    if not given.without_ours:
        try:
            own = of_ours(given.sizes, source=given.source, limit=given.own_limit)
        except ImportError as missing:
            own = dict.fromkeys(given.sizes, f"it cannot be imported: {missing}")
    rows = [Row(size, own.get(size, "not asked for"), theirs[size]) for size in given.sizes]
    deviations = {row.size: _deviations(row, chosen) for row in rows}
    missed = [] if given.without_ours else [one for row in rows for one in targets.missed(row)]
    by_size = {size: list(found.values()) for size, found in deviations.items()}
    given.output.parent.mkdir(parents=True, exist_ok=True)
    written = json.dumps(document(rows, chosen, deviations, missed), indent=1)
    given.output.write_text(written + "\n", encoding="utf-8")
    print(table.text(rows, chosen, by_size, missed, judged=not given.without_ours))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
