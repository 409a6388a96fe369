# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a proof of parity, as they are printed and kept."""

from __future__ import annotations

from collections.abc import Sequence

from tests.parity.proof import Finding


def figures(seed: int, findings: Sequence[Finding]) -> dict[str, object]:
    """Counts over all combinations.

    ``only_possible`` are items that were applied though check could only say that they wait for others.
    """
    return {
        "combinations": len(findings),
        "equal": sum(not finding.wrong for finding in findings),
        "items_predicted": sum(len(finding.predicted) for finding in findings),
        "items_applied": sum(len(finding.applied) for finding in findings),
        "items_waiting": sum(len(finding.waiting) for finding in findings),
        "only_possible": sum(len(finding.applied & finding.waiting) for finding in findings),
        "seed": seed,
        "seconds_each": f"{sum(finding.seconds for finding in findings) / max(len(findings), 1):.2f}",
    }
