# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Kubernetes Secrets: reading one with what a careful write needs, and writing some of its keys."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.access import Protect
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import core
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import JSON_PATCH, Denied, KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import pointer
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.metadata import managers, owner_references, written

DATA_WRITTEN = "amazon.keybuzz.io/data-written"
"""Annotation of a Secret: when this collection last wrote its data, by the server's clock, which tells the pods' times
too. managedFields does not tell it, because writing an annotation moves its time."""


@dataclass(frozen=True)
class SecretState:
    """A Secret as it was read. Its repr shows no data.

    :param namespace_exists: None when nobody had to ask or the caller may not.
    :param data: decoded values that are UTF-8 text.
    :param binary: keys whose values are not.
    :param encoded: every value as the API gives it (base64).
    :param has_annotations: it has any, be it only the one that kubectl apply keeps (left out of ``annotations``).
    :param data_written: when the data were last written, RFC 3339 in UTC.
    """

    namespace: str
    name: str
    exists: bool
    namespace_exists: bool | None = None
    data: Mapping[str, str] = field(default_factory=dict, repr=False)
    binary: tuple[str, ...] = ()
    encoded: Mapping[str, str] = field(default_factory=dict, repr=False)
    resource_version: str | None = None
    uid: str | None = None
    immutable: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    has_annotations: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()
    data_written: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str:
        return f"Secret {self.namespace}/{self.name}"


def read_secret(client: KubeClient, namespace: str, name: str, protect: Protect) -> SecretState:
    """Read a Secret and have its values masked. One call; one more, if it is not there, to ask for the namespace.

    Raises Denied, Unreachable and the other errors of the client; a missing Secret is a state, not an error.
    """
    found = client.get(core(namespace, "secrets", name))
    if found is None:
        return SecretState(namespace, name, exists=False, namespace_exists=_namespace_exists(client, namespace))
    return secret_state(found, protect)


def secret_state(found: Mapping[str, Any], protect: Protect) -> SecretState:
    """The state of a Secret given as the API's object."""
    metadata: Mapping[str, Any] = found.get("metadata") or {}
    encoded = {key: str(value or "") for key, value in (found.get("data") or {}).items()}
    data, binary = _decoded(encoded)
    protect([*encoded.values(), *data.values()])
    annotations = dict(metadata.get("annotations") or {})
    has_annotations = bool(annotations)
    # kubectl apply keeps a copy of the whole Secret in this annotation (kubernetes issue 23564).
    protect([annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)])
    return SecretState(
        namespace=str(metadata.get("namespace")),
        name=str(metadata.get("name")),
        exists=True,
        namespace_exists=True,
        data=data,
        binary=binary,
        encoded=encoded,
        resource_version=metadata.get("resourceVersion"),
        uid=metadata.get("uid"),
        immutable=bool(found.get("immutable")),
        annotations=annotations,
        has_annotations=has_annotations,
        labels=dict(metadata.get("labels") or {}),
        owners=owner_references(metadata),
        managers=managers(metadata),
        data_written=written(metadata, ("data",)),
        metadata={key: value for key, value in metadata.items() if key != "annotations"},
    )


def write_secret_values(
    client: KubeClient, state: SecretState, values: Mapping[str, str], annotations: Mapping[str, str | None]
) -> SecretState:
    """Write some keys and annotations (None removes one) of exactly the Secret that was read, or create it.

    A write of data is noted in the annotation :data:`DATA_WRITTEN`. Other keys stay. Conflict when the Secret was
    changed, removed and made anew, or created since; nothing is overwritten then. Returns the state after the write;
    does nothing when nothing differs.
    """
    wanted = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    if any(state.encoded.get(key) != value for key, value in wanted.items()):
        annotations = {
            **annotations,
            DATA_WRITTEN: _later(client.server_time or datetime.now(UTC), state.annotations.get(DATA_WRITTEN, "")),
        }
    if not state.exists:
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": state.name,
                "namespace": state.namespace,
                "annotations": {key: value for key, value in annotations.items() if value is not None},
            },
            "data": wanted,
        }
        return secret_state(client.create(core(state.namespace, "secrets"), body), _nothing)
    operations = _operations(state, wanted, annotations)
    if not operations:
        return state
    if state.immutable:
        raise BlockedError(
            "changing",
            state.address,
            "it is immutable",
            f"Delete it (kubectl -n {state.namespace} delete secret {state.name}) and run again.",
        )
    exactly = [
        {"op": "test", "path": "/metadata/uid", "value": state.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": state.resource_version},
    ]
    path = core(state.namespace, "secrets", state.name)
    return secret_state(client.patch(path, exactly + operations, content_type=JSON_PATCH), _nothing)


def _later(now: datetime, noted: str) -> str:
    """The time to note: no two writes have the same, though the server tells whole seconds."""
    with contextlib.suppress(ValueError, TypeError):  # absent, or a person wrote it
        now = max(now, datetime.fromisoformat(noted) + timedelta(milliseconds=1))
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _operations(
    state: SecretState, wanted: Mapping[str, str], annotations: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = []
    changed = {key: value for key, value in wanted.items() if state.encoded.get(key) != value}
    if changed and not state.encoded:
        operations.append({"op": "add", "path": "/data", "value": changed})
    else:
        operations += [{"op": "add", "path": f"/data/{pointer(key)}", "value": changed[key]} for key in changed]
    set_now = {key: value for key, value in annotations.items() if value is not None}
    different = {key: value for key, value in set_now.items() if state.annotations.get(key) != value}
    if different and not state.has_annotations:
        operations.append({"op": "add", "path": "/metadata/annotations", "value": different})
    else:
        operations += [
            {"op": "add", "path": f"/metadata/annotations/{pointer(key)}", "value": value}
            for key, value in different.items()
        ]
    operations += [
        {"op": "remove", "path": f"/metadata/annotations/{pointer(key)}"}
        for key, value in annotations.items()
        if value is None and key in state.annotations
    ]
    return operations


def _decoded(encoded: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    data: dict[str, str] = {}
    binary = []
    for key, value in encoded.items():
        try:
            data[key] = base64.b64decode(value).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            binary.append(key)
    return data, tuple(sorted(binary))


def _namespace_exists(client: KubeClient, namespace: str) -> bool | None:
    try:
        return client.get(f"/api/v1/namespaces/{namespace}") is not None
    except Denied:
        return None


def _nothing(secrets: object) -> None:
    """The values written were masked when they were made or read."""
