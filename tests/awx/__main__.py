# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.awx``: AWX as code, proven without an AWX. One line a proof, and one that closes."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable

from tests.awx import proofs_of_lists
from tests.awx.proofs_of_jobs import on_a_lab


def prove(title: str, proof: Callable[[], str]) -> bool:
    """Runs one proof and prints its line."""
    started = time.monotonic()
    try:
        said, good = proof(), True
    except (AssertionError, RuntimeError) as failed:
        said, good = f"\n{failed}", False
    print(f"{'ok    ' if good else 'FAILED'} {title}: {said} ({time.monotonic() - started:.0f} s)", flush=True)
    return good


def main() -> int:
    """All proofs; those on the lab end with the first that fails, because they build on each other."""
    started = time.monotonic()
    good = [prove(title, proof) for title, proof in proofs_of_lists.proofs()]
    with contextlib.contextmanager(on_a_lab)() as jobs:
        for title, proof in jobs.proofs():
            good.append(prove(title, proof))
            if not good[-1]:
                break
    failed = good.count(False)
    end = f"{failed} of {len(good)} proofs failed" if failed else f"all {len(good)} proofs hold, without an AWX"
    print(f"AWX as code: {end} ({time.monotonic() - started:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
