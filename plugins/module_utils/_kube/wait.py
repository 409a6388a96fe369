# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Waiting for a rollout by reading the Deployment again and again.

Not by a watch: that verb would have to be granted beside ``get``, and cannot be limited to one name for a list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.rollout import Rollout, verdict

FIRST_PAUSE = 0.1
"""Seconds. A rollout of one small pod takes about a second."""
LONGEST_PAUSE = 2.0
GROWTH = 1.25


def wait_for_rollout(
    read: Callable[[], Mapping[str, Any]],
    *,
    generation: int,
    timeout: float,
    recovering: bool = False,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[Rollout, Mapping[str, Any]]:
    """Read until the rollout is complete, has failed, is paused, or ``timeout`` seconds are over.

    :param recovering: it had failed before anybody waited, so that alone is no reason to give up.

    Returns the last verdict and the Deployment it was made from; a verdict that is still ``progressing`` means that
    the time was up.
    """
    end = clock() + timeout
    step = FIRST_PAUSE
    while True:
        deployment = read()
        found = verdict(deployment, generation=generation)
        left = end - clock()
        if not (found.state == "progressing" or (recovering and found.state == "failed")) or left <= 0:
            return found, deployment
        pause(min(step, left))
        step = min(step * GROWTH, LONGEST_PAUSE)
