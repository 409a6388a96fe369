# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Files from ConfigMaps: the content, the volume, and the mount of the whole directory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import ConfigMapState, Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import ListEdit
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import (
    POD,
    in_container,
    mounted,
    named,
    owner_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import ConfigMount, Desired

BACKGROUND = "Node.js reads NODE_EXTRA_CA_CERTS once, at start"


@dataclass(frozen=True)
class MountPlan:
    """``contents``: what ConfigMaps must hold beside what they hold, by name and key."""

    items: tuple[Item, ...] = ()
    volumes: ListEdit = field(default_factory=ListEdit)
    mounts: ListEdit = field(default_factory=ListEdit)
    contents: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def plan_mounts(observed: Observed, desired: Desired) -> MountPlan:
    """Items ``backend_access/config/CONFIGMAP`` and ``backend_access/mount/VOLUME``, and what they would write."""
    plan = MountPlan()
    for wanted in desired.config_mounts:
        config = _config(observed, desired, wanted)
        mount, volumes, mounts = _mount(observed, wanted)
        contents = {name: dict(keys) for name, keys in plan.contents.items()}
        if config.action != "none":
            contents.setdefault(wanted.config_map, {})[wanted.key] = observed.contents[wanted.volume].text or ""
        plan = MountPlan(
            (*plan.items, config, mount), plan.volumes.joined(volumes), plan.mounts.joined(mounts), contents
        )
    return plan


def checksum(observed: Observed, desired: Desired) -> str | None:
    """SHA-256 over every wanted content, for the pod template; None while one of them is not known.

    A CA is public, so a plain hash gives nothing away.
    """
    texts = {}
    for wanted in desired.config_mounts:
        content = observed.contents[wanted.volume]
        if content.text is None:
            return None
        texts[f"{wanted.config_map}/{wanted.key}"] = content.text
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest() if texts else None


def summary(text: str | None) -> str:
    """``missing``, ``empty``, or a short SHA-256 with the number of certificates."""
    if text is None:
        return "missing"
    if not text.strip():
        return "empty"
    count = text.count("-----BEGIN CERTIFICATE-----")
    certificates = f", {count} certificate{'s' if count > 1 else ''}" if count else ""
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}{certificates}"


def _config(observed: Observed, desired: Desired, wanted: ConfigMount) -> Item:
    state = observed.config_maps.get(wanted.config_map, ConfigMapState(exists=False))
    content = observed.contents[wanted.volume]
    there = state.data.get(wanted.key) if state.exists else None
    shared = sum(one.config_map == wanted.config_map for one in desired.config_mounts) > 1
    item = Item(
        id=f"{CHECK}/config/{wanted.config_map}" + (f"/{wanted.key}" if shared else ""),
        address=f"ConfigMap {desired.namespace}/{wanted.config_map} key {wanted.key}",
        check=CHECK,
        severity="high",
        status="in_sync",
        before=summary(there),
        after=summary(content.text),
        owner=owner_of(state.metadata, ("f:data", f"f:{wanted.key}")),
        precondition={"resource_version": state.resource_version} if state.exists else {},
    )
    if content.text is None:
        return replace(item, status="blocked", after="unknown", reason=content.problem, hint=content.remedy)
    probe = content.probe
    if probe is not None and not probe.ok:
        return replace(
            item,
            status="blocked",
            hint=probe.remedy,
            reason=f"A handshake with {probe.url} that trusts exactly this CA fails: {probe.sentence}. "
            "The backend would fail the same way, so nothing is written.",
        )
    if there == content.text:
        return item
    if state.immutable:
        return replace(
            item,
            status="blocked",
            reason="The ConfigMap is immutable and holds something else.",
            hint="Delete it, and the next run creates it anew and restarts the pods: kubectl "
            f"-n {desired.namespace} delete configmap {wanted.config_map}. Or name another one in config_map.",
        )
    if there is None:
        what = "has no such key" if state.exists else "does not exist"
        reason = f"The ConfigMap {what}, so Node.js has nothing to verify the server's certificate with."
        reason = f"{reason} {content.origin}".rstrip()
        return replace(item, status="missing", action="update" if state.exists else "create", reason=reason)
    reason = f"The file has another content; {BACKGROUND}. {content.origin}".rstrip()
    return replace(item, status="drifted", action="update", reason=reason)


