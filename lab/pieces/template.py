# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults 2 and 3 and what is near them: Vault's address, the trust in its certificate, the bypass, envFrom."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.pieces.backend import KEYS, BackendWorkload
from lab.pieces.piece import Kept

if TYPE_CHECKING:
    from lab.world import World

_ADDRESS = "VAULT_ADDR"
_EXTRA_CA = "NODE_EXTRA_CA_CERTS"
_BYPASS = "NODE_TLS_REJECT_UNAUTHORIZED"
_CONFIG_MAP = "vault-ca"
_DATABASE = "keybuzz-backend-db"

Entry = dict[str, Any]


class VaultAddress:
    """The variable VAULT_ADDR of the backend's container."""

    name = family = "vault-addr"
    harmless = False
    what = f"the Deployment sets {_ADDRESS}"

    def broken(self, world: World, kept: Kept | None) -> bool:
        return not _variables(BackendWorkload(world), _ADDRESS)

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        return {"env": _kept(workload, "env", _variables(workload, _ADDRESS))}

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _take(workload.container, "env", kept["env"])

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _put(workload.container, "env", kept["env"])


class TlsTrust:
    """The ConfigMap with Vault's authority, its volume and mount, and the variable that points there.

    A world with the bypass of the hand repair instead counts as whole: Node.js does not reject the certificate. Not so
    with a bypass that is itself what ``break`` has done.
    """

    name = family = "tls-trust"
    harmless = False
    what = f"ConfigMap {_CONFIG_MAP}, mounted, and {_EXTRA_CA} points to it"

    def broken(self, world: World, kept: Kept | None) -> bool:
        workload = BackendWorkload(world)
        if _bypassed(workload) and not (world.directory / "broken" / f"{TlsBypass.name}.json").exists():
            return False
        volumes = _volumes(workload)
        there = workload.api.find("configmaps", _CONFIG_MAP, workload.namespace)
        return not (there and volumes and _mounts(workload, volumes) and _variables(workload, _EXTRA_CA))

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        volumes = _volumes(workload)
        config_map = workload.api.find("configmaps", _CONFIG_MAP, workload.namespace)
        return {
            "env": _kept(workload, "env", _variables(workload, _EXTRA_CA, _BYPASS)),
            "volumeMounts": _kept(workload, "volumeMounts", _mounts(workload, volumes)),
            "volumes": _kept(workload, "volumes", volumes),
            "configMap": config_map
            and {
                "metadata": {
                    key: value
                    for key, value in config_map["metadata"].items()
                    if key in ("name", "namespace", "labels", "annotations")
                },
                **{key: config_map[key] for key in ("data", "binaryData", "immutable") if key in config_map},
            },
        }

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _take(workload.container, "env", kept["env"])
        _take(workload.container, "volumeMounts", kept["volumeMounts"])
        _take(workload.pod, "volumes", kept["volumes"])
        if kept["configMap"]:
            workload.api.delete("configmaps", _CONFIG_MAP, workload.namespace)

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        if kept["configMap"]:
            workload.api.ensure("configmaps", kept["configMap"])
        _put(workload.pod, "volumes", kept["volumes"])
        _put(workload.container, "volumeMounts", kept["volumeMounts"])
        _put(workload.container, "env", kept["env"])


class TlsBypass:
    """The bypass of the hand repair, left behind in a world that does not need it. It endangers, it breaks nothing."""

    name = family = "tls-bypass"
    harmless = True
    what = f"the Deployment does not set {_BYPASS}=0"

    def broken(self, world: World, kept: Kept | None) -> bool:
        return kept is not None and _bypassed(BackendWorkload(world))

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        return {"env": _kept(workload, "env", _variables(workload, _BYPASS))}

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _take(workload.container, "env", kept["env"])
        workload.container.setdefault("env", []).append({"name": _BYPASS, "value": "0"})

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _take(workload.container, "env", [{"entry": entry} for entry in _variables(workload, _BYPASS)])
        _put(workload.container, "env", kept["env"])


