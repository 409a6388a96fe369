# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything on the lab's servers that a repair could write, as one flat mapping from an address to a fingerprint.

Read with the lab's own clients and administrators, not with the collection's: what is proven must not prove itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from lab.world import World

Snapshot = dict[str, str]

NAMESPACES = ("keybuzz-backend-dev", "keybuzz-api-dev", "keybuzz-ops")
_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"


class Observer:
    """Takes snapshots of one lab. Its key is drawn anew, so no fingerprint means anything to anybody else."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._vault = world.vault.client()
        self._kubernetes = world.kubernetes()
        self._key = secrets.token_bytes(32)
        self._tokens: dict[str, str] = {}  # what an accessor's token is never changes

    def take(self) -> Snapshot:
        found: Snapshot = {}
        for part in (self._policies, self._roles, self._documents, self._accessors, self._cluster, self._rows):
            found |= {address: self._print(value) for address, value in part()}
        return found

    def _print(self, value: Any) -> str:
        text = json.dumps(value, sort_keys=True, default=str)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:16]

    def _policies(self) -> Iterator[tuple[str, Any]]:
        for name in self._vault.sys.list_policies()["data"]["policies"]:
            if name != "root":
                yield f"vault/policy/{name}", self._vault.sys.read_policy(name)["data"]["rules"]

    def _roles(self) -> Iterator[tuple[str, Any]]:
        for name in self._listed("auth/token/roles"):
            for key, value in self._vault.adapter.get(f"/v1/auth/token/roles/{name}")["data"].items():
                yield f"vault/role/{name}/{key}", value

    def _documents(self, folder: str = "") -> Iterator[tuple[str, Any]]:
        mount = self._world.state["vault"]["mount"]
        for name in self._listed(f"{mount}/metadata/{folder}"):
            if name.endswith("/"):
                yield from self._documents(f"{folder}{name}")
                continue
            path = f"{folder}{name}"
            metadata = self._vault.adapter.get(f"/v1/{mount}/metadata/{path}")["data"]
            states = {
                number: (bool(version["deletion_time"]), version["destroyed"])
                for number, version in metadata["versions"].items()
            }
            yield f"vault/kv/{path}#versions", (metadata["current_version"], states)
            yield f"vault/kv/{path}#metadata", metadata["custom_metadata"]
            newest = metadata["versions"].get(str(metadata["current_version"]))
            if newest and not newest["deletion_time"] and not newest["destroyed"]:
                yield f"vault/kv/{path}#data", self._vault.adapter.get(f"/v1/{mount}/data/{path}")["data"]["data"]

    def _accessors(self) -> Iterator[tuple[str, Any]]:
        for accessor in self._listed("auth/token/accessors"):
            if accessor not in self._tokens:
                token = self._vault.auth.token.lookup_accessor(accessor)["data"]
                self._tokens[accessor] = token.get("role") or ",".join(token["policies"])
            yield f"vault/token/{self._tokens[accessor]}/{self._print(accessor)}", True

    def _listed(self, path: str) -> list[str]:
        from hvac.exceptions import InvalidPath

        try:
            keys: list[str] = self._vault.adapter.list(f"/v1/{path}")["data"]["keys"]
        except InvalidPath:
            return []
        return keys

    def _cluster(self) -> Iterator[tuple[str, Any]]:
        for namespace in NAMESPACES:
            for resource in ("secrets", "configmaps"):
                for found in self._kubernetes.list(resource, namespace)["items"]:
                    address = f"kubernetes/{resource}/{namespace}/{found['metadata']['name']}"
                    yield from _parts(address, found, ("data", "binaryData"))
                    yield f"{address}#type", (found.get("type"), found.get("immutable"))
            for found in self._kubernetes.list("deployments", namespace)["items"]:
                address = f"kubernetes/deployments/{namespace}/{found['metadata']['name']}"
                yield from _parts(address, found, ())
                yield from _specification(address, found)
            for found in self._kubernetes.list("leases", namespace)["items"]:
                yield f"kubernetes/leases/{namespace}/{found['metadata']['name']}", found["spec"]
            newest = self._newest(namespace)
            if newest is not None:
                yield f"kubernetes/replicasets/{namespace}#newest", newest["metadata"]["labels"].get(_HASH)

    def _newest(self, namespace: str) -> dict[str, Any] | None:
        sets = self._kubernetes.list("replicasets", namespace)["items"]
        return max(sets, key=lambda one: int(one["metadata"]["annotations"].get(_REVISION, 0)), default=None)

    def _rows(self) -> Iterator[tuple[str, Any]]:
        with closing(self._world.database()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name FROM information_schema.tables"
                " WHERE table_schema = 'public' AND table_name <> 'tenants'"
            )
            for (table,) in cursor.fetchall():
                cursor.execute(f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{table}" t')
                yield f"postgres/{table}", cursor.fetchone()
            cursor.execute('SELECT "tenantId", t::text FROM tenants t')
            for tenant, row in cursor.fetchall():
                yield f"postgres/tenants/{tenant}", row


def _parts(address: str, found: dict[str, Any], holders: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for holder in holders:
        for key, value in (found.get(holder) or {}).items():
            yield f"{address}#{holder}/{key}", value
    for kind in ("labels", "annotations"):
        for key, value in (found["metadata"].get(kind) or {}).items():
            if key != _REVISION:  # the controller's own
                yield f"{address}#{kind}/{key}", value


def _specification(address: str, found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each entry of a list that has a key by that key; what is in no such list as one rest."""
    yield f"{address}#generation", found["metadata"]["generation"]
    rest = json.loads(json.dumps(found["spec"]))
    template = rest["template"]
    for key, value in (template["metadata"].pop("annotations", None) or {}).items():
        yield f"{address}#template/annotations/{key}", value
    for volume in template["spec"].pop("volumes", ()):
        yield f"{address}#template/volumes/{volume['name']}", volume
    for container in template["spec"]["containers"]:
        place = f"{address}#template/{container['name']}"
        for entry in container.pop("volumeMounts", ()):
            yield f"{place}/volumeMounts/{entry['name']}", entry
        for field, name_of in (("env", _name), ("envFrom", _source)):
            entries = container.pop(field, ())
            # What comes later wins, and may refer to what comes before.
            yield f"{place}/order/{field}", [name_of(entry) for entry in entries]
            for entry in entries:
                yield f"{place}/{field}/{name_of(entry)}", entry
    yield f"{address}#template/rest", rest


def _name(entry: dict[str, Any]) -> str:
    return str(entry["name"])


def _source(entry: dict[str, Any]) -> str:
    return str((entry.get("secretRef") or entry.get("configMapRef") or {}).get("name"))
