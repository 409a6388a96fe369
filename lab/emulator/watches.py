# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches: what has happened since a version, then what happens, one JSON object a line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from lab.emulator.errors import StatusError, bad_request
from lab.emulator.resources import Resource
from lab.emulator.selectors import Matches, field_selector, label_selector
from lab.emulator.storage import Event, Storage

Object = dict[str, Any]

DEFAULT_SECONDS = 1800.0
BOOKMARK_SECONDS = 5.0


async def events(
    storage: Storage, resource: Resource, namespace: str, query: Mapping[str, str]
) -> AsyncIterator[bytes]:
    """The lines of one watch. A version that is too old is told by an ERROR event, as the real server does."""
    labels, selected = label_selector(query.get("labelSelector", "")), field_selector(query.get("fieldSelector", ""))

    def matches(item: Object) -> bool:
        return (not namespace or item["metadata"].get("namespace", "") == namespace) and labels(item) and selected(item)

    queue = storage.subscribe()
    try:
        version, begun = _version(query), storage.version
        try:
            past = _present(storage, resource, namespace) if version == 0 else storage.since(version)
        except StatusError as error:
            yield _line("ERROR", error.body())
            return
        for event in past:
            if (line := _told(event, resource, matches)) is not None:
                yield line
        if query.get("sendInitialEvents") == "true":
            yield _bookmark(resource, begun, initial=True)
        until = asyncio.get_running_loop().time() + float(query.get("timeoutSeconds") or DEFAULT_SECONDS)
        async for coming in _coming(queue, until):
            if coming is None:
                if query.get("allowWatchBookmarks") == "true":
                    yield _bookmark(resource, storage.version)
            elif coming.version > max(version, begun) and (line := _told(coming, resource, matches)) is not None:
                yield line
    finally:
        storage.unsubscribe(queue)


async def _coming(queue: asyncio.Queue[Event], until: float) -> AsyncIterator[Event | None]:
    """Events as they come, None in a quiet spell, until the time is over."""
    while (left := until - asyncio.get_running_loop().time()) > 0:
        try:
            yield await asyncio.wait_for(queue.get(), min(left, BOOKMARK_SECONDS))
        except TimeoutError:
            yield None


def _version(query: Mapping[str, str]) -> int:
    given = query.get("resourceVersion") or "0"
    if not given.isdigit():
        raise bad_request(f'Invalid value: "{given}": resourceVersion must be a number')
    return int(given)


def _present(storage: Storage, resource: Resource, namespace: str) -> list[Event]:
    return [Event(storage.version, "ADDED", resource, item, None) for item in storage.list(resource, namespace)]


def _told(event: Event, resource: Resource, matches: Matches) -> bytes | None:
    """The event as this watch sees it: an object that leaves the selection is DELETED to it."""
    if event.resource is not resource:
        return None
    is_in = matches(event.item)
    was_in = event.before is not None and matches(event.before)
    if event.kind == "DELETED":
        return _line("DELETED", event.item) if was_in or is_in else None
    if is_in:
        return _line("MODIFIED" if was_in else "ADDED", event.item)
    return _line("DELETED", event.item) if was_in else None


def _bookmark(resource: Resource, version: int, *, initial: bool = False) -> bytes:
    metadata: Object = {"resourceVersion": str(version)}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return _line("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata})


def _line(kind: str, item: Object) -> bytes:
    return json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode() + b"\n"
