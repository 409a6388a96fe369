# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's status as a kubelet writes it, from what its containers say of themselves. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class ContainerState:
    """What one container is doing. Exactly one of ``waiting``, ``running_since``, ``terminated`` holds."""

    name: str
    image: str
    waiting: tuple[str, str] | None = ("ContainerCreating", "")  # (reason, message)
    running_since: str | None = None
    terminated: Object | None = None
    last: Object | None = None  # the last end, as in lastState.terminated
    restarts: int = 0
    ready: bool = False
    identity: str = ""


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_status(pod: Object, states: Sequence[ContainerState], started: str, *, terminating: bool) -> Object:
    """The whole ``status``; transition times are kept from the pod's present status where nothing changed."""
    ready = bool(states) and all(state.ready for state in states) and not terminating
    not_ready = [state.name for state in states if not state.ready]
    unready = (
        {}
        if ready
        else {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{' '.join(not_ready)}]",
        }
    )
    before = {condition["type"]: condition for condition in pod.get("status", {}).get("conditions", [])}
    conditions = [
        _condition(before, "PodScheduled", True),
        _condition(before, "Initialized", True),
        _condition(before, "ContainersReady", ready, unready),
        _condition(before, "Ready", ready, unready),
    ]
    return {
        "phase": _phase(states),
        "hostIP": "127.0.0.1",
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "startTime": started,
        "qosClass": pod.get("status", {}).get("qosClass", "BestEffort"),
        "conditions": conditions,
        "containerStatuses": [_container(state) for state in sorted(states, key=lambda state: state.name)],
    }


def _phase(states: Sequence[ContainerState]) -> str:
    if any(state.running_since or state.last or state.terminated for state in states):
        return "Running"
    return "Pending"


def _condition(before: dict[str, Object], kind: str, value: bool, more: Object | None = None) -> Object:
    status = "True" if value else "False"
    known = before.get(kind, {})
    changed = known.get("lastTransitionTime") if known.get("status") == status else None
    return {
        "type": kind,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": changed or now(),
        **(more or {}),
    }


def _container(state: ContainerState) -> Object:
    current: Object
    if state.running_since is not None:
        current = {"running": {"startedAt": state.running_since}}
    elif state.terminated is not None:
        current = {"terminated": state.terminated}
    else:
        reason, message = state.waiting or ("ContainerCreating", "")
        current = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return {
        "name": state.name,
        "image": state.image,
        "imageID": f"lab://{state.image}" if state.identity else "",
        "containerID": state.identity,
        "ready": state.ready,
        "started": state.running_since is not None,
        "restartCount": state.restarts,
        "state": current,
        "lastState": {"terminated": state.last} if state.last else {},
    }
