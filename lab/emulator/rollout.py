# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of a rolling update (k8s.io/kubernetes/pkg/controller/deployment). Pure functions."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
REVISION = "deployment.kubernetes.io/revision"


def template_hash(template: Object) -> str:
    """Ten characters that follow from the pod template alone."""
    number = int.from_bytes(hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()[:8], "big")
    letters = ""
    for _ in range(10):
        number, rest = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[rest]
    return letters


def same_template(replica_set: Object, deployment: Object) -> bool:
    def bare(template: Object) -> Object:
        labels = {
            key: value
            for key, value in (template.get("metadata", {}).get("labels") or {}).items()
            if key != "pod-template-hash"
        }
        return {**template, "metadata": {**template.get("metadata", {}), "labels": labels}}

    return bare(replica_set["spec"]["template"]) == bare(deployment["spec"]["template"])


def limits(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods: surge is rounded up, unavailable down, never both 0."""
    spec = deployment["spec"]
    replicas = spec["replicas"]
    if spec["strategy"]["type"] == "Recreate":
        return 0, 0
    rolling = spec["strategy"].get("rollingUpdate", {})
    surge = _pods(rolling.get("maxSurge", "25%"), replicas, math.ceil)
    unavailable = min(_pods(rolling.get("maxUnavailable", "25%"), replicas, math.floor), replicas)
    return surge, (1 if surge == 0 and unavailable == 0 else unavailable)


def _pods(value: Any, replicas: int, rounding: Any) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return int(rounding(int(value[:-1]) * replicas / 100))
    return int(value)


def new_replicas(deployment: Object, newest: int, total: int) -> int:
    """How many pods the newest ReplicaSet may have now."""
    wanted: int = deployment["spec"]["replicas"]
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        return wanted
    surge, _ = limits(deployment)
    room = wanted + surge - total
    return newest if room <= 0 else newest + min(room, wanted - newest)


def old_replicas(deployment: Object, new: Object | None, old: list[Object]) -> dict[str, int]:
    """Name of each old ReplicaSet that is to shrink -> its new size: first what is not available anyway, then as
    many as the newest has replaced."""
    _, unavailable = limits(deployment)
    sizes = {item["metadata"]["name"]: item["spec"]["replicas"] for item in old}
    total = sum(sizes.values()) + (new["spec"]["replicas"] if new else 0)
    minimum = deployment["spec"]["replicas"] - unavailable
    pending = new["spec"]["replicas"] - new.get("status", {}).get("availableReplicas", 0) if new else 0
    spare = total - minimum - pending
    changes: dict[str, int] = {}
    by_age = sorted(old, key=lambda item: item["metadata"]["creationTimestamp"])
    for item in by_age:
        name, available = item["metadata"]["name"], item.get("status", {}).get("availableReplicas", 0)
        cut = min(spare, sizes[name] - available)
        if cut > 0:
            sizes[name] -= cut
            spare -= cut
            changes[name] = sizes[name]
    available_now = sum(item.get("status", {}).get("availableReplicas", 0) for item in [*old, *([new] if new else [])])
    surplus = available_now - minimum
    for item in by_age:
        name = item["metadata"]["name"]
        cut = min(surplus, spare, sizes[name])
        if cut > 0:
            sizes[name] -= cut
            surplus -= cut
            spare -= cut
            changes[name] = sizes[name]
    return changes


def condition(conditions: list[Object], kind: str) -> Object | None:
    return next((entry for entry in conditions if entry["type"] == kind), None)


def with_condition(  # noqa: PLR0917 in the order the condition is written
    conditions: list[Object], kind: str, status: str, reason: str, message: str, now: str
) -> list[Object]:
    """The list with that condition in it; times move only with what they are the times of."""
    before = condition(conditions, kind)
    if before and (before["status"], before["reason"], before["message"]) == (status, reason, message):
        return conditions
    changed = before["lastTransitionTime"] if before and before["status"] == status else now
    fresh = {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": changed,
        "reason": reason,
        "message": message,
    }
    return [*(entry for entry in conditions if entry["type"] != kind), fresh]


def seconds_since(moment: str) -> float:
    then = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return (datetime.now(UTC) - then).total_seconds()
