# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Deployment controller's one step: newest ReplicaSet, sizes, status."""

from __future__ import annotations

import copy
from typing import Any

from lab.emulator.progress import deployment_status
from lab.emulator.registry import Registry, Writer, timestamp
from lab.emulator.resources import BY_NAME
from lab.emulator.rollout import REVISION, new_replicas, old_replicas, same_template, template_hash

Object = dict[str, Any]

CONTROLLER = Writer("kube-controller-manager")
STATUS = Writer("kube-controller-manager", subresource="status")


def sync_deployment(registry: Registry, deployment: Object) -> None:
    """Bring ReplicaSets and status one step nearer to the spec."""
    if "deletionTimestamp" in deployment["metadata"]:
        return
    owned = _owned(registry, deployment)
    new = next((item for item in owned if same_template(item, deployment)), None)
    old = [item for item in owned if item is not new]
    event = ""
    paused = bool(deployment["spec"].get("paused"))
    if not paused:
        new, event = _newest(registry, deployment, new, old)
        if new is not None:
            _annotate(registry, deployment, new)
    if not paused and _recreates(deployment):
        for item in old:
            _scale(registry, item, 0)
    if new is not None:
        new = _resize(registry, deployment, new, old, paused=paused)
    if not paused:
        _forget_old(registry, deployment, old)
    _report(registry, deployment, new, event)


def _newest(registry: Registry, deployment: Object, new: Object | None, old: list[Object]) -> tuple[Object | None, str]:
    """The ReplicaSet of the present template, made if it is missing."""
    revision = str(max((_revision(item) for item in old), default=0) + 1)
    if new is not None:
        if old and _revision(new) < int(revision):
            return _set_revision(registry, new, revision), "FoundNewReplicaSet" if _revision(new) else ""
        return new, ""
    if _recreates(deployment) and _still_there(registry, old):
        return None, ""
    return _create(registry, deployment, old, revision), "NewReplicaSetCreated"


def _create(registry: Registry, deployment: Object, old: list[Object], revision: str) -> Object:
    metadata, spec = deployment["metadata"], deployment["spec"]
    template = copy.deepcopy(spec["template"])
    digest = template_hash(template)
    labels = {**(template.get("metadata", {}).get("labels") or {}), "pod-template-hash": digest}
    template.setdefault("metadata", {})["labels"] = labels
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), "pod-template-hash": digest}
    body = {
        "metadata": {
            "name": f"{metadata['name']}-{digest}",
            "labels": labels,
            "annotations": {REVISION: revision, "deployment.kubernetes.io/desired-replicas": str(spec["replicas"])},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "replicas": new_replicas(deployment, 0, sum(item["spec"]["replicas"] for item in old)),
            "selector": selector,
            "template": template,
        },
    }
    return registry.create(BY_NAME["replicasets"], metadata["namespace"], body, CONTROLLER)


def _resize(registry: Registry, deployment: Object, new: Object, old: list[Object], *, paused: bool) -> Object:
    if paused:
        # Only a change of size reaches a paused Deployment, and only where there is one ReplicaSet to size.
        active = [item for item in [new, *old] if item["spec"]["replicas"]]
        if active == [new]:
            return _scale(registry, new, deployment["spec"]["replicas"])
        return new
    if _recreates(deployment):
        return new if _still_there(registry, old) else _scale(registry, new, deployment["spec"]["replicas"])
    total = sum(item["spec"]["replicas"] for item in [new, *old])
    wanted = deployment["spec"]["replicas"]
    size = wanted if new["spec"]["replicas"] > wanted else new_replicas(deployment, new["spec"]["replicas"], total)
    if size != new["spec"]["replicas"]:
        return _scale(registry, new, size)
    for name, smaller in old_replicas(deployment, new, old).items():
        _scale(registry, next(item for item in old if item["metadata"]["name"] == name), smaller)
    return new


def _annotate(registry: Registry, deployment: Object, new: Object) -> None:
    """The Deployment carries the revision of its newest ReplicaSet."""
    revision = new["metadata"]["annotations"][REVISION]
    if (deployment["metadata"].get("annotations") or {}).get(REVISION) == revision:
        return

    def change(item: Object) -> Object:
        item["metadata"].setdefault("annotations", {})[REVISION] = revision
        return item

    _update(registry, "deployments", deployment, change)


def _report(registry: Registry, deployment: Object, new: Object | None, event: str) -> None:
    present = registry.get(BY_NAME["deployments"], deployment["metadata"]["namespace"], deployment["metadata"]["name"])
    sets = _owned(registry, present)
    newest = next((item for item in sets if new and item["metadata"]["uid"] == new["metadata"]["uid"]), None)
    old = [item for item in sets if item is not newest]
    # The generation that was acted on, not one that came meanwhile.
    acted = {**present, "metadata": {**present["metadata"], "generation": deployment["metadata"]["generation"]}}
    status = deployment_status(acted, newest, old, timestamp(), event)
    if status != present.get("status"):
        registry.update(
            BY_NAME["deployments"],
            present["metadata"]["namespace"],
            present["metadata"]["name"],
            lambda item: {**item, "status": status},
            STATUS,
        )


def _owned(registry: Registry, deployment: Object) -> list[Object]:
    sets = registry.storage.list(BY_NAME["replicasets"], deployment["metadata"]["namespace"])
    uid = deployment["metadata"]["uid"]
    return [
        copy.deepcopy(item)
        for item in sets
        if any(owner["uid"] == uid for owner in item["metadata"].get("ownerReferences") or [])
    ]


def _recreates(deployment: Object) -> bool:
    return bool(deployment["spec"]["strategy"]["type"] == "Recreate")


def _still_there(registry: Registry, sets: list[Object]) -> bool:
    """Whether any pod of these ReplicaSets exists, terminating ones included."""
    uids = {item["metadata"]["uid"] for item in sets}
    return any(
        owner["uid"] in uids
        for pod in registry.storage.list(BY_NAME["pods"])
        for owner in pod["metadata"].get("ownerReferences") or []
    )


def _scale(registry: Registry, item: Object, replicas: int) -> Object:
    if item["spec"]["replicas"] == replicas:
        return item
    return _update(
        registry, "replicasets", item, lambda present: {**present, "spec": {**present["spec"], "replicas": replicas}}
    )


def _set_revision(registry: Registry, item: Object, revision: str) -> Object:
    def change(present: Object) -> Object:
        present["metadata"].setdefault("annotations", {})[REVISION] = revision
        return present

    return _update(registry, "replicasets", item, change)


def _update(registry: Registry, plural: str, item: Object, change: Any) -> Object:
    metadata = item["metadata"]
    return copy.deepcopy(registry.update(BY_NAME[plural], metadata["namespace"], metadata["name"], change, CONTROLLER))


def _forget_old(registry: Registry, deployment: Object, old: list[Object]) -> None:
    idle = [item for item in old if not item["spec"]["replicas"] and not item.get("status", {}).get("replicas", 0)]
    surplus = len(idle) - deployment["spec"]["revisionHistoryLimit"]
    for item in sorted(idle, key=_revision)[: max(surplus, 0)]:
        registry.delete(BY_NAME["replicasets"], item["metadata"]["namespace"], item["metadata"]["name"], {})


def _revision(item: Object) -> int:
    return int((item["metadata"].get("annotations") or {}).get(REVISION, "0"))
