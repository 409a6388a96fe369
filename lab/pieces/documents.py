# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fault 4, and the tenant's connection: documents that Vault does not have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lab import seed
from lab.pieces.backend import BackendWorkload
from lab.pieces.piece import Kept

if TYPE_CHECKING:
    from lab.world import World

_ROW = 'SELECT to_json(t)::text FROM tenants t WHERE "tenantId" = %s'


class AppCredentials:
    """The application's document: broken, there is nothing at its path, neither data nor metadata."""

    name = family = "app-creds"
    harmless = False
    what = f"Vault has {seed.MOUNT}/data/{seed.APP_PATH}"

    def broken(self, world: World, kept: Kept | None) -> bool:
        return not _current(world, seed.APP_PATH)

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        return _document(world, seed.APP_PATH)

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _remove(world, seed.APP_PATH)

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _restore(world, seed.APP_PATH, kept)


class TenantConnection:
    """The tenant's document in Vault and its row in PostgreSQL."""

    name = family = "tenant-connection"
    harmless = True
    what = f"tenant {seed.TENANT}: refresh token in Vault, row CONNECTED"

    def broken(self, world: World, kept: Kept | None) -> bool:
        row = _row(world)
        return not _current(world, _tenant_path(world)) or row is None or row["status"] != "CONNECTED"

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        return {"document": _document(world, _tenant_path(world)), "row": _row(world)}

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _remove(world, _tenant_path(world))
        _disconnect(world)

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _restore(world, _tenant_path(world), kept["document"])
        _restore_row(world, kept["row"])


class DeletedAppCredentials:
    """The application's document, deleted as ``vault kv delete`` does it: the version is there and can be undeleted."""

    name = "app-creds-deleted"
    family = AppCredentials.family
    harmless = False
    what = f"{seed.MOUNT}/data/{seed.APP_PATH} is not deleted"

    def broken(self, world: World, kept: Kept | None) -> bool:
        return kept is not None and not _current(world, seed.APP_PATH)

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        return _document(world, seed.APP_PATH)

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        world.vault.client().secrets.kv.v2.delete_latest_version_of_secret(seed.APP_PATH, mount_point=seed.MOUNT)

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _restore(world, seed.APP_PATH, kept)


class TenantRow:
    """The tenant's row alone: the product shows the tenant as not connected, though it is."""

    name = "tenant-row"
    family = TenantConnection.family
    harmless = True
    what = "the tenant's row in PostgreSQL says CONNECTED"

    def broken(self, world: World, kept: Kept | None) -> bool:
        row = _row(world)
        return kept is not None and (row is None or row["status"] != "CONNECTED")

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        return {"row": _row(world)}

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _disconnect(world)

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _restore_row(world, kept["row"])


def _tenant_path(world: World) -> str:
    return seed.TENANT_PATH.format(tenant=world.state["tenant"])


def _row(world: World) -> dict[str, Any] | None:
    connection = world.database()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_ROW, (world.state["tenant"],))
            found = cursor.fetchone()
    finally:
        connection.close()
    return json.loads(found[0]) if found else None


def _disconnect(world: World) -> None:
    _execute(
        world,
        """UPDATE tenants SET "status" = 'DISCONNECTED', "displayName" = NULL, "marketplaceId" = NULL,
                  "sellerId" = NULL, "updatedAt" = now()
            WHERE "tenantId" = %s""",
        (world.state["tenant"],),
    )


def _restore_row(world: World, row: dict[str, Any]) -> None:
    columns = ", ".join(f'"{name}"' for name in row)
    _execute(
        world,
        f"""UPDATE tenants SET ({columns}) =
                   (SELECT {columns} FROM json_populate_record(NULL::tenants, %s::json))
             WHERE "tenantId" = %s""",  # noqa: S608 - the names are the table's own columns
        (json.dumps(row), world.state["tenant"]),
    )


def _execute(world: World, statement: str, values: tuple[object, ...]) -> None:
    connection = world.database()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
    finally:
        connection.close()


def _current(world: World, path: str) -> dict[str, Any]:
    """The data of the current version; empty when there is none that can be read."""
    return _version(world.vault.client(), path, None) or {}


def _version(client: Any, path: str, number: int | None) -> dict[str, Any] | None:
    from hvac.exceptions import InvalidPath

    try:
        answer = client.secrets.kv.v2.read_secret_version(
            path, version=number, mount_point=seed.MOUNT, raise_on_deleted_version=True
        )
    except InvalidPath:
        return None
    data: dict[str, Any] = answer["data"]["data"]
    return data


def _document(world: World, path: str) -> Kept:
    """Every version of a document with its state, and its settings."""
    from hvac.exceptions import InvalidPath

    client = world.vault.client()
    try:
        metadata = client.secrets.kv.v2.read_secret_metadata(path, mount_point=seed.MOUNT)["data"]
    except InvalidPath:
        return {"versions": [], "settings": {}}
    versions = []
    for number in range(1, metadata["current_version"] + 1):
        known = metadata["versions"].get(str(number), {"destroyed": True, "deletion_time": ""})
        if known["deletion_time"] and not known["destroyed"]:
            # A deleted version can be read again only while it is not deleted.
            client.secrets.kv.v2.undelete_secret_versions(path, [number], mount_point=seed.MOUNT)
            data = _version(client, path, number)
            client.secrets.kv.v2.delete_secret_versions(path, [number], mount_point=seed.MOUNT)
        else:
            data = None if known["destroyed"] else _version(client, path, number)
        versions.append({"data": data, "deleted": bool(known["deletion_time"])})
    settings = ("cas_required", "custom_metadata", "delete_version_after", "max_versions")
    return {"versions": versions, "settings": {name: metadata[name] for name in settings}}


def _remove(world: World, path: str) -> None:
    client = world.vault.client()
    client.secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=seed.MOUNT)


def _restore(world: World, path: str, kept: Kept) -> None:
    """Writes every version anew, so that their numbers are those of before, and takes away what was away."""
    client = world.vault.client()
    kv = client.secrets.kv.v2
    _remove(world, path)
    if kept["versions"]:
        kv.update_metadata(path, mount_point=seed.MOUNT, **kept["settings"])
    for number, version in enumerate(kept["versions"], start=1):
        kv.create_or_update_secret(path, version["data"] or {}, cas=number - 1, mount_point=seed.MOUNT)
        if version["data"] is None:
            kv.destroy_secret_versions(path, [number], mount_point=seed.MOUNT)
        elif version["deleted"]:
            kv.delete_secret_versions(path, [number], mount_point=seed.MOUNT)
