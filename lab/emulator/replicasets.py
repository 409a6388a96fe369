# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ReplicaSet controller's one step: as many pods as wanted, and a status that counts them."""

from __future__ import annotations

import copy
from typing import Any

from lab.emulator.errors import StatusError
from lab.emulator.registry import Registry, Writer, timestamp
from lab.emulator.resources import BY_NAME
from lab.emulator.rollout import condition, seconds_since

Object = dict[str, Any]

CONTROLLER = Writer("kube-controller-manager")
STATUS = Writer("kube-controller-manager", subresource="status")


def sync_replica_set(registry: Registry, replica_set: Object) -> None:
    metadata = replica_set["metadata"]
    if "deletionTimestamp" in metadata:
        return
    failure = None
    active = _active(registry, replica_set)
    wanted = replica_set["spec"]["replicas"]
    try:
        for _ in range(wanted - len(active)):
            registry.create(BY_NAME["pods"], metadata["namespace"], _pod(replica_set), CONTROLLER)
    except StatusError as error:
        failure = error.message
    # Surplus pods: first those that serve nobody, then the youngest.
    surplus = sorted(active, key=lambda pod: (_ready_since(pod) is not None, -_age(pod)))
    for pod in surplus[: max(len(active) - wanted, 0)]:
        registry.delete(BY_NAME["pods"], metadata["namespace"], pod["metadata"]["name"], {})
    status = _status(registry, replica_set, failure)
    if status != replica_set.get("status"):
        registry.update(
            BY_NAME["replicasets"],
            metadata["namespace"],
            metadata["name"],
            lambda item: {**item, "status": status},
            STATUS,
        )


def _status(registry: Registry, replica_set: Object, failure: str | None) -> Object:
    pods = _active(registry, replica_set)
    least = replica_set["spec"].get("minReadySeconds", 0)
    ready = [since for pod in pods if (since := _ready_since(pod)) is not None]
    counts = {
        "fullyLabeledReplicas": len(pods),
        "readyReplicas": len(ready),
        "availableReplicas": sum(1 for since in ready if seconds_since(since) >= least),
    }
    status: Object = {
        "replicas": len(pods),
        **{key: value for key, value in counts.items() if value},
        "terminatingReplicas": len(_pods(registry, replica_set)) - len(pods),
        "observedGeneration": replica_set["metadata"]["generation"],
    }
    if failure is not None:
        known = condition(replica_set.get("status", {}).get("conditions") or [], "ReplicaFailure")
        # The pod's name in the message is a new one at each attempt; the first attempt's is kept.
        status["conditions"] = [
            known
            or {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "lastTransitionTime": timestamp(),
                "message": failure,
            }
        ]
    return status


def _pod(replica_set: Object) -> Object:
    metadata = replica_set["metadata"]
    template = copy.deepcopy(replica_set["spec"]["template"])
    return {
        "metadata": {
            **template.get("metadata", {}),
            "generateName": f"{metadata['name']}-",
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {"enableServiceLinks": True, **template["spec"]},
    }


def _pods(registry: Registry, replica_set: Object) -> list[Object]:
    uid = replica_set["metadata"]["uid"]
    return [
        pod
        for pod in registry.storage.list(BY_NAME["pods"], replica_set["metadata"]["namespace"])
        if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences") or [])
    ]


def _active(registry: Registry, replica_set: Object) -> list[Object]:
    return [
        pod
        for pod in _pods(registry, replica_set)
        if "deletionTimestamp" not in pod["metadata"]
        and pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")
    ]


def _ready_since(pod: Object) -> str | None:
    known = condition(pod.get("status", {}).get("conditions") or [], "Ready")
    return known["lastTransitionTime"] if known and known["status"] == "True" else None


def _age(pod: Object) -> float:
    return -seconds_since(pod["metadata"]["creationTimestamp"])
