# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: every object in memory, one counter of versions, and what has happened lately for watches.

Objects handed out are never changed afterwards: a writer stores a new one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.emulator.errors import expired
from lab.emulator.resources import Resource

Object = dict[str, Any]

EVENTS_KEPT = 5000  # older ones answer 410 Expired, as after etcd's compaction


@dataclass(frozen=True)
class Event:
    version: int
    kind: str  # ADDED, MODIFIED, DELETED
    resource: Resource
    item: Object
    before: Object | None


class Storage:
    """One event loop's store; no call here awaits, so each is atomic."""

    def __init__(self) -> None:
        self.version = 1
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._forgotten = 0  # the highest version that fell out of _events
        self._watches: set[asyncio.Queue[Event]] = set()
        self._listeners: list[Callable[[Event], None]] = []

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._objects.get(resource.qualified, {}).get((namespace, name))

    def put(self, resource: Resource, item: Object) -> Object:
        """Store it under a new version; returns what is stored."""
        key = (item["metadata"].get("namespace", ""), item["metadata"]["name"])
        kept = self._objects.setdefault(resource.qualified, {})
        before = kept.get(key)
        stored = self._versioned(item)
        kept[key] = stored
        self._happened("MODIFIED" if before else "ADDED", resource, stored, before)
        return stored

    def remove(self, resource: Resource, item: Object) -> Object:
        key = (item["metadata"].get("namespace", ""), item["metadata"]["name"])
        before = self._objects[resource.qualified].pop(key)
        stored = self._versioned(before)
        self._happened("DELETED", resource, stored, before)
        return stored

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Called after each change, in order."""
        self._listeners.append(listener)

    def since(self, version: int) -> list[Event]:
        """What happened after that version. Raises 410 when that is no longer known."""
        if version < self._forgotten:
            raise expired(version, self._forgotten)
        return [event for event in self._events if event.version > version]

    def subscribe(self) -> asyncio.Queue[Event]:
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._watches.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[Event]) -> None:
        self._watches.discard(queue)

    def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        """All objects, or those of one namespace, by namespace and name."""
        kept = self._objects.get(resource.qualified, {})
        return [kept[key] for key in sorted(kept) if namespace in ("", key[0])]

    def _versioned(self, item: Object) -> Object:
        self.version += 1
        return {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}

    def _happened(self, kind: str, resource: Resource, item: Object, before: Object | None) -> None:
        if len(self._events) == EVENTS_KEPT:
            self._forgotten = self._events[0].version
        event = Event(self.version, kind, resource, item, before)
        self._events.append(event)
        for queue in self._watches:
            queue.put_nowait(event)
        for listener in self._listeners:
            listener(event)
