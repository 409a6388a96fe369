# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pod on this node: bound, started, reported, and in the end removed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from lab.cluster.api import Api, ApiError
from lab.kubelet.config import Config, Service
from lab.kubelet.container import Container, ImageError
from lab.kubelet.environment import resolve
from lab.kubelet.images import command
from lab.kubelet.status import now, pod_status
from lab.kubelet.volumes import mounts, objects_of, within, write_volumes

Object = dict[str, Any]

REPORT_RETRY = 1.0  # seconds


class Pod:
    """A pod and its thread, which alone writes the pod's status."""

    def __init__(self, api: Api, config: Callable[[], Config], pod: Object) -> None:
        self.object = pod
        self.uid: str = pod["metadata"]["uid"]
        self.namespace: str = pod["metadata"]["namespace"]
        self.name: str = pod["metadata"]["name"]
        self.objects = objects_of(pod)
        self._api = api
        self._config = config
        self._folder = config().folder / f"{self.namespace}_{self.name}_{self.uid}"
        self._started = pod.get("status", {}).get("startTime") or now()
        self._news = threading.Event()  # something to report, or to end
        self._gone = threading.Event()  # the object is no longer there: nothing to report
        self._terminating = False
        self.containers = [self._container(spec) for spec in pod["spec"]["containers"]]
        self._thread = threading.Thread(target=self._run, name=f"pod-{self.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def observe(self, pod: Object) -> None:
        """The API server's newest view of it."""
        self.object = pod
        if "deletionTimestamp" in pod["metadata"] and not self._terminating:
            self._terminating = True
            self._news.set()

    def refresh(self, resource: str, name: str) -> None:
        """A Secret or ConfigMap has changed: volumes follow, waiting containers try again, running ones keep
        the environment they were started with."""
        if (resource, name) in self.objects:
            for container in self.containers:
                if container.state.running_since is None:
                    container.wake.set()
            if resource == "configmaps" or any("secret" in volume for volume in self._volumes()):
                try:
                    write_volumes(self.object, self._folder, self._read)
                except Exception as error:  # the files stay as they are, as on a real node
                    print(f"{self.name}: volumes not refreshed: {type(error).__name__}", flush=True)

    def forget(self) -> None:
        """The object has been deleted by force: end at once."""
        self._gone.set()
        self._terminating = True
        self._news.set()

    def serves(self, service: Service) -> bool:
        labels = self.object["metadata"].get("labels", {})
        return (
            self.namespace == service.namespace and not self._terminating and service.selector.items() <= labels.items()
        )

    # -- its thread ----------------------------------------------------------
    def _run(self) -> None:
        while not self._bind() and not self._terminating:
            self._news.wait(REPORT_RETRY)
        for container in self.containers:
            container.start()
        reported: Object | None = None
        while not self._terminating:
            # Transition times come from the last report, so that equal states make equal reports.
            self._news.clear()
            status = self._status({**self.object, "status": reported or self.object.get("status", {})})
            if status == reported or self._report(status):
                reported = status
                self._news.wait()
            else:
                self._news.wait(REPORT_RETRY)
        self._end(reported or {})

    def _end(self, reported: Object) -> None:
        grace = 0.0 if self._gone.is_set() else float(self.object["metadata"].get("deletionGracePeriodSeconds") or 0)
        self._report(self._status({**self.object, "status": reported}))
        for container in self.containers:
            container.stop(grace)
        for container in self.containers:
            container.join()
        if not self._gone.is_set():
            self._remove()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _bind(self) -> bool:
        """Whether it is this node's now; otherwise it is to be asked for again, as a scheduler does."""
        if self.object["spec"].get("nodeName"):
            return True
        target = {"apiVersion": "v1", "kind": "Node", "name": self._config().node}
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "target": target,
            "metadata": {"name": self.name, "namespace": self.namespace},
        }
        try:
            self._api.create("pods", binding, self.namespace, name=self.name, subresource="binding")
        except ApiError as error:
            if error.code == 404:
                self.forget()
            elif error.code != 409:  # 409: bound before, by this node's earlier life
                print(f"{self.name}: not bound: {error}", flush=True)
                return False
        except (OSError, HTTPException) as error:
            print(f"{self.name}: not bound: {type(error).__name__}", flush=True)
            return False
        return True

    def _report(self, status: Object) -> bool:
        if self._gone.is_set():
            return True
        try:
            # The uid makes it a refusal, not a report, when the name belongs to a newer pod.
            body = {"metadata": {"uid": self.uid}, "status": status}
            self._api.patch("pods", self.name, body, self.namespace, kind="merge", subresource="status")
        except ApiError as error:
            if error.code == 404:
                self.forget()
            elif error.code != 409:
                print(f"{self.name}: status not reported: {error}", flush=True)
            return error.code in (404, 409)
        except (OSError, HTTPException) as error:
            print(f"{self.name}: status not reported: {type(error).__name__}", flush=True)
            return False
        return True

    def _remove(self) -> None:
        try:
            self._api.delete("pods", self.name, self.namespace, grace_seconds=0, uid=self.uid)
        except (ApiError, OSError, HTTPException) as error:
            if not (isinstance(error, ApiError) and error.code in (404, 409)):
                print(f"{self.name}: not removed: {error}", flush=True)

    def _status(self, seen: Object) -> Object:
        states = [container.state for container in self.containers]
        return pod_status(seen, states, self._started, terminating=self._terminating)

    # -- its containers ------------------------------------------------------
    def _container(self, spec: Object) -> Container:
        known = {status["name"]: status for status in self.object.get("status", {}).get("containerStatuses", [])}
        before = known.get(spec["name"], {})
        # A container this node ran in an earlier life has ended with that life.
        restarts = before.get("restartCount", 0) + (1 if "running" in before.get("state", {}) else 0)
        log = self._config().logs / f"{self.name}_{spec['name']}.log"
        full_name = f"{self.name}_{self.namespace}({self.uid})"
        return Container(
            spec, lambda: self._prepare(spec), self._news.set, log=log, pod_name=full_name, restarts=restarts
        )

    def _prepare(self, spec: Object) -> tuple[list[str], dict[str, str], int]:
        config = self._config()
        image = config.images.get(spec["image"])
        if image is None:
            raise ImageError("this node does not have it")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_volumes(self.object, self._folder, self._read)
        env = resolve(spec, self.object, image.env, self._read)
        return command(image, spec, within(env, mounts(spec, self._folder)), config.routes)

    def _read(self, resource: str, name: str) -> Object | None:
        # Asked anew at each start, not from a cache: a Secret written just before the pod must be seen.
        return self._api.find(resource, name, self.namespace)

    def _volumes(self) -> list[Object]:
        volumes: list[Object] = self.object["spec"].get("volumes", [])
        return volumes
