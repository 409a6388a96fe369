# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The healthy world as it was when the lab came up, and the way back to it from any other, object by object."""

from __future__ import annotations

import base64
import copy
import json
from contextlib import closing
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.token import (
    default_backend_policy,
    default_token_role,
)

from lab import seed
from lab.cluster import ApiError
from lab.errors import LabError
from lab.processes import wait_until
from lab.world import World

TENANT = seed.TENANT
NAMESPACE, DEPLOYMENT = "keybuzz-backend-dev", "keybuzz-backend"
POLICY = ROLE = NAMESPACE
WEEK = 7 * 24 * 3600
TENANT_PATH = seed.TENANT_PATH.format(tenant=TENANT)
SECRETS = ("vault-token", "keybuzz-backend-db", "amazon-spapi-creds")


class Healthy:
    """What the lab was made of. :meth:`restore` writes only what differs, so that it is quick when little does."""

    def __init__(self, world: World) -> None:
        self._world = world
        api = world.kubernetes()
        self._objects = [
            *(("secrets", _bare(api.get("secrets", name, NAMESPACE))) for name in SECRETS),
            ("configmaps", _bare(api.get("configmaps", "vault-ca", NAMESPACE))),
        ]
        self._deployment = _bare(api.get("deployments", DEPLOYMENT, NAMESPACE))
        self._documents = {path: self._read(path) for path in (seed.APP_PATH, TENANT_PATH)}
        self._row = self._query('SELECT to_json(t)::text FROM tenants t WHERE "tenantId" = %s')[0][0]

    def restore(self) -> None:
        """Everything as it was, but for the rows of imports, which a repair brings back by itself."""
        for kept in (self._world.directory / "broken").glob("*.json"):
            kept.unlink()  # nothing is broken by the lab's own command any more
        self.set_up_token_role()
        fresh = self._restore_objects()
        for path, document in self._documents.items():
            if self._read(path) != document:
                kv = self._world.vault.client().secrets.kv.v2
                kv.delete_metadata_and_all_versions(path, mount_point=seed.MOUNT)
                kv.create_or_update_secret(path, document, cas=0, mount_point=seed.MOUNT)
        columns = ", ".join(f'"{name}"' for name in json.loads(self._row))
        self._query(
            f"UPDATE tenants SET ({columns}) = (SELECT {columns} FROM json_populate_record(NULL::tenants, %s::json))"
            ' WHERE "tenantId" = %s',
            (self._row, TENANT),
        )
        self._restore_deployment(restart=fresh)
        wait_until("the backend", self._backend_is_healthy, timeout=20, log=None)

    def _backend_is_healthy(self) -> bool:
        said = self._world.backend_says()
        if said != "is healthy":
            raise LabError(f"it {said}")
        return True

    def set_up_token_role(self) -> None:
        """Policy and token role as a repair would make them."""
        client = self._world.vault.client()
        pattern = seed.TENANT_PATH.format(tenant="+")
        client.sys.create_or_update_policy(POLICY, default_backend_policy(seed.MOUNT, seed.APP_PATH, pattern))
        client.adapter.post(f"/v1/auth/token/roles/{ROLE}", json=default_token_role(ROLE, WEEK))

    def _restore_objects(self) -> bool:
        """Whether running pods have read something else at their start."""
        api, changed = self._world.kubernetes(), False
        for resource, wanted in self._objects:
            name = wanted["metadata"]["name"]
            body = copy.deepcopy(wanted)
            if name == "vault-token":
                body["data"]["VAULT_TOKEN"] = base64.b64encode(self._living_token().encode()).decode()
            found = api.find(resource, name, NAMESPACE)
            if found is not None and found.get("immutable"):
                api.delete(resource, name, NAMESPACE)
            if found is None or _bare(found) != body:
                api.ensure(resource, body)
                changed = True
        return changed

    def _living_token(self) -> str:
        """The lab's own token for the backend, or a new one where that is gone."""
        client = self._world.vault.client()
        wanted = next(body for _, body in self._objects if body["metadata"]["name"] == "vault-token")
        client.token = base64.b64decode(wanted["data"]["VAULT_TOKEN"]).decode()
        try:
            client.auth.token.lookup_self()
        except Exception:
            root = self._world.vault.client()
            issued = root.adapter.post(f"/v1/auth/token/create/{ROLE}", json={"display_name": ROLE})
            client.token = issued["auth"]["client_token"]
            wanted["data"]["VAULT_TOKEN"] = base64.b64encode(client.token.encode()).decode()
        return str(client.token)

    def _restore_deployment(self, *, restart: bool) -> None:
        api = self._world.kubernetes()
        found = api.find("deployments", DEPLOYMENT, NAMESPACE)
        if found is None:
            api.create("deployments", copy.deepcopy(self._deployment))
            return
        theirs = dict.fromkeys(_bare(found)["metadata"].get("annotations", {}))
        if theirs:
            api.patch("deployments", DEPLOYMENT, {"metadata": {"annotations": theirs}}, NAMESPACE)
        if found["spec"] != self._deployment["spec"]:
            spec = {"op": "replace", "path": "/spec", "value": self._deployment["spec"]}
            api.patch("deployments", DEPLOYMENT, [spec], NAMESPACE, kind="json")
        if restart:
            for pod in api.list("pods", NAMESPACE)["items"]:
                try:
                    api.delete("pods", pod["metadata"]["name"], NAMESPACE)
                except ApiError as error:
                    if error.code != 404:
                        raise

    def _read(self, path: str) -> dict[str, Any] | None:
        from hvac.exceptions import InvalidPath

        try:
            answer = self._world.vault.client().secrets.kv.v2.read_secret_version(
                path, mount_point=seed.MOUNT, raise_on_deleted_version=True
            )
        except InvalidPath:
            return None
        return dict(answer["data"]["data"])

    def _query(self, statement: str, values: Any = (TENANT,)) -> list[tuple[Any, ...]]:
        with closing(self._world.database()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


def _bare(found: dict[str, Any]) -> dict[str, Any]:
    """An object as a manifest: without what servers and controllers add."""
    kept = {key: copy.deepcopy(value) for key, value in found.items() if key != "status"}
    wanted = ("name", "namespace", "labels")
    kept["metadata"] = {key: found["metadata"][key] for key in wanted if key in found["metadata"]}
    notes = {
        key: value
        for key, value in (found["metadata"].get("annotations") or {}).items()
        if not key.startswith("deployment.kubernetes.io/")
    }
    if notes:
        kept["metadata"]["annotations"] = notes
    return kept
