# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One import in a process of its own: options as JSON on standard input, facts as JSON on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_orders_backfill


def protect(_secrets: Iterable[str | None]) -> None:
    """Nothing is shown here that would have to be masked."""


if __name__ == "__main__":
    try:
        outcome = amazon_orders_backfill.run(json.load(sys.stdin), protect, check_mode=False)
    except KeybuzzError as error:
        sys.exit(str(error))
    print(json.dumps(outcome.facts))
