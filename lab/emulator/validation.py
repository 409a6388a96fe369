# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server refuses (k8s.io/kubernetes/pkg/apis/{core,apps}/validation), for the lab's kinds."""

from __future__ import annotations

import re
from typing import Any

from lab.emulator.errors import forbidden, invalid
from lab.emulator.resources import Resource

Object = dict[str, Any]
Causes = list[tuple[str, str, str]]

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_LARGEST_DATA = 1024 * 1024  # bytes, MaxSecretSize


def check(resource: Resource, item: Object, before: Object | None) -> None:
    """Raises 422 with all causes, or 403 for what may not be changed."""
    causes: Causes = []
    name = item["metadata"].get("name", "")
    if resource.group != "rbac.authorization.k8s.io" and not _SUBDOMAIN.fullmatch(name):
        causes.append(("FieldValueInvalid", "metadata.name", f'Invalid value: "{name}": {_SUBDOMAIN_RULE}'))
    if resource.plural in ("secrets", "configmaps"):
        causes += _data(item, before)
    if resource.plural in ("deployments", "replicasets"):
        causes += _selector(item, before)
        causes += _pod_spec(item["spec"]["template"]["spec"], "spec.template.spec")
    if resource.plural == "pods":
        causes += _pod_spec(item["spec"], "spec")
        if before is not None and _frozen(before["spec"]) != _frozen(item["spec"]):
            raise _pod_is_fixed(resource, name)
    if (
        resource.plural in ("rolebindings", "clusterrolebindings")
        and before is not None
        and before["roleRef"] != item["roleRef"]
    ):
        causes.append(("FieldValueInvalid", "roleRef", "Invalid value: cannot change roleRef"))
    if resource.plural == "leases":
        causes += _lease(item.get("spec") or {})
    if causes:
        raise invalid(resource, name, causes)


def _data(item: Object, before: Object | None) -> Causes:
    causes: Causes = []
    for part in ("data", "binaryData"):
        for key in item.get(part) or {}:
            if not _DATA_KEY.fullmatch(key):
                causes.append(
                    (
                        "FieldValueInvalid",
                        f"{part}[{key}]",
                        f'Invalid value: "{key}": a valid config key must consist of alphanumeric characters, '
                        "'-', '_' or '.'",
                    )
                )
    size = sum(len(value or "") for part in ("data", "binaryData") for value in (item.get(part) or {}).values())
    if size > _LARGEST_DATA * 4 // 3:
        causes.append(("FieldValueTooLong", "data", f"Too long: may not be more than {_LARGEST_DATA} bytes"))
    if before is None:
        return causes
    if before.get("type") != item.get("type"):
        causes.append(("FieldValueInvalid", "type", f'Invalid value: "{item.get("type")}": field is immutable'))
    if before.get("immutable"):
        if not item.get("immutable"):
            causes.append(("FieldValueForbidden", "immutable", "Forbidden: field is immutable when `immutable` is set"))
        causes += [
            ("FieldValueForbidden", part, "Forbidden: field is immutable when `immutable` is set")
            for part in ("data", "binaryData")
            if (before.get(part) or {}) != (item.get(part) or {})
        ]
    return causes


def _lease(spec: Object) -> Causes:
    causes: Causes = []
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        causes.append(
            ("FieldValueInvalid", "spec.leaseDurationSeconds", f"Invalid value: {duration}: must be greater than 0")
        )
    if transitions is not None and transitions < 0:
        why = f"Invalid value: {transitions}: must be greater than or equal to 0"
        causes.append(("FieldValueInvalid", "spec.leaseTransitions", why))
    return causes


