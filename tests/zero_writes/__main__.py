# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.zero_writes``: every state with every variant, on two labs side by side. Exit status 1 if anything
was written, or if a variant has nothing to write in any state and does not say why.

``ZERO_WRITES_WORKERS`` is the number of labs (2).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.chaos.figures import record
from tests.zero_writes.control import blind_spots
from tests.zero_writes.place import Place
from tests.zero_writes.proof import HOLDERS, STATES, Finding, prove_on_a_lab, prover_on_a_lab
from tests.zero_writes.tally import figures
from tests.zero_writes.variants import all_variants


def main() -> int:
    workers = int(os.environ.get("ZERO_WRITES_WORKERS") or 2)
    states = list(STATES)
    print(f"{len(states)} states, {len(all_variants(Place.nowhere()))} variants, {workers} labs", flush=True)
    started = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        shares = [states[number::workers] for number in range(workers)]
        findings = [finding for part in pool.map(prove_on_a_lab, shares) for finding in part]
    wrong = [f"{one}: {line}" for one in findings for line in one.wrong]
    wrong += [f"would write in no state: {name}" for name in _never(findings)]
    with prover_on_a_lab() as prover:
        blind = list(blind_spots(prover))
    wrong += [f"not seen: {one}" for one in blind]
    print("", *wrong, sep="\n")
    minutes = f"{(time.monotonic() - started) / 60:.1f}"
    print(record("zero_writes", {**figures(findings), "not_seen": len(blind), "minutes": minutes}))
    return 1 if wrong or len(findings) != len(states) * len(HOLDERS) else 0


def _never(findings: Sequence[Finding]) -> Iterator[str]:
    """A call that could write nowhere proves nothing."""
    bites = set().union(*(one.bites for one in findings))
    for variant in all_variants(Place.nowhere()):
        if not variant.idle and str(variant) not in bites:
            yield str(variant)


if __name__ == "__main__":
    sys.exit(main())
