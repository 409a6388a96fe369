# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API knows of the shape of its objects: which lists are maps by a key, which values are one piece.

From the ``x-kubernetes-list-type``, ``-map-keys``, ``-map-type`` and ``-patch-merge-key`` marks of
k8s.io/api/{core,apps}/v1, for the fields the lab's objects have.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

# The list's field name -> its keys (server-side field ownership). Lists not named here are one piece.
LIST_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "protocol"),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
    "containerStatuses": ("name",),
    "podIPs": ("ip",),
}
SET_LISTS = {"finalizers"}
# Strategic merge patch has one merge key for each list.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "ownerReferences": "uid",
    "conditions": "type",
    "podIPs": "ip",
    "secrets": "name",
}
# Maps that are owned, and replaced, as a whole.
ATOMIC_MAPS = {
    "selector",
    "nodeSelector",
    "matchLabels",
    "secretKeyRef",
    "configMapKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "secretRef",
    "configMapRef",
    "roleRef",
    "containerStatuses",
}


def list_key(field: str, item: Object) -> tuple[tuple[str, Any], ...] | None:
    """The item's key in a keyed list, with the server's default for a port's protocol; None if it lacks one."""
    keys = LIST_KEYS.get(field)
    if keys is None:
        return None
    found = []
    for key in keys:
        value = item.get(key, "TCP" if key == "protocol" else None)
        if value is None:
            return None
        found.append((key, value))
    return tuple(found)