class DatabaseSource:
    """The Secret with the database's coordinates, among the sources of the container's environment."""

    name = family = "env-from"
    harmless = False
    what = f"the Deployment takes variables from Secret {_DATABASE}"

    def broken(self, world: World, kept: Kept | None) -> bool:
        return not any(_is_database(entry) for entry in BackendWorkload(world).container.get("envFrom", []))

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        entries = workload.container.get("envFrom", [])
        return {"sources": [[place, entry] for place, entry in enumerate(entries) if _is_database(entry)]}

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        _take(workload.container, "envFrom", [{"entry": entry} for _, entry in kept["sources"]])

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        for place, entry in kept["sources"]:
            workload.container.setdefault("envFrom", []).insert(place, entry)


class AuthorityContent:
    """The content of the ConfigMap with Vault's authority: broken, it is another authority's certificate."""

    name = "ca-content"
    family = TlsTrust.family
    harmless = False
    what = f"ConfigMap {_CONFIG_MAP} holds the certificate of Vault's authority"

    def broken(self, world: World, kept: Kept | None) -> bool:
        found = world.kubernetes().find("configmaps", _CONFIG_MAP, world.state["backend"]["namespace"])
        return bool(kept and found and found.get("data") != kept["data"])

    def whole(self, world: World) -> str:
        return "whole"

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        return {"data": workload.api.get("configmaps", _CONFIG_MAP, workload.namespace)["data"]}

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        other = Path(world.state["postgres"]["ca_file"]).read_text()
        self._write(workload, dict.fromkeys(kept["data"], other))

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        self._write(workload, kept["data"])

    def _write(self, workload: BackendWorkload, data: Mapping[str, str]) -> None:
        workload.api.patch("configmaps", _CONFIG_MAP, {"data": dict(data)}, workload.namespace)
        workload.stale = True


def _is_database(entry: Entry) -> bool:
    return bool((entry.get("secretRef") or {}).get("name") == _DATABASE)


def _bypassed(workload: BackendWorkload) -> bool:
    return any(entry.get("value") == "0" for entry in _variables(workload, _BYPASS))


def _variables(workload: BackendWorkload, *names: str) -> list[Entry]:
    return [entry for entry in workload.container.get("env", []) if entry["name"] in names]


def _volumes(workload: BackendWorkload) -> list[Entry]:
    volumes = workload.pod.get("volumes", [])
    return [volume for volume in volumes if volume.get("configMap", {}).get("name") == _CONFIG_MAP]


def _mounts(workload: BackendWorkload, volumes: list[Entry]) -> list[Entry]:
    names = {volume["name"] for volume in volumes}
    return [mount for mount in workload.container.get("volumeMounts", []) if mount["name"] in names]


def _kept(workload: BackendWorkload, field: str, wanted: list[Entry]) -> list[Entry]:
    """Each entry with the order of its whole list: order in ``env`` has a meaning, and is part of the state."""
    order = workload.order(field)
    return [{"entry": copy.deepcopy(entry), "order": order} for entry in wanted]


def _take(holder: Entry, field: str, kept: list[Entry]) -> None:
    removed = [one["entry"] for one in kept]
    left = [entry for entry in holder.get(field, []) if entry not in removed]
    holder.pop(field, None)
    if left:
        holder[field] = left


def _put(holder: Entry, field: str, kept: list[Entry]) -> None:
    """Puts each entry behind the last of those it stood behind. What stands there under its key gives way."""
    key = KEYS[field]
    for one in kept:
        own = one["entry"][key]
        before = one["order"][: one["order"].index(own)]
        entries = [entry for entry in holder.get(field, []) if entry[key] != own]
        places = [index for index, entry in enumerate(entries) if entry[key] in before]
        entries.insert(places[-1] + 1 if places else 0, one["entry"])
        holder[field] = entries
