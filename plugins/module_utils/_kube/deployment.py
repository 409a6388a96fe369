# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A Deployment as it was read, one container of it, and everything else the plan needs to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import apps
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import EnvFrom, SourceName
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls import Probe


@dataclass(frozen=True)
class Source:
    """A Secret or ConfigMap that feeds environment or files. ``exists`` None: could not look, see ``problem``."""

    exists: bool | None
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    problem: str = ""
    secret: SecretState | None = None


@dataclass(frozen=True)
class ConfigMapState:
    """A ConfigMap as it was read."""

    exists: bool
    data: Mapping[str, str] = field(default_factory=dict)
    immutable: bool = False
    resource_version: str | None = None
    uid: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    data_written: str | None = None


@dataclass(frozen=True)
class Content:
    """What the file of a mount must hold: a text, or why it is not known; and the handshake made with it."""

    text: str | None
    problem: str = ""
    remedy: str = ""
    probe: Probe | None = None
    origin: str = ""
    """Where the text comes from, when it was not given."""


@dataclass(frozen=True)
class Observed:
    """One look. ``pods`` is None when nobody had to ask for them, or nobody may: ``pods_problem`` says why."""

    deployment: Mapping[str, Any]
    index: int
    sources: Mapping[SourceName, Source] = field(default_factory=dict)
    config_maps: Mapping[str, ConfigMapState] = field(default_factory=dict)
    contents: Mapping[str, Content] = field(default_factory=dict)
    pods: tuple[Mapping[str, Any], ...] | None = None
    pods_problem: str = ""

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.deployment.get("metadata") or {}

    @property
    def template(self) -> Mapping[str, Any]:
        return self.deployment["spec"]["template"]  # type: ignore[no-any-return]

    @property
    def annotations(self) -> Mapping[str, str]:
        """Annotations of the pod template."""
        return (self.template.get("metadata") or {}).get("annotations") or {}

    @property
    def container(self) -> Mapping[str, Any]:
        return self.template["spec"]["containers"][self.index]  # type: ignore[no-any-return]

    @property
    def container_name(self) -> str:
        return str(self.container["name"])

    @property
    def env(self) -> Sequence[Mapping[str, Any]]:
        return self.container.get("env") or ()

    @property
    def env_from(self) -> tuple[EnvFrom, ...]:
        return tuple(env_from_of(entry) for entry in self.container.get("envFrom") or ())

    @property
    def paused(self) -> bool:
        return bool(self.deployment["spec"].get("paused"))

    @property
    def address(self) -> str:
        return f"Deployment {self.metadata.get('namespace')}/{self.metadata.get('name')}"

    @property
    def container_address(self) -> str:
        return f"{self.address} container {self.container_name}"


def env_from_of(entry: Mapping[str, Any]) -> EnvFrom:
    """One entry of ``envFrom`` as the API has it."""
    kind, reference = ("secret", entry["secretRef"]) if entry.get("secretRef") else ("config_map", None)
    reference = reference or entry.get("configMapRef") or {}
    return EnvFrom(
        kind=kind,  # type: ignore[arg-type]
        name=str(reference.get("name")),
        prefix=str(entry.get("prefix") or ""),
        optional=bool(reference.get("optional")),
    )


def read_deployment(client: KubeClient, namespace: str, name: str) -> dict[str, Any]:
    """The Deployment; BlockedError if it is not there."""
    found = client.get(apps(namespace, "deployments", name))
    if found is None:
        raise BlockedError(
            "reading",
            f"Deployment {namespace}/{name}",
            "there is no such Deployment (HTTP 404)",
            f"Check namespace and name: kubectl -n {namespace} get deployments.",
        )
    leaving = (found.get("metadata") or {}).get("deletionTimestamp")
    if leaving:
        finalizers = ", ".join(found["metadata"].get("finalizers") or ()) or "none"
        raise BlockedError(
            "reading",
            f"Deployment {namespace}/{name}",
            f"it is being deleted since {leaving} (finalizers: {finalizers})",
            "Wait until it is gone and created anew; a change of it now would be lost.",
        )
    return found


def container_index(deployment: Mapping[str, Any], wanted: str | None) -> int:
    """Index of the named container, or of the only one. BadInputError names those there are; never a guess."""
    pod = deployment["spec"]["template"]["spec"]
    containers = pod.get("containers") or ()
    names = [str(container.get("name")) for container in containers]
    metadata = deployment.get("metadata") or {}
    address = f"Deployment {metadata.get('namespace')}/{metadata.get('name')}"
    if wanted is None and len(names) == 1:
        return 0
    if wanted in names:
        return names.index(wanted)
    answered = f"it has no container {wanted}" if wanted else "it has several containers and none was named"
    if wanted in [one.get("name") for one in pod.get("initContainers") or ()]:
        answered = f"{wanted} is an init container of it, and those are left alone"
    raise BadInputError("choosing the container of", address, answered, f"Set container to one of: {', '.join(names)}.")
