# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Node object, for clusters that have controllers of nodes: pods bound to a node that is not there, or that
has not been heard of for 40 s, are deleted by them (kube-controller-manager, --node-monitor-grace-period)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

from lab.cluster.api import Api, ApiError
from lab.kubelet.status import now

Object = dict[str, Any]

HEARTBEAT = 10.0  # seconds, a kubelet's own
LEASES = "kube-node-lease"


class Registration:
    """Keeps the Node and its Lease alive until ``stop``, which removes both."""

    def __init__(self, api: Api, name: str) -> None:
        self._api = api
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="node-heartbeat", daemon=True)

    def start(self) -> None:
        """Raises ApiError when the Node may not be made."""
        # Only pods that name the lab's scheduler are bound here; nothing else is to land on it.
        taint = {"key": "keybuzz.io/lab", "effect": "NoSchedule"}
        if self._api.find("nodes", self._name) is None:
            self._api.create("nodes", {"metadata": {"name": self._name}, "spec": {"taints": [taint]}})
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        for resource, namespace in (("leases", LEASES), ("nodes", None)):
            try:
                self._api.delete(resource, self._name, namespace)
            except (ApiError, OSError, HTTPException) as error:
                print(f"node {self._name}: {resource} not removed: {error}", flush=True)

    def _run(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            try:
                self._beat()
            except (ApiError, OSError, HTTPException) as error:
                print(f"node {self._name}: no heartbeat: {error}", flush=True)

    def _beat(self) -> None:
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "the lab's kubelet runs",
            "lastHeartbeatTime": now(),
            "lastTransitionTime": now(),
        }
        self._api.patch(
            "nodes", self._name, {"status": {"conditions": [ready]}}, kind="strategic", subresource="status"
        )
        renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": self._name, "leaseDurationSeconds": 40, "renewTime": renewed}
        if self._api.find("leases", self._name, LEASES) is None:
            self._api.create("leases", {"metadata": {"name": self._name}, "spec": spec}, LEASES)
        else:
            self._api.patch("leases", self._name, {"spec": spec}, LEASES)
