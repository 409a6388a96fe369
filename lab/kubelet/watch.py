# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List, then watch, then list again where the watch cannot go on: every change of a resource, in order."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from typing import Any

from lab.cluster.api import Api, ApiError

Object = dict[str, Any]
Seen = Callable[[str, Object], None]  # ("ADDED" | "MODIFIED" | "DELETED", object)

WATCH_SECONDS = 300
RETRY = 0.5  # seconds


class Watcher:
    """One resource of all namespaces; calls ``seen`` from a thread of its own."""

    def __init__(self, api: Api, resource: str, seen: Seen) -> None:
        self._api = api
        self._resource = resource
        self._seen = seen
        self._known: dict[str, Object] = {}
        self._stop = threading.Event()
        self.synced = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{resource}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        said = ""
        while not self._stop.is_set():
            try:
                self._follow(self._relist())
                said = ""
            except (ApiError, OSError, http.client.HTTPException, ValueError) as error:
                if self._stop.is_set():
                    return
                reason = f"{self._resource}: {type(error).__name__}: {error}"
                if reason != said and not (isinstance(error, ApiError) and error.code == http.client.GONE):
                    print(reason, flush=True)
                    said = reason
                self._stop.wait(RETRY)

    def _relist(self) -> str:
        """Bring ``_known`` up to date by a list; returns the version to watch from."""
        listing = self._api.list(self._resource)
        items = {item["metadata"]["uid"]: item for item in listing.get("items") or []}
        for uid in [uid for uid in self._known if uid not in items]:
            self._tell("DELETED", self._known[uid])
        for uid, item in items.items():
            before = self._known.get(uid)
            if before is None:
                self._tell("ADDED", item)
            elif before["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                self._tell("MODIFIED", item)
        self.synced.set()
        return str(listing["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> None:
        while not self._stop.is_set():
            for event in self._api.watch(self._resource, resource_version=version, seconds=WATCH_SECONDS):
                if self._stop.is_set():
                    return
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._tell(event["type"], event["object"])

    def _tell(self, kind: str, item: Object) -> None:
        uid = item["metadata"]["uid"]
        if kind == "DELETED":
            self._known.pop(uid, None)
        else:
            self._known[uid] = item
        self._seen(kind, item)
