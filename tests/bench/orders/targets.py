# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to hold of the figures, and by how much the calculation is off where there is a measurement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.bench.orders import bounds
from tests.bench.orders.measure import Measured
from tests.bench.orders.peers import Peer

MOST_ABOVE_BOUND = 1.05
LEAST_FASTER = 20.0
FASTER_FROM = 10_000
"""Below, Amazon's bursts give peers of Orders 2026-01-01 all they want: nobody can be faster."""
MOST_MEMORY = 150_000_000
MEMORY_AT = 1_000_000

Cell = Measured | str
"""A measurement, or the reason why there is none."""


@dataclass(frozen=True)
class Row:
    """One size: ours, and each peer's by its name."""

    size: int
    ours: Cell
    peers: dict[str, Cell]


def total(run: Measured) -> float:
    """Virtual seconds of a run, reports' generation included."""
    return run.throttle + run.generation


def computed(peer: Peer, size: int, largest: Measured) -> Measured:
    """A peer at a size it was not run with: the token bucket's least time, or where it gave up before."""
    if largest.complete:
        seconds, orders, ended = bounds.lower_bound(peer.route, size), size, "complete"
    else:
        seconds, orders, ended = largest.throttle, largest.orders, largest.ended
    return Measured(
        size=size,
        orders=orders,
        items=0,
        ended=ended,
        complete=largest.complete,
        throttle=seconds,
        real_seconds=0.0,
        peak_rss=0,
        calls={},
        refused={},
        computed=True,
    )


def deviation(peer: Peer, run: Measured) -> float | None:
    """How far a finished run lies above the calculation, as a share of it; None where both are 0."""
    least = bounds.lower_bound(peer.route, run.size)
    return run.throttle / least - 1 if least else None


def bound_of(run: Measured) -> float:
    """The bound of the source that our importer chose."""
    return bounds.lower_bound(str(run.details.get("source", "search")), run.size)


def against_bound(run: Measured) -> float | None:
    """Throttle seconds in terms of the bound; None where both are 0, infinite where only the bound is."""
    least = bound_of(run)
    if least == 0:
        return None if run.throttle == 0 else float("inf")
    return run.throttle / least


def best(cells: Iterable[Cell]) -> float | None:
    """Seconds of the fastest peer that got everything."""
    return min((total(cell) for cell in cells if isinstance(cell, Measured) and cell.complete), default=None)


def missed(row: Row) -> list[str]:
    """A sentence for each target that this size misses."""
    ours, at = row.ours, f"at {row.size:,} orders"
    if isinstance(ours, str):
        return [f"{at}: the importer was not measured: {ours}"]
    found = []
    if not ours.complete:
        found.append(f"{at}: the importer {ours.ended}")
    ratio = against_bound(ours)
    if ratio is not None and ratio > MOST_ABOVE_BOUND:
        least = bound_of(ours)
        found.append(f"{at}: {ours.throttle:,.0f} s of throttle, more than {MOST_ABOVE_BOUND} of {least:,.0f} s")
    planned = ours.details.get("planned_calls")
    made = calls_of(ours)
    if planned is not None and made > planned:
        found.append(f"{at}: {made} calls, {planned} were planned")
    fastest = best(row.peers.values())
    if row.size >= FASTER_FROM and fastest is not None and fastest < LEAST_FASTER * total(ours):
        found.append(f"{at}: only {fastest / total(ours):.1f} times as fast as the best peer, not {LEAST_FASTER:.0f}")
    if row.size >= MEMORY_AT and ours.peak_rss > MOST_MEMORY:
        found.append(f"{at}: {ours.peak_rss / 1e6:.0f} MB of memory, more than {MOST_MEMORY / 1e6:.0f} MB")
    return found


def calls_of(run: Measured) -> int:
    """Calls that cost a token of a usage plan: neither LWA's nor the downloads of finished reports."""
    return sum(count for name, count in run.calls.items() if name in bounds.METERED)