def _mount(observed: Observed, wanted: ConfigMount) -> tuple[Item, ListEdit, ListEdit]:
    volumes: Sequence[Mapping[str, Any]] = observed.template["spec"].get("volumes") or ()
    mounts: Sequence[Mapping[str, Any]] = observed.container.get("volumeMounts") or ()
    name, path = wanted.volume, wanted.mount_path.rstrip("/") or "/"
    item = Item(
        id=f"{CHECK}/mount/{name}",
        address=f"{observed.container_address} volume {name} at {path}",
        check=CHECK,
        severity="high",
        status="in_sync",
        after=f"ConfigMap {wanted.config_map} at {path}",
        owner=owner_of(observed.metadata, (*POD, "f:volumes", named(name))),
    )
    here = next((index for index, one in enumerate(volumes) if one.get("name") == name), None)
    volume = None if here is None else volumes[here]
    at = [index for index, one in enumerate(mounts) if str(one.get("mountPath")).rstrip("/") == path]
    over = [index for index, one in enumerate(mounts) if str(one.get("mountPath")) == f"{path}/{wanted.key}"]
    moved = here is not None and _shows_another(observed, volumes[here], wanted)
    mine, covering = [mounts[index] for index in at], [mounts[index] for index in over]
    refused = _refused(None if moved else volume, mine, covering, wanted)
    if refused:
        item = replace(item, status="blocked", before=_seen(volume), reason=refused[0], hint=refused[1])
        return item, ListEdit(), ListEdit()
    # A ConfigMap is mounted read only by the kubelet whatever readOnly says, so an old mount without it stays.
    whole = bool(mine) and not mine[0].get("subPath") and not mine[0].get("subPathExpr")
    if volume is not None and not moved and whole and not over:
        return replace(item, before=item.after), ListEdit(), ListEdit()
    new_volume = ListEdit()
    if here is None:
        new_volume = ListEdit(appended=({"name": name, "configMap": {"name": wanted.config_map}},))
    elif moved:
        source = {key: value for key, value in volumes[here]["configMap"].items() if key != "items"}
        new_volume = ListEdit({here: {"name": name, "configMap": {**source, "name": wanted.config_map}}})
    mount = {"name": name, "mountPath": path, "readOnly": True}
    new_mount = ListEdit({at[0]: mount}) if at else ListEdit(appended=(mount,))
    if whole:
        new_mount = ListEdit()
    return (
        _differing(observed, item, volume, mine, covering),
        new_volume,
        new_mount.joined(ListEdit(removed=tuple(over))),
    )


def _differing(
    observed: Observed,
    item: Item,
    volume: Mapping[str, Any] | None,
    mine: list[Mapping[str, Any]],
    covering: list[Mapping[str, Any]],
) -> Item:
    """The item of a mount that has to change: by subPath, of another ConfigMap, or not there."""
    alone = next((one for one in (*covering, *mine) if one.get("subPath") or one.get("subPathExpr")), None)
    if alone is not None or covering:
        alone = alone or covering[0]
        steps = in_container(observed.container_name, "f:volumeMounts", mounted(str(alone.get("mountPath"))))
        return replace(
            item,
            status="drifted",
            action="update",
            before=f"subPath {alone.get('subPath') or alone.get('subPathExpr')} at {alone.get('mountPath')}",
            reason="It is mounted by subPath, which never sees a change of the ConfigMap.",
            owner=owner_of(observed.metadata, steps),
        )
    if volume is not None and mine:
        reason = "The directory shows another ConfigMap."
        return replace(item, status="drifted", action="update", before=_seen(volume), reason=reason)
    return replace(
        item,
        status="missing",
        action="create",
        before=_seen(volume),
        reason="The directory is not mounted; Node.js starts with a warning at most and trusts nothing more.",
    )


def _shows_another(observed: Observed, volume: Mapping[str, Any], wanted: ConfigMount) -> bool:
    """Whether this is our volume with another ConfigMap: nothing mounts it but our container at the wanted path."""
    source = volume.get("configMap")
    if not source or source.get("name") == wanted.config_map:
        return False
    pod = observed.template["spec"]
    users = [
        (container.get("name"), str(mount.get("mountPath")).rstrip("/"))
        for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
        for mount in container.get("volumeMounts") or ()
        if mount.get("name") == wanted.volume
    ]
    return users == [(observed.container_name, wanted.mount_path.rstrip("/"))]


def _refused(
    volume: Mapping[str, Any] | None,
    at_path: list[Mapping[str, Any]],
    over_file: list[Mapping[str, Any]],
    wanted: ConfigMount,
) -> tuple[str, str] | None:
    """Reason and hint when name, path or file belong to something else, or when the volume leaves the file out."""
    source = (volume or {}).get("configMap") or {}
    if volume is not None and source.get("name") != wanted.config_map:
        return (
            f"The volume name {wanted.volume} is taken: it is {_seen(volume)}.",
            "Choose another volume name, or remove that volume from the Deployment.",
        )
    items = source.get("items")
    if items and not any(one.get("key") == wanted.key and one.get("path") == wanted.key for one in items):
        return (
            f"The volume {wanted.volume} shows only some keys of the ConfigMap, and {wanted.key} is not one of them.",
            "Add the key to the volume's items, or choose another volume name.",
        )
    for mount in at_path:
        if mount.get("name") != wanted.volume:
            return (
                f"The path {wanted.mount_path} is taken by volume {mount.get('name')}.",
                "Choose another mount_path (and set NODE_EXTRA_CA_CERTS accordingly).",
            )
    for mount in over_file:
        if mount.get("name") != wanted.volume:
            return (
                f"The file {mount.get('mountPath')} is covered by volume {mount.get('name')}: the container would read "
                "that, not the ConfigMap.",
                "Remove that mount from the Deployment, or choose another mount_path.",
            )
    return None


def _seen(volume: Mapping[str, Any] | None) -> str:
    if volume is None:
        return "missing"
    kind = next((key for key in volume if key != "name"), "nothing")
    name = (volume.get(kind) or {}).get("name") or (volume.get(kind) or {}).get("secretName") or ""
    return f"{kind} {name}".strip()