def _selector(item: Object, before: Object | None) -> Causes:
    selector = item["spec"].get("selector") or {}
    if not selector:
        return [("FieldValueRequired", "spec.selector", "Required value")]
    if before is not None and before["spec"].get("selector") != selector:
        return [("FieldValueInvalid", "spec.selector", "Invalid value: field is immutable")]
    labels = item["spec"]["template"].get("metadata", {}).get("labels") or {}
    wanted = selector.get("matchLabels") or {}
    if not wanted.items() <= labels.items():
        return [
            (
                "FieldValueInvalid",
                "spec.template.metadata.labels",
                "Invalid value: `selector` does not match template `labels`",
            )
        ]
    return []


def _pod_spec(spec: Object, at: str) -> Causes:
    containers = spec.get("containers") or []
    if not containers:
        return [("FieldValueRequired", f"{at}.containers", "Required value")]
    causes: Causes = []
    volumes = [volume.get("name") for volume in spec.get("volumes") or []]
    causes += [
        ("FieldValueDuplicate", f"{at}.volumes[{place}].name", f'Duplicate value: "{name}"')
        for place, name in enumerate(volumes)
        if name in volumes[:place]
    ]
    names: list[str] = []
    for place, container in enumerate(containers):
        where = f"{at}.containers[{place}]"
        if not container.get("name"):
            causes.append(("FieldValueRequired", f"{where}.name", "Required value"))
        elif container["name"] in names:
            causes.append(("FieldValueDuplicate", f"{where}.name", f'Duplicate value: "{container["name"]}"'))
        names.append(container.get("name", ""))
        if not container.get("image"):
            causes.append(("FieldValueRequired", f"{where}.image", "Required value"))
        causes += _env(container, where) + _mounts(container, where, volumes)
    return causes


def _env(container: Object, where: str) -> Causes:
    causes: Causes = []
    for place, variable in enumerate(container.get("env") or []):
        at = f"{where}.env[{place}]"
        if not variable.get("name"):
            causes.append(("FieldValueRequired", f"{at}.name", "Required value"))
        source = variable.get("valueFrom")
        if source is None:
            continue
        if variable.get("value"):
            causes.append(
                (
                    "FieldValueInvalid",
                    f"{at}.valueFrom",
                    'Invalid value: "": may not be specified when `value` is not empty',
                )
            )
        if not source:
            causes.append(
                (
                    "FieldValueInvalid",
                    f"{at}.valueFrom",
                    'Invalid value: "": must specify one of: `fieldRef`,'
                    " `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
                )
            )
        if len(source) > 1:
            causes.append(
                (
                    "FieldValueInvalid",
                    f"{at}.valueFrom",
                    'Invalid value: "": may not have more than one field specified at a time',
                )
            )
    return causes


def _mounts(container: Object, where: str, volumes: list[Any]) -> Causes:
    causes: Causes = []
    seen: list[str] = []
    for place, mount in enumerate(container.get("volumeMounts") or []):
        at = f"{where}.volumeMounts[{place}]"
        if mount.get("name") not in volumes:
            causes.append(("FieldValueNotFound", f"{at}.name", f'Not found: "{mount.get("name", "")}"'))
        if mount.get("mountPath") in seen:
            causes.append(
                ("FieldValueInvalid", f"{at}.mountPath", f'Invalid value: "{mount["mountPath"]}": must be unique')
            )
        seen.append(mount.get("mountPath", ""))
    return causes


def _frozen(spec: Object) -> Object:
    """A pod's spec without what may still change (its image, its node by binding)."""
    kept = {key: value for key, value in spec.items() if key not in ("nodeName", "activeDeadlineSeconds")}
    kept["containers"] = [{**container, "image": ""} for container in spec.get("containers") or []]
    return kept


def _pod_is_fixed(resource: Resource, name: str) -> Exception:
    return invalid(
        resource,
        name,
        [
            (
                "FieldValueForbidden",
                "spec",
                "Forbidden: pod updates may not change fields "
                "other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
                "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
                "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
            )
        ],
    )


def terminating_namespace(resource: Resource, name: str, namespace: str) -> Exception:
    return forbidden(
        resource, name, f"unable to create new content in namespace {namespace} because it is being terminated"
    )
