# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as text, 120 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.bench.orders import bounds, targets
from tests.bench.orders.measure import Measured
from tests.bench.orders.peers import Peer
from tests.bench.orders.targets import Cell, Row

WIDTH = 120
TITLE = 34
_HOUR, _DAY = 3600.0, 86_400.0


def duration(seconds: float) -> str:
    """``128 s``, ``5.54 h``, ``20.63 d``."""
    if seconds < _HOUR:
        return f"{seconds:,.0f} s"
    return f"{seconds / _HOUR:.2f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.2f} d"


def ours(rows: Sequence[Row]) -> list[str]:
    """One line for each size of this importer."""
    head = (
        f"{'orders':>9}  {'source':<7}{'throttle':>10}{'+ generation':>13}{'bound':>10}{'ours/bound':>11}"
        f"{'calls':>8}{'planned':>9}{'429':>5}{'real':>9}{'peak MB':>9}  how it ended"
    )
    lines = ["THIS IMPORTER (seconds of Amazon's time; real: seconds of this machine)", head]
    for row in rows:
        run = row.ours
        if isinstance(run, str):
            lines.append(f"{row.size:>9,}  not measured: {run}"[:WIDTH])
            continue
        ratio = targets.against_bound(run)
        planned = run.details.get("planned_calls")
        lines.append(
            (
                f"{row.size:>9,}  {run.details.get('source', ''):<7}{duration(run.throttle):>10}"
                f"{duration(run.generation):>13}{duration(targets.bound_of(run)):>10}"
                f"{'-' if ratio is None else f'{ratio:.3f}':>11}{targets.calls_of(run):>8,}"
                f"{'-' if planned is None else f'{planned:,}':>9}{sum(run.refused.values()):>5}"
                f"{run.real_seconds:>8.1f}s{run.peak_rss / 1e6:>9.0f}  {run.ended}"
            )[:WIDTH]
        )
    return lines


def cell(found: Cell | None, run: Cell) -> str:
    """A peer at one size: its time, and how many times as long as ours that is."""
    if found is None or isinstance(found, str):
        return "not measured"
    mark = "~" if found.computed else ""
    if not found.complete:
        return f"{mark}gave up @{found.orders:,}" if found.ended.startswith("gave up") else f"{mark}{found.ended}"
    times = ""
    if isinstance(run, Measured) and targets.total(run):
        times = f" x{found.throttle / targets.total(run):,.0f}"
    return f"{mark}{duration(found.throttle)}{times}"


def peers(rows: Sequence[Row], chosen: Sequence[Peer]) -> list[str]:
    """One line for each peer, one column for each size."""
    wide = (WIDTH - TITLE) // max(1, len(rows))
    lines = [
        "PEERS (Amazon's time, and how many times as long as this importer with generation)",
        f"{'':<{TITLE}}" + "".join(f"{row.size:>{wide},}" for row in rows),
    ]
    notes: dict[str, list[str]] = {}
    for peer in chosen:
        lines.append(
            f"{peer.title:<{TITLE}}" + "".join(f"{cell(row.peers.get(peer.name), row.ours):>{wide}}" for row in rows)
        )
        for row in rows:
            if said := note(row.peers.get(peer.name)):
                notes.setdefault(f"{peer.title}: {said}", []).append(f"{row.size:,}")
    told = [f"  {said} ({'; '.join(sizes)} orders)" for said, sizes in notes.items()]
    return [*lines, "  ~ computed from the token bucket: the least time of its route", *told]


def note(found: Cell | None) -> str:
    """What there is to say about a run that did not get everything."""
    if isinstance(found, str):
        return f"not measured: {found}"
    if found is None or found.computed or found.complete:
        return ""
    if not found.ended.startswith("gave up"):
        return found.ended
    return f"{found.ended} after {found.orders:,} orders, {duration(found.throttle)}"


def text(
    rows: Sequence[Row],
    chosen: Sequence[Peer],
    deviations: Mapping[int, Sequence[float]],
    missed: Sequence[str],
    *,
    judged: bool,
) -> str:
    """All of it. ``judged`` says whether the targets were looked at."""
    lines = [*ours(rows), "", *peers(rows, chosen), ""]
    for row in rows:
        found = deviations.get(row.size)
        if found:
            lines.append(
                f"Calculation against measurement, {row.size:,} orders: {len(found)} finished runs took"
                f" {min(found):+.3%} to {max(found):+.3%} over the least time."
            )
    lines.append(
        f"Assumed, Amazon publishes none: a report is made in {bounds.GENERATION_BASE:.0f} s and"
        f" {bounds.GENERATION_PER_100_000:.0f} s for each 100,000 orders in it."
    )
    if judged:
        lines += ["", *(f"MISSED {one}" for one in missed)] if missed else ["", "All targets are met."]
    return "\n".join(lines)
