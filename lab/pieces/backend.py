# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's Deployment while pieces are broken or healed: read once, written once, so one rollout for all."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lab.processes import wait_until

if TYPE_CHECKING:
    from lab.cluster import Api
    from lab.world import World

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"

# The lists that pieces edit, and what names an entry of each: Kubernetes' own merge keys.
KEYS = {"env": "name", "volumeMounts": "mountPath", "volumes": "name"}


class BackendWorkload:
    """The pod specification that pieces edit, and the pods that have to see what changed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.namespace: str = world.state["backend"]["namespace"]
        self._name: str = world.state["backend"]["deployment"]
        self._orders: dict[str, list[str]] = {}
        self.stale = False  # set by a piece that changed what running pods have read at their start

    @cached_property
    def api(self) -> Api:
        return self._world.kubernetes()

    @cached_property
    def _found(self) -> dict[str, Any]:
        return self.api.get("deployments", self._name, self.namespace)

    @cached_property
    def pod(self) -> dict[str, Any]:
        """The pod's specification, to be edited in place."""
        pod: dict[str, Any] = copy.deepcopy(self._found["spec"]["template"]["spec"])
        return pod

    @property
    def container(self) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self.pod["containers"] if one["name"] == self._name)
        return found

    def remember_orders(self, kept: dict[str, Any]) -> None:
        """Takes over, from what was kept of another piece, how the lists were ordered when they were whole."""
        for field in KEYS:
            for one in kept.get(field, ()):
                self._orders[field] = one["order"]

    def order(self, field: str) -> list[str]:
        """The keys of a list in the order of the whole world, also where a part of it is broken already."""
        holder = self.pod if field == "volumes" else self.container
        now = [entry[KEYS[field]] for entry in holder.get(field, [])]
        earlier = self._orders.get(field, [])
        return earlier if set(now) <= set(earlier) else now

    def settle(self) -> bool:
        """Writes the edited specification, or restarts pods that are stale. Returns whether anything was done."""
        if self._edited():
            self._write()
        elif self.stale:
            for pod in self._list("pods"):
                self._delete("pods", pod)
        else:
            return False
        return True

    def leave_only_the_new(self) -> bool:
        """As ``settle``, and ends the pods of before.

        A rolling update keeps the old pod until a new one is ready, which a broken one never is: the fault would
        not show. The world to be made is one in which the Deployment has always been like this.
        """
        edited = self._edited()
        done = self.settle()
        if edited:
            wait_until("the Deployment's new ReplicaSet", self._has_new, timeout=20, log=None)
        if done:
            self._end_what_was_before(also_idle=edited)
        return done

    def _end_what_was_before(self, *, also_idle: bool) -> None:
        """Pods that are just deleted come back as long as an unfinished rollout of before keeps their ReplicaSet."""
        newest = self._newest()
        for old in self._list("replicasets"):
            if old["metadata"]["uid"] != newest["metadata"]["uid"] and (also_idle or old["spec"]["replicas"]):
                self._delete("replicasets", old)
        for pod in self._list("pods"):
            if pod["metadata"]["labels"].get(_HASH) != newest["metadata"]["labels"][_HASH]:
                self._delete("pods", pod)

    def _edited(self) -> bool:
        return "pod" in self.__dict__ and self.pod != self._found["spec"]["template"]["spec"]

    def _write(self) -> None:
        patch = [
            # Not the resourceVersion: the status moves all the time, and is not somebody else's work on it.
            {"op": "test", "path": "/metadata/generation", "value": self._found["metadata"]["generation"]},
            {"op": "replace", "path": "/spec/template/spec", "value": self.pod},
        ]
        self._patched = self.api.patch("deployments", self._name, patch, self.namespace, kind="json")

    def _has_new(self) -> bool:
        now = self.api.get("deployments", self._name, self.namespace)
        observed = now.get("status", {}).get("observedGeneration", 0)
        if observed < self._patched["metadata"]["generation"]:
            return False
        revisions = [one["metadata"]["annotations"][_REVISION] for one in (now, self._newest())]
        return bool(revisions[0] == revisions[1])

    def _newest(self) -> dict[str, Any]:
        return max(self._list("replicasets"), key=lambda one: int(one["metadata"]["annotations"][_REVISION]))

    def _list(self, resource: str) -> list[dict[str, Any]]:
        labels = self._found["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        found: list[dict[str, Any]] = self.api.list(resource, self.namespace, labelSelector=selector)["items"]
        return found

    def _delete(self, resource: str, found: dict[str, Any]) -> None:
        from lab.cluster import ApiError

        try:
            self.api.delete(resource, found["metadata"]["name"], self.namespace)
        except ApiError as error:
            if error.code != 404:  # its controller was faster
                raise
