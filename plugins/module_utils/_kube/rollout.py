# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether a Deployment's rollout is done: kubectl's own rules, over the object alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["complete", "progressing", "failed", "paused", "idle"]


@dataclass(frozen=True)
class Rollout:
    """``complete``: every replica runs the newest template and is available. ``idle``: no replicas are wanted."""

    state: State
    message: str
    reason: str = ""

    @property
    def done(self) -> bool:
        return self.state in {"complete", "idle"}


def verdict(deployment: Mapping[str, Any], *, generation: int | None = None) -> Rollout:
    """Judge a Deployment.

    The order and the comparisons are those of ``kubectl rollout status`` (polymorphichelpers.DeploymentStatusViewer),
    so that both call the same objects done. Stricter only where kubectl would go on waiting: a rollout that a pause
    holds up is ``paused``, and one with a ReplicaFailure (a full quota) is ``failed``. Done with no replicas is
    ``idle``.

    :param generation: the generation a patch returned; the status must have caught up with it.
    """
    metadata, spec, status = (deployment.get(part) or {} for part in ("metadata", "spec", "status"))
    observed = int(status.get("observedGeneration") or 0)
    if observed < max(int(metadata.get("generation") or 0), generation or 0):
        if spec.get("paused"):
            return Rollout("paused", "the Deployment is paused")
        return Rollout("progressing", "waiting for the controller to observe the change")
    progressing = _condition(status, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        message = str(progressing.get("message") or "the progress deadline was exceeded")
        return Rollout("failed", message, "ProgressDeadlineExceeded")
    return _held_up(spec, status, _counted(spec, status))


def _counted(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Rollout:
    """kubectl's comparisons of the counts."""
    wanted = spec.get("replicas")  # the server sets it; where it is absent kubectl compares nothing with it
    updated, replicas, available = (
        int(status.get(name) or 0) for name in ("updatedReplicas", "replicas", "availableReplicas")
    )
    if wanted is not None and updated < wanted:
        return Rollout("progressing", f"{updated} out of {wanted} new replicas have been updated")
    if replicas > updated:
        return Rollout("progressing", f"{replicas - updated} old replicas are pending termination")
    if available < updated:
        patience = f" (minReadySeconds is {spec['minReadySeconds']})" if spec.get("minReadySeconds") else ""
        return Rollout("progressing", f"{available} of {updated} updated replicas are available{patience}")
    if wanted == 0:
        return Rollout("idle", "the Deployment wants no replicas: there is nothing to roll out")
    of = updated if wanted is None else wanted
    return Rollout("complete", f"{available} of {of} replicas run the newest template and are available")


def _held_up(spec: Mapping[str, Any], status: Mapping[str, Any], found: Rollout) -> Rollout:
    """The same, or what keeps it from going on."""
    if found.done:
        return found
    failure = _condition(status, "ReplicaFailure")
    if failure.get("status") == "True":
        reason = f"ReplicaFailure {failure.get('reason') or ''}".strip()
        return Rollout("failed", str(failure.get("message") or ""), reason)
    if not spec.get("paused") or "replicas are available" in found.message:
        return found  # pods that are there become available in a paused Deployment too
    updated, wanted = int(status.get("updatedReplicas") or 0), spec.get("replicas")
    if wanted is not None and updated < wanted:
        return Rollout("paused", f"the Deployment is paused with {updated} of {wanted} new replicas updated")
    return Rollout("paused", f"the Deployment is paused, and {found.message}")


def deadline(deployment: Mapping[str, Any]) -> float:
    """The default time to wait, in seconds: the Deployment's progress deadline (600 unless set) and 30 more.

    So the controller's own verdict comes first.
    """
    return float(deployment["spec"].get("progressDeadlineSeconds") or 600) + 30.0


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((one for one in status.get("conditions") or () if one.get("type") == kind), {})
