# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments and looks, built by hand for the tests of pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonpatch
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import (
    ConfigMapState,
    Content,
    Observed,
    Source,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.options import desired
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import Plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired

Object = dict[str, Any]
AT_REST: Object = {
    "observedGeneration": 4,
    "replicas": 1,
    "updatedReplicas": 1,
    "readyReplicas": 1,
    "availableReplicas": 1,
}


def deployment(container: Object | None = None, **spec: Any) -> Object:
    """One container ``web`` of Deployment ns/web; ``spec`` adds to the pod's spec."""
    return {
        "metadata": {
            "namespace": "ns",
            "name": "web",
            "uid": "u",
            "generation": 4,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "replicas": 1,
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", **(container or {})}], **spec},
            },
        },
        "status": dict(AT_REST),
    }


def observed(container: Object | None = None, *, sources: Mapping[Any, Source] | None = None, **look: Any) -> Observed:
    made = look.pop("deployment", None) or deployment(container)
    return Observed(made, 0, sources or {}, **look)


def wanted(**options: Any) -> Desired:
    return desired({"namespace": "ns", "deployment": "web", **options})


def secret(name: str, data: Mapping[str, str], **state: Any) -> Source:
    """A Secret that was read."""
    encoded = {key: f"b64:{value}" for key, value in data.items()}
    made = SecretState("ns", name, True, data=data, encoded=encoded, uid=f"uid-{name}", **state)
    return Source(True, data, secret=made)


def unreadable(name: str) -> Source:
    return Source(None, problem=f"Secret ns/{name}: the caller may not get it (HTTP 403)")


def absent_source(name: str) -> Source:
    return Source(False, secret=SecretState("ns", name, False))


MOUNT = {"volume": "ca", "config_map": "ca", "key": "ca.crt", "mount_path": "/etc/ca", "content": "CA"}


def with_config(container: Object | None = None, *, config: ConfigMapState | None = None, **look: Any) -> Observed:
    """A look with the content of :data:`MOUNT`; ``config`` is the ConfigMap as it was read."""
    there = config or ConfigMapState(True, {"ca.crt": "CA"}, data_written="2025-12-31T00:00:00Z", uid="c")
    contents = look.pop("contents", {"ca": Content("CA")})
    return observed(container, config_maps={"ca": there}, contents=contents, **look)


MOUNTED: Object = {"volumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}]}
VOLUME: Object = {"name": "ca", "configMap": {"name": "ca"}}


def applied(look: Observed, made: Plan) -> Object:
    """The Deployment after the plan's patch, by a JSON Patch library of somebody else."""
    return dict(jsonpatch.apply_patch(look.deployment, list(made.patch)))


def container_of(found: Object) -> Object:
    return dict(found["spec"]["template"]["spec"]["containers"][0])


def item(items: tuple[Item, ...], name: str) -> Item:
    return next(one for one in items if one.id == f"backend_access/{name}")


def acting(made: Plan) -> set[str]:
    return {one.id.removeprefix("backend_access/") for one in made.items if one.action != "none"}
