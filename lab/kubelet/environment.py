# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's environment, resolved as a kubelet resolves it.

Rules and wording: kubernetes/pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables) and
k8s.io/kubernetes/third_party/forked/golang/expansion.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

Object = dict[str, Any]
Read = Callable[[str, str], Object | None]  # ("secrets" | "configmaps", name) -> the object, or None

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


class ConfigError(Exception):
    """The container cannot be made: waiting reason CreateContainerConfigError with this message."""


def resolve(container: Object, pod: Object, image_env: Mapping[str, str], read: Read) -> dict[str, str]:
    """The whole environment: the image's, then each envFrom in order, then each env in order; later wins."""
    env = dict(image_env)
    named: dict[str, str] = {}  # what $(NAME) may refer to: not the image's own variables
    for source in container.get("envFrom", []):
        named |= _from_source(source, pod, read)
    for entry in container.get("env", []):
        value = _value(entry, pod, read, named)
        if value is not None:
            named[entry["name"]] = value
    return env | named


def data_of(resource: str, found: Object) -> dict[str, bytes]:
    """The keys of a Secret or ConfigMap as bytes."""
    encoded = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
    if resource == "secrets":
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
    return {key: value.encode() for key, value in (found.get("data") or {}).items()} | encoded


def expand(text: str, named: Mapping[str, str]) -> str:
    """``$(NAME)`` by its value, ``$$`` by ``$``; an unknown name stays as it is written."""

    def one(match: re.Match[str]) -> str:
        if match.group(0) == "$$":
            return "$"
        return named.get(match.group(1), match.group(0))

    return _REFERENCE.sub(one, text)


def _from_source(source: Object, pod: Object, read: Read) -> dict[str, str]:
    resource, reference = (
        ("secrets", source["secretRef"]) if "secretRef" in source else ("configmaps", source["configMapRef"])
    )
    found = read(resource, reference["name"])
    if found is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(not_found(resource, reference["name"]))
    prefix = source.get("prefix", "")
    return {prefix + key: _text(value) for key, value in sorted(data_of(resource, found).items())}


def _value(entry: Object, pod: Object, read: Read, named: Mapping[str, str]) -> str | None:
    """The variable's value, or None where an optional reference leads nowhere."""
    source = entry.get("valueFrom")
    if source is None:
        return expand(entry.get("value") or "", named)
    if "fieldRef" in source:
        return _field(source["fieldRef"]["fieldPath"], pod)
    resource = "secrets" if "secretKeyRef" in source else "configmaps"
    reference = source.get("secretKeyRef") or source.get("configMapKeyRef")
    if reference is None:
        raise ConfigError(f"the source of variable {entry['name']} is not one this node knows")
    optional = reference.get("optional", False)
    found = read(resource, reference["name"])
    if found is None:
        if optional:
            return None
        raise ConfigError(not_found(resource, reference["name"]))
    data = data_of(resource, found)
    if reference["key"] not in data:
        if optional:
            return None
        kind = "Secret" if resource == "secrets" else "ConfigMap"
        namespace = pod["metadata"]["namespace"]
        raise ConfigError(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}")
    return _text(data[reference["key"]])


def not_found(resource: str, name: str) -> str:
    return f'{resource.removesuffix("s")} "{name}" not found'


def _field(path: str, pod: Object) -> str:
    metadata = pod["metadata"]
    subscript = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if subscript:
        return str(metadata.get(subscript.group(1), {}).get(subscript.group(2), ""))
    plain = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "status.podIP": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
    }
    if path not in plain:
        raise ConfigError(f"fieldPath {path} is not one this node knows")
    return str(plain[path])


def _text(value: bytes) -> str:
    # A process takes bytes; surrogateescape carries any of them through str.
    return value.decode("utf-8", "surrogateescape")
