# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""API paths: whom they name, how a person calls it, and the RBAC rule that allows a request on it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

KINDS = {
    "secrets": "Secret",
    "configmaps": "ConfigMap",
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "pods": "Pod",
    "namespaces": "Namespace",
    "leases": "Lease",
}


@dataclass(frozen=True)
class Resource:
    """What an API path names. ``group`` is empty for the core group; ``name`` is None for a collection."""

    group: str
    resource: str
    namespace: str | None
    name: str | None

    @property
    def qualified(self) -> str:
        """As ``kubectl`` writes it: ``deployments.apps``, ``secrets``."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def address(self) -> str:
        """``Deployment keybuzz-backend-dev/keybuzz-backend``, ``pods in keybuzz-backend-dev``."""
        if self.name is None:
            return f"{self.resource} in {self.namespace}" if self.namespace else self.resource
        kind = KINDS.get(self.resource, self.resource)
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"

    def rule(self, verb: str) -> str:
        """The RBAC rule that allows ``verb``. Creating cannot be limited to a name, so no name is put there."""
        names = f", resourceNames: [{self.name}]" if self.name and verb != "create" else ""
        holder = f"a Role in namespace {self.namespace}" if self.namespace else "a ClusterRole"
        what = f'apiGroups: ["{self.group}"], resources: [{self.resource}]{names}, verbs: [{verb}]'
        return f"{holder} with the rule {{{what}}}"


def resource_of(path: str) -> Resource:
    """Take an API path apart: ``/api/v1/namespaces/NS/secrets/NAME``, ``/apis/apps/v1/namespaces/NS/deployments``."""
    parts = [unquote(part) for part in path.split("?", 1)[0].strip("/").split("/")]
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespace = None
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    return Resource(group, rest[0], namespace, rest[1] if len(rest) > 1 else None)


def core(namespace: str, resource: str, name: str | None = None) -> str:
    """Path of a namespaced object (or collection) of the core group."""
    return _join("/api/v1", namespace, resource, name)


def apps(namespace: str, resource: str, name: str | None = None) -> str:
    """Path of a namespaced object (or collection) of the group ``apps``."""
    return _join("/apis/apps/v1", namespace, resource, name)


def coordination(namespace: str, resource: str, name: str | None = None) -> str:
    """Path of a namespaced object (or collection) of the group ``coordination.k8s.io``."""
    return _join("/apis/coordination.k8s.io/v1", namespace, resource, name)


def _join(root: str, namespace: str, resource: str, name: str | None) -> str:
    path = f"{root}/namespaces/{quote(namespace, safe='')}/{resource}"
    return path if name is None else f"{path}/{quote(name, safe='')}"
