# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults 2 and 3: the Deployment does not say where Vault is, and its Node.js does not trust Vault's certificate."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from lab.pieces.backend import KEYS, BackendWorkload
from lab.pieces.piece import Kept

if TYPE_CHECKING:
    from lab.world import World

_ADDRESS = "VAULT_ADDR"
_EXTRA_CA = "NODE_EXTRA_CA_CERTS"
_BYPASS = "NODE_TLS_REJECT_UNAUTHORIZED"
_CONFIG_MAP = "vault-ca"

Entry = dict[str, Any]


class VaultAddress:
    """The variable VAULT_ADDR of the backend's container."""

    name = "vault-addr"
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

    A world with the bypass of the hand repair instead counts as whole: Node.js does not reject the certificate.
    """

    name = "tls-trust"
    what = f"ConfigMap {_CONFIG_MAP}, mounted, and {_EXTRA_CA} points to it"

    def broken(self, world: World, kept: Kept | None) -> bool:
        workload = BackendWorkload(world)
        if any(entry.get("value") == "0" for entry in _variables(workload, _BYPASS)):
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
