# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Deployment's status and conditions (pkg/controller/deployment: sync.go, progress.go). Pure functions."""

from __future__ import annotations

from typing import Any

from lab.emulator.rollout import condition, limits, seconds_since, with_condition

Object = dict[str, Any]


def deployment_status(deployment: Object, new: Object | None, old: list[Object], now: str, event: str = "") -> Object:
    """The whole status; ``event`` is the reason of what was just done to the newest ReplicaSet, if anything
    (NewReplicaSetCreated, FoundNewReplicaSet)."""
    sets = [*old, *([new] if new else [])]
    counts = _counts(deployment, new, sets)
    conditions = _availability(deployment, counts, now)
    conditions = _progress(deployment, new, counts, conditions, now=now, event=event)
    failure = next(
        (
            found
            for item in [*([new] if new else []), *old]
            if (found := condition(item.get("status", {}).get("conditions") or [], "ReplicaFailure"))
        ),
        None,
    )
    if failure:
        conditions = with_condition(
            conditions, "ReplicaFailure", failure["status"], failure["reason"], failure["message"], now
        )
    else:
        conditions = [entry for entry in conditions if entry["type"] != "ReplicaFailure"]
    shown = {key: value for key, value in counts.items() if value or key == "terminatingReplicas"}
    return {"observedGeneration": deployment["metadata"]["generation"], **shown, "conditions": conditions}


def _counts(deployment: Object, new: Object | None, sets: list[Object]) -> dict[str, int]:
    def total(key: str) -> int:
        return sum(item.get("status", {}).get(key, 0) for item in sets)

    wanted: int = sum(item["spec"]["replicas"] for item in sets)
    available = total("availableReplicas")
    return {
        "replicas": total("replicas"),
        "updatedReplicas": new.get("status", {}).get("replicas", 0) if new else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(wanted - available, 0),
        "terminatingReplicas": total("terminatingReplicas"),
    }


def _availability(deployment: Object, counts: dict[str, int], now: str) -> list[Object]:
    conditions: list[Object] = deployment.get("status", {}).get("conditions") or []
    _, unavailable = limits(deployment)
    if counts["availableReplicas"] >= deployment["spec"]["replicas"] - unavailable:
        return with_condition(
            conditions, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now
        )
    return with_condition(
        conditions,
        "Available",
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
        now,
    )


def _progress(  # noqa: PLR0911 one return for each condition kubectl knows reads best
    deployment: Object, new: Object | None, counts: dict[str, int], conditions: list[Object], *, now: str, event: str
) -> list[Object]:
    known = condition(conditions, "Progressing")
    if deployment["spec"].get("paused"):
        if known and known["reason"] == "ProgressDeadlineExceeded":
            return conditions
        return with_condition(conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now)
    if known and known["reason"] == "DeploymentPaused":
        conditions = with_condition(
            conditions, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now
        )
        known = condition(conditions, "Progressing")
    name = new["metadata"]["name"] if new else ""
    if event == "NewReplicaSetCreated":
        return with_condition(conditions, "Progressing", "True", event, f'Created new replica set "{name}"', now)
    if event == "FoundNewReplicaSet":
        return with_condition(conditions, "Progressing", "True", event, f'Found new replica set "{name}"', now)
    if known and known["reason"] == "NewReplicaSetAvailable" and counts["replicas"] == counts["updatedReplicas"]:
        return conditions
    who = f'ReplicaSet "{name}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    if _complete(deployment, counts):
        return with_condition(
            conditions, "Progressing", "True", "NewReplicaSetAvailable", f"{who} has successfully progressed.", now
        )
    if _moved(deployment, counts):
        # A later step of the same rollout is progress too: its time moves although its words do not.
        rest = [entry for entry in conditions if entry["type"] != "Progressing"]
        since = known["lastTransitionTime"] if known and known["status"] == "True" else now
        return [
            *rest,
            {
                "type": "Progressing",
                "status": "True",
                "lastUpdateTime": now,
                "lastTransitionTime": since,
                "reason": "ReplicaSetUpdated",
                "message": f"{who} is progressing.",
            },
        ]
    deadline = deployment["spec"].get("progressDeadlineSeconds", 600)
    if known and known["reason"] != "NewReplicaSetAvailable" and seconds_since(known["lastUpdateTime"]) > deadline:
        return with_condition(
            conditions, "Progressing", "False", "ProgressDeadlineExceeded", f"{who} has timed out progressing.", now
        )
    return conditions


def _complete(deployment: Object, counts: dict[str, int]) -> bool:
    wanted = deployment["spec"]["replicas"]
    return all(counts[key] == wanted for key in ("updatedReplicas", "replicas", "availableReplicas"))


def _moved(deployment: Object, counts: dict[str, int]) -> bool:
    before: dict[str, int] = deployment.get("status", {})
    old = counts["replicas"] - counts["updatedReplicas"]
    old_before = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    return (
        counts["updatedReplicas"] > before.get("updatedReplicas", 0)
        or old < old_before
        or counts["readyReplicas"] > before.get("readyReplicas", 0)
        or counts["availableReplicas"] > before.get("availableReplicas", 0)
    )
