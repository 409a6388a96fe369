# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Waiting for rollouts, of several Deployments side by side, by reading them again and again.

Not by a watch: that verb would have to be granted beside ``get``, and cannot be limited to one name for a list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.rollout import Rollout, verdict

FIRST_PAUSE = 0.1
"""Seconds. A rollout of one small pod takes about a second."""
LONGEST_PAUSE = 2.0
GROWTH = 1.25
REPLICA_FAILURE_PATIENCE = 10.0
"""Seconds. With a full quota the surge pod cannot be made until an old one is gone, and the rollout then goes on:
kubectl waits in that state, so a ReplicaFailure counts only when nothing else moves for this long."""


@dataclass(frozen=True)
class Awaited:
    """One rollout to wait for.

    :param generation: the generation a patch returned; the status must have caught up with it.
    :param timeout: seconds.
    :param recovering: it had failed before anybody waited, so that alone is no reason to give up.
    """

    read: Callable[[], Mapping[str, Any]]
    generation: int
    timeout: float
    recovering: bool = False


@dataclass(frozen=True)
class Ended:
    """The last verdict and the Deployment it was made from; still ``progressing``: the time was up.

    ``error`` instead of them where the Deployment could not be read.
    """

    rollout: Rollout
    deployment: Mapping[str, Any]
    error: KeybuzzError | None = None


class _Wait:
    """One rollout while it is waited for."""

    def __init__(self, awaited: Awaited, now: float) -> None:
        self.awaited, self.end = awaited, now + awaited.timeout
        self._failing_since = now
        self._last: tuple[object, ...] = ()

    def look(self, now: float) -> Ended | None:
        """What is the case, if that ends the wait."""
        try:
            deployment = self.awaited.read()
        except KeybuzzError as error:
            if isinstance(error, UnreachableError) and now < self.end:
                return None  # a server that is restarted, for one, answers again in a while
            return Ended(Rollout("progressing", "it could not be read"), {}, error)
        found = verdict(deployment, generation=self.awaited.generation)
        going_on = found.state == "progressing" or (found.state == "failed" and self._bearable(found, deployment, now))
        return None if going_on and now < self.end else Ended(found, deployment)

    def _bearable(self, found: Rollout, deployment: Mapping[str, Any], now: float) -> bool:
        if self.awaited.recovering:
            return True
        if not found.reason.startswith("ReplicaFailure"):
            return False
        status = deployment.get("status") or {}
        counts = tuple(status.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas"))
        if counts != self._last:
            self._last, self._failing_since = counts, now
        return now - self._failing_since < REPLICA_FAILURE_PATIENCE


def wait_for_rollouts(
    awaited: Sequence[Awaited],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> list[Ended]:
    """Read each until its rollout is complete, has failed, is paused, or its time is over; in the order given."""
    waits = {number: _Wait(one, clock()) for number, one in enumerate(awaited)}
    ended: dict[int, Ended] = {}
    step = FIRST_PAUSE
    while True:
        for number in list(waits):
            end = waits[number].look(clock())
            if end is not None:
                ended[number] = end
                del waits[number]
        if not waits:
            return [ended[number] for number in range(len(awaited))]
        left = min(one.end for one in waits.values()) - clock()
        pause(max(0.0, min(step, left)))
        step = min(step * GROWTH, LONGEST_PAUSE)
