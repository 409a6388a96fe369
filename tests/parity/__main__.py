# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.parity``: all 256 combinations, on two labs side by side. Exit status 1 if one is not equal.

``PARITY_SEED`` draws the ways in which things are broken, ``PARITY_WORKERS`` is the number of labs (2).
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.chaos.figures import record
from tests.parity.combinations import everything
from tests.parity.share import prove_on_a_lab
from tests.parity.tally import figures


def main() -> int:
    seed = int(os.environ.get("PARITY_SEED") or secrets.randbelow(2**31))
    workers = int(os.environ.get("PARITY_WORKERS") or 2)
    combinations = everything(seed)
    print(f"{len(combinations)} combinations, PARITY_SEED={seed}, {workers} labs", flush=True)
    started = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        shares = [combinations[number::workers] for number in range(workers)]
        findings = [finding for part in pool.map(prove_on_a_lab, shares) for finding in part]
    wrong = [finding for finding in findings if finding.wrong]
    print()
    minutes = f"{(time.monotonic() - started) / 60:.1f}"
    print(record("parity", {**figures(seed, findings), "minutes": minutes}))
    return 1 if wrong or len(findings) != len(combinations) else 0


if __name__ == "__main__":
    sys.exit(main())
