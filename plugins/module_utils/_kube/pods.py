# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Pods of a Deployment: what they wait for, and whether they run with data older than a Secret's. Never logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

LONGEST_MESSAGE = 300
Pod = Mapping[str, Any]


def live(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Without those being deleted and those that have ended."""
    return tuple(
        pod
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
    )


def summary(pods: Iterable[Pod]) -> list[dict[str, Any]]:
    """Per pod: name, phase, ready, and for each container that does not run why it waits or how it ended.

    A container's termination message is left out: it may be the end of its log.
    """
    return [
        {
            "name": pod["metadata"].get("name"),
            "phase": (pod.get("status") or {}).get("phase"),
            "ready": _condition(pod, "Ready") == "True",
            "template_hash": (pod["metadata"].get("labels") or {}).get("pod-template-hash"),
            "waiting": list(_waiting(pod)),
        }
        for pod in live(pods)
    ]


def why_not_ready(pods: Iterable[Pod]) -> tuple[str, ...]:
    """Sentences for a person, one a container or pod that is not ready, and one a pod that cannot go."""
    found, sentences = tuple(pods), []
    for pod in summary(found):
        reasons = [one for one in pod["waiting"] if one["reason"] != "PodInitializing"] or pod["waiting"]
        for one in reasons:
            message = f": {one['message']}" if one["message"] else ""
            sentences.append(f"pod {pod['name']} container {one['container']}: {one['reason']}{message}")
        if not pod["ready"] and not pod["waiting"]:
            sentences.append(f"pod {pod['name']} ({pod['phase']}) runs but is not ready")
    for metadata in (pod["metadata"] for pod in found):
        if metadata.get("deletionTimestamp") and metadata.get("finalizers"):
            held = ", ".join(metadata["finalizers"])
            sentences.append(f"pod {metadata.get('name')} is being deleted and held by its finalizers ({held})")
    return tuple(sentences)


def started_before(pods: Iterable[Pod], container: str, written: str) -> tuple[str, ...]:
    """Names of the pods whose container started before ``written`` (RFC 3339).

    The environment is read when a container starts, so the container's own start counts, not the pod's. Both times
    have whole seconds; the same second counts as after, because a write precedes the start it caused. A container
    that does not run yet will read what is there then. The start is told by the node's clock and the write by the API
    server's: a pod that was created after the write is newer, whatever the node's clock says.
    """
    limit = _time(written)
    older = []
    for pod in live(pods):
        made = pod["metadata"].get("creationTimestamp")
        if made and _time(made) >= limit:
            continue
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            running = (status.get("state") or {}).get("running")
            if status.get("name") == container and running and _time(running["startedAt"]) < limit:
                older.append(str(pod["metadata"].get("name")))
    return tuple(sorted(older))


def _waiting(pod: Pod) -> Iterable[dict[str, str]]:
    status = pod.get("status") or {}
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state = one.get("state") or {}
        if state.get("waiting"):
            yield _reason(one, state["waiting"].get("reason"), state["waiting"].get("message"))
        elif state.get("terminated") and state["terminated"].get("exitCode"):
            ended = state["terminated"]
            yield _reason(one, ended.get("reason") or "Terminated", f"exit code {ended.get('exitCode')}")
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield {
                "container": "(none)",
                "reason": str(condition.get("reason")),
                "message": str(condition.get("message") or "")[:LONGEST_MESSAGE],
            }


def _reason(status: Mapping[str, Any], reason: object, message: object) -> dict[str, str]:
    return {
        "container": str(status.get("name")),
        "reason": str(reason or "Waiting"),
        "message": str(message or "")[:LONGEST_MESSAGE],
    }


def _condition(pod: Pod, kind: str) -> str | None:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((str(one.get("status")) for one in conditions if one.get("type") == kind), None)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
