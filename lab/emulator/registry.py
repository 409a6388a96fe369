# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs on stored objects: create, update, delete, each as one step of the event loop."""

from __future__ import annotations

import copy
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.emulator import defaults, errors, fields, validation
from lab.emulator.quota import check_quota
from lab.emulator.resources import BY_NAME, Resource
from lab.emulator.storage import Storage

Object = dict[str, Any]

# k8s.io/apimachinery/pkg/util/rand: no vowels, no digits that look like letters.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_KEPT = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(frozen=True)
class Writer:
    """Who writes, for managedFields; ``dry_run`` does everything but store."""

    manager: str
    dry_run: bool = False
    subresource: str = ""


def timestamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def random_suffix() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(5))


class Registry:
    """What a verb does to an object, whoever asks: requests and controllers alike."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        found = self.storage.find(resource, namespace, name)
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def create(self, resource: Resource, namespace: str, body: Object, writer: Writer) -> Object:
        item = copy.deepcopy(body)
        metadata = item.setdefault("metadata", {})
        if metadata.get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                raise errors.invalid(
                    resource,
                    "",
                    [("FieldValueRequired", "metadata.name", "Required value: name or generateName is required")],
                )
            metadata["name"] = metadata["generateName"] + random_suffix()
        if resource.namespaced:
            self._check_namespace(resource, metadata["name"], namespace)
            metadata["namespace"] = namespace
        else:
            metadata.pop("namespace", None)
        if self.storage.find(resource, namespace if resource.namespaced else "", metadata["name"]) is not None:
            raise errors.already_exists(resource, metadata["name"])
        for key in (*_KEPT, "managedFields"):
            metadata.pop(key, None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
        item |= {"apiVersion": resource.api_version, "kind": resource.kind}
        if "status" in resource.subresources:
            item["status"] = {}
        if resource.has_spec_generation:
            metadata["generation"] = 1
        _first_status(resource, item)
        defaults.fill(resource.plural, item)
        validation.check(resource, item, None)
        if resource.plural == "pods":
            check_quota(self.storage, namespace, metadata["name"])
        metadata["managedFields"] = self._fields(resource, None, item, writer)
        return item if writer.dry_run else self.storage.put(resource, item)

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Callable[[Object], Object],
        writer: Writer,
        *,
        by_put: bool = False,
    ) -> Object:
        """Store ``change(present object)``. Raises 404, 409 for a resourceVersion or uid that is not the present
        one, 422 for what is not valid. Nothing is stored when nothing changed."""
        before = self.get(resource, namespace, name)
        item = copy.deepcopy(change(copy.deepcopy(before)))
        metadata = item.setdefault("metadata", {})
        if metadata.setdefault("name", name) != name:
            raise errors.bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        if metadata.get("namespace", namespace) != namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        self._check_preconditions(resource, before, metadata, by_put=by_put)
        for key in _KEPT:
            metadata.pop(key, None)
            if key in before["metadata"]:
                metadata[key] = before["metadata"][key]
        if resource.namespaced:
            metadata["namespace"] = namespace
        item |= {"apiVersion": resource.api_version, "kind": resource.kind}
        item = _only_its_part(resource, before, item, writer.subresource)
        given = item["metadata"].pop("managedFields", None)
        defaults.fill(resource.plural, item)
        validation.check(resource, item, before)
        if resource.has_spec_generation and item.get("spec") != before.get("spec"):
            item["metadata"]["generation"] = before["metadata"]["generation"] + 1
        item["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        cleared = given in ([], [{}])
        if _same(before, item) and not cleared:
            return before
        source = {**before, "metadata": {**before["metadata"], "managedFields": []}} if cleared else before
        item["metadata"]["managedFields"] = self._fields(resource, source, item, writer)
        if writer.dry_run:
            return item
        stored = self.storage.put(resource, item)
        if (
            stored["metadata"].get("deletionTimestamp")
            and not stored["metadata"].get("finalizers")
            and resource.plural not in ("pods", "namespaces")
        ):
            self.storage.remove(resource, stored)
        return stored

    def delete(
        self, resource: Resource, namespace: str, name: str, options: Object, *, dry_run: bool = False
    ) -> tuple[Object, bool]:
        """(the object, whether it is gone now). Raises 409 where a precondition does not hold."""
        item = self.get(resource, namespace, name)
        for key, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            wanted = (options.get("preconditions") or {}).get(key)
            if wanted and wanted != item["metadata"][key]:
                raise errors.conflict(
                    resource,
                    name,
                    f"the {word} in the precondition ({wanted}) does not match the "
                    f"{word} in record ({item['metadata'][key]}). The object might have been deleted "
                    "and then recreated",
                )
        grace = _grace(resource, item, options)
        held = bool(item["metadata"].get("finalizers")) or (resource.plural == "namespaces")
        if dry_run:
            return item, not (grace or held)
        if not grace and not held:
            return self.storage.remove(resource, item), True
        present = item["metadata"].get("deletionGracePeriodSeconds")
        if "deletionTimestamp" in item["metadata"] and (present is None or present <= grace):
            return item, False
        end = timestamp(datetime.now(UTC) + timedelta(seconds=grace))
        marked = {
            **item,
            "metadata": {**item["metadata"], "deletionTimestamp": end, "deletionGracePeriodSeconds": grace},
        }
        if resource.plural == "namespaces":
            marked["status"] = {**item.get("status", {}), "phase": "Terminating"}
        return self.storage.put(resource, marked), False

    def _check_namespace(self, resource: Resource, name: str, namespace: str) -> None:
        found = self.storage.find(BY_NAME["namespaces"], "", namespace)
        if found is None:
            raise errors.not_found(BY_NAME["namespaces"], namespace)
        if "deletionTimestamp" in found["metadata"]:
            raise validation.terminating_namespace(resource, name, namespace)

    def _check_preconditions(self, resource: Resource, before: Object, metadata: Object, *, by_put: bool) -> None:
        name = before["metadata"]["name"]
        version = metadata.get("resourceVersion")
        if by_put and not version and resource.needs_version:
            raise errors.invalid(
                resource,
                name,
                [
                    (
                        "FieldValueInvalid",
                        "metadata.resourceVersion",
                        "Invalid value: 0: must be specified for an update",
                    )
                ],
            )
        if version and version != before["metadata"]["resourceVersion"]:
            raise errors.conflict(resource, name)
        uid = metadata.get("uid")
        if uid and uid != before["metadata"]["uid"]:
            raise errors.conflict(
                resource,
                name,
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['metadata']['uid']}",
            )

    @staticmethod
    def _fields(resource: Resource, before: Object | None, after: Object, writer: Writer) -> list[Object]:
        seen = (
            after
            if writer.subresource == "status"
            else {key: value for key, value in after.items() if key != "status" or not resource.subresources}
        )
        old = before
        if before is not None and writer.subresource != "status" and "status" in resource.subresources:
            # What others own in status is not touched by a write that cannot reach it.
            seen = {**seen, "status": before.get("status", {})}
        return fields.record(
            old,
            seen,
            manager=writer.manager,
            api_version=resource.api_version,
            subresource=writer.subresource,
            time=timestamp(),
        )


def _only_its_part(resource: Resource, before: Object, item: Object, subresource: str) -> Object:
    """A write of the object leaves status alone; a write of status leaves all else alone."""
    if subresource == "status":
        metadata = {**before["metadata"]}
        return {**before, "metadata": metadata, "status": item.get("status", {})}
    if "status" in resource.subresources:
        return {**item, "status": before.get("status", {})}
    return item


def _first_status(resource: Resource, item: Object) -> None:
    if resource.plural == "namespaces":
        item["spec"] = {"finalizers": ["kubernetes"]}
        item["status"] = {"phase": "Active"}
        item["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = item["metadata"]["name"]
    if resource.plural == "pods":
        item["status"] = {"phase": "Pending", "qosClass": "BestEffort"}


def _same(before: Object, item: Object) -> bool:
    def bare(whole: Object) -> Object:
        return {**whole, "metadata": {key: value for key, value in whole["metadata"].items() if key != "managedFields"}}

    return bare(before) == bare(item)


def _grace(resource: Resource, item: Object, options: Object) -> int:
    if (
        resource.plural != "pods"
        or not item["spec"].get("nodeName")
        or item.get("status", {}).get("phase") in ("Failed", "Succeeded")
    ):
        return 0
    given = options.get("gracePeriodSeconds")
    return int(item["spec"].get("terminationGracePeriodSeconds", 30) if given is None else given)
