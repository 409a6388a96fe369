# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node: all its pods, and what its services need to know of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from lab.cluster.api import Api
from lab.kubelet.config import Config, Service
from lab.kubelet.pod import Pod
from lab.kubelet.watch import Watcher

Object = dict[str, Any]


class Node:
    """Takes every pod that is bound to it, or to none (and, if given, names that one scheduler)."""

    def __init__(self, api: Api, config: Callable[[], Config], *, only_scheduler: str | None = None) -> None:
        self._api = api
        self._config = config
        self._only_scheduler = only_scheduler
        self._pods: dict[str, Pod] = {}
        self._lock = threading.Lock()
        self._stopping = False
        self._watchers = [
            Watcher(api, "pods", self._saw_pod),
            Watcher(api, "secrets", lambda kind, item: self._saw_object("secrets", item)),
            Watcher(api, "configmaps", lambda kind, item: self._saw_object("configmaps", item)),
        ]

    def start(self) -> None:
        for watcher in self._watchers:
            watcher.start()

    def wait_synced(self, timeout: float) -> bool:
        """Whether all lists were read once within ``timeout`` seconds."""
        return all(watcher.synced.wait(timeout) for watcher in self._watchers)

    def stop(self) -> None:
        """End all processes; the pods' objects stay, as when a node is switched off."""
        self._stopping = True
        for watcher in self._watchers:
            watcher.stop()
        with self._lock:
            pods = list(self._pods.values())
        for pod in pods:
            pod.forget()
        for pod in pods:
            pod.join()

    def pods_of(self, service: Service) -> list[Pod]:
        """The service's pods, newest first, the terminating left out."""
        with self._lock:
            serving = [pod for pod in self._pods.values() if pod.serves(service)]
        return sorted(
            serving,
            key=lambda pod: (
                pod.object["metadata"]["creationTimestamp"],
                int(pod.object["metadata"]["resourceVersion"]),
            ),
            reverse=True,
        )

    def _saw_pod(self, kind: str, item: Object) -> None:
        uid = item["metadata"]["uid"]
        with self._lock:
            pod = self._pods.get(uid)
            if kind == "DELETED":
                if pod is not None:
                    del self._pods[uid]
                    pod.forget()
                return
            if pod is None and not self._stopping and self._takes(item):
                pod = self._pods[uid] = Pod(self._api, self._config, item)
                pod.start()
        if pod is not None:
            pod.observe(item)

    def _takes(self, item: Object) -> bool:
        bound = item["spec"].get("nodeName")
        if bound:
            return bool(bound == self._config().node)
        return self._only_scheduler in (None, item["spec"].get("schedulerName"))

    def _saw_object(self, resource: str, item: Object) -> None:
        metadata = item["metadata"]
        with self._lock:
            pods = [pod for pod in self._pods.values() if pod.namespace == metadata["namespace"]]
        for pod in pods:
            pod.refresh(resource, metadata["name"])
