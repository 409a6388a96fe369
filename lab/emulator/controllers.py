# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controllers: Deployment, ReplicaSet, deletion of what lost its owner, deletion of namespaces.

All of them look at the whole store after each change: it is small, and a level looked at cannot be missed as an
edge can.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

from lab.emulator.deployments import sync_deployment
from lab.emulator.errors import StatusError
from lab.emulator.registry import Registry
from lab.emulator.replicasets import sync_replica_set
from lab.emulator.resources import BY_NAME, RESOURCES
from lab.emulator.storage import Event

Object = dict[str, Any]

TICK = 0.5  # seconds: deadlines pass without any change of an object
WATCHED = {"deployments", "replicasets", "pods", "namespaces", "resourcequotas"}


class Controllers:
    """A task that wakes on each change and works until nothing more is to be done."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._changed = asyncio.Event()
        registry.storage.listen(self._saw)

    def _saw(self, event: Event) -> None:
        if event.resource.plural in WATCHED or event.kind == "DELETED":
            self._changed.set()

    async def run(self) -> None:
        while True:
            self._changed.clear()
            self.sync()
            try:
                await asyncio.wait_for(self._changed.wait(), TICK)
            except TimeoutError:
                continue

    def sync(self) -> None:
        """One look at everything; what it changes wakes the next look."""
        storage = self._registry.storage
        for item in storage.list(BY_NAME["deployments"]):
            self._guarded(sync_deployment, item)
        for item in storage.list(BY_NAME["replicasets"]):
            self._guarded(sync_replica_set, item)
        self._collect_orphans()
        for item in storage.list(BY_NAME["namespaces"]):
            if "deletionTimestamp" in item["metadata"]:
                self._empty_namespace(item)

    def _guarded(self, sync: Callable[[Registry, Object], None], item: Object) -> None:
        try:
            sync(self._registry, copy.deepcopy(item))
        except StatusError as error:
            # Somebody was quicker, or the object is not valid: the next look tells.
            if error.code not in (404, 409):
                print(f"{item['kind']} {item['metadata']['name']}: {error.message}", flush=True)

    def _collect_orphans(self) -> None:
        storage = self._registry.storage
        alive = {item["metadata"]["uid"] for resource in RESOURCES for item in storage.list(resource)}
        for resource in RESOURCES:
            for item in storage.list(resource):
                owners = item["metadata"].get("ownerReferences") or []
                if (
                    owners
                    and not any(owner["uid"] in alive for owner in owners)
                    and "deletionTimestamp" not in item["metadata"]
                ):
                    self._registry.delete(resource, item["metadata"].get("namespace", ""), item["metadata"]["name"], {})

    def _empty_namespace(self, namespace: Object) -> None:
        storage, name = self._registry.storage, namespace["metadata"]["name"]
        left = 0
        for resource in RESOURCES:
            for item in storage.list(resource, name) if resource.namespaced else []:
                if "deletionTimestamp" not in item["metadata"]:
                    self._registry.delete(resource, name, item["metadata"]["name"], {})
                left += storage.find(resource, name, item["metadata"]["name"]) is not None
        if not left:
            storage.remove(BY_NAME["namespaces"], namespace)
