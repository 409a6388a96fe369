# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes of a pod as files below its folder.

A plain process has no mount namespace of its own, so ``/etc/vault-ca`` of a container is a folder of the pod, and
a variable whose value is a path below a mount is given the real path instead (``within``). Nothing else differs:
ConfigMap and Secret files follow their object, a subPath file is written once and never again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from lab.kubelet.environment import Read, data_of, not_found

Object = dict[str, Any]


class VolumeError(Exception):
    """The pod stays ContainerCreating; the message is the kubelet's."""


def write_volumes(pod: Object, folder: Path, read: Read) -> None:
    """Bring the files of all volumes up to date. Raises VolumeError for a missing object that is not optional."""
    for volume in pod["spec"].get("volumes", []):
        target = folder / "volumes" / volume["name"]
        target.mkdir(parents=True, exist_ok=True)
        files = _files(volume, read)
        if files is not None:
            _replace(target, files)


def mounts(container: Object, folder: Path) -> dict[str, Path]:
    """mountPath -> real path, for one container; subPath files are copied on first sight."""
    real = {}
    for mount in container.get("volumeMounts", []):
        source = folder / "volumes" / mount["name"]
        if "subPath" in mount:
            kept = folder / "subpaths" / container["name"] / mount["name"] / mount["subPath"]
            if not kept.exists() and (source / mount["subPath"]).exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / mount["subPath"], kept)
            source = kept
        real[mount["mountPath"].rstrip("/")] = source
    return real


def within(env: Mapping[str, str], real: Mapping[str, Path]) -> dict[str, str]:
    """The environment with paths below a mount made real; the longest mount wins."""

    def moved(value: str) -> str:
        for mount in sorted(real, key=len, reverse=True):
            if value == mount or value.startswith(mount + "/"):
                return str(real[mount]) + value.removeprefix(mount)
        return value

    return {name: moved(value) for name, value in env.items()}


def objects_of(pod: Object) -> set[tuple[str, str]]:
    """(resource, name) of every Secret and ConfigMap the pod refers to: a change of one may concern it."""
    named: set[tuple[str, str]] = set()
    for volume in pod["spec"].get("volumes", []):
        if "configMap" in volume:
            named.add(("configmaps", volume["configMap"]["name"]))
        if "secret" in volume:
            named.add(("secrets", volume["secret"]["secretName"]))
    for container in pod["spec"]["containers"]:
        sources = [*container.get("envFrom", []), *(entry.get("valueFrom", {}) for entry in container.get("env", []))]
        for source in sources:
            for key, resource in (
                ("secretRef", "secrets"),
                ("secretKeyRef", "secrets"),
                ("configMapRef", "configmaps"),
                ("configMapKeyRef", "configmaps"),
            ):
                if key in source:
                    named.add((resource, source[key]["name"]))
    return named


def _files(volume: Object, read: Read) -> dict[str, bytes] | None:
    """Relative path -> content; None for a volume that holds only what its containers write."""
    if "emptyDir" in volume:
        return None
    if "configMap" in volume:
        resource, source, name = "configmaps", volume["configMap"], volume["configMap"]["name"]
    elif "secret" in volume:
        resource, source, name = "secrets", volume["secret"], volume["secret"]["secretName"]
    else:
        raise VolumeError(f'volume "{volume["name"]}" is of a kind this node does not know')
    failed = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
    found = read(resource, name)
    if found is None:
        if source.get("optional"):
            return {}
        raise VolumeError(failed + not_found(resource, name))
    data = data_of(resource, found)
    if "items" not in source:
        return data
    files = {}
    for item in source["items"]:
        if item["key"] in data:
            files[item["path"]] = data[item["key"]]
        elif not source.get("optional"):
            raise VolumeError(f"{failed}references non-existent {resource.removesuffix('s')} key: {item['key']}")
    return files


def _replace(target: Path, files: Mapping[str, bytes]) -> None:
    for present in [path for path in target.rglob("*") if path.is_file()]:
        if present.relative_to(target).as_posix() not in files:
            present.unlink()
    for name, content in files.items():
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise VolumeError(f"the path {name} leads out of its volume")
        file = target / relative
        if file.exists() and file.read_bytes() == content:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=target.parent)  # 0600
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(fresh).replace(file)
