# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.chaos [KIND...]``: one line of figures for each proof; exit status 1 where one left none."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from tests.chaos.figures import FOLDER, line

KINDS = ("permission", "kill", "race", "tls", "echo")


def main(kinds: Sequence[str]) -> int:
    missing = 0
    for kind in kinds or KINDS:
        try:
            print(line(kind, json.loads((FOLDER / f"{kind}.json").read_text(encoding="utf-8"))))
        except FileNotFoundError:
            print(f"{kind}: no figures were recorded")
            missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
