# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repair's modules one after the other in a process of their own, which can be killed: ``steps.py FILE``.

FILE is JSON, a list of ``[step, options]``. It ends at the first module that fails, as a playbook does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def main(file: Path) -> int:
    sys.path[:0] = [str(PROJECT), str(PROJECT / ".collections")]
    from tests.chaos.chaos_world import run_module

    for step, options in json.loads(file.read_text()):
        said = run_module(step, options, check_mode=False)
        print(step, said.result.get("msg") or said.result.get("verdict"), flush=True)
        if said.failed:
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
