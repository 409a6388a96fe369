# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a run, for ``build/evidence``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.zero_writes.place import Place
from tests.zero_writes.proof import Finding
from tests.zero_writes.variants import all_variants


def figures(findings: Sequence[Finding]) -> dict[str, object]:
    """Counts over all states: how much was called, and how often a call said that a repair would write."""
    asked: Counter[str] = sum((one.asked for one in findings), Counter())
    return {
        "states": len({one.state for one in findings}),
        "variants": len(all_variants(Place.nowhere())),
        "calls": sum(one.calls for one in findings),
        "that_would_write": sum(len(one.bites) for one in findings),
        "with_something_written": sum(bool(one.wrong) for one in findings),
        "seconds": round(sum(one.seconds for one in findings)),
        "requests": dict(asked),
        "seconds_by_state": {str(one): round(one.seconds, 1) for one in findings},
    }
