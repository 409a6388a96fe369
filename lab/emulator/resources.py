# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which resources the emulator serves, and the discovery documents that say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

SHORT_NAMES = {
    "namespaces": "ns",
    "nodes": "no",
    "configmaps": "cm",
    "serviceaccounts": "sa",
    "pods": "po",
    "events": "ev",
    "services": "svc",
    "resourcequotas": "quota",
    "deployments": "deploy",
    "replicasets": "rs",
}
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True)
class Resource:
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    has_spec_generation: bool = False  # metadata.generation follows spec
    created_by_update: bool = False  # PUT of a missing object creates it
    needs_version: bool = False  # PUT without resourceVersion is refused
    review: bool = False  # create only, nothing stored

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``deployments.apps``, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_RBAC = "rbac.authorization.k8s.io"
RESOURCES = (
    Resource("", "v1", "namespaces", "Namespace", namespaced=False, subresources=("status",)),
    Resource("", "v1", "nodes", "Node", namespaced=False, subresources=("status",)),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "serviceaccounts", "ServiceAccount", subresources=("token",)),
    Resource("", "v1", "pods", "Pod", subresources=("status", "binding"), has_spec_generation=True),
    Resource("", "v1", "events", "Event"),
    Resource("", "v1", "services", "Service", subresources=("status",)),
    Resource("", "v1", "resourcequotas", "ResourceQuota", subresources=("status",)),
    Resource("apps", "v1", "deployments", "Deployment", subresources=("status",), has_spec_generation=True),
    Resource("apps", "v1", "replicasets", "ReplicaSet", subresources=("status",), has_spec_generation=True),
    Resource("coordination.k8s.io", "v1", "leases", "Lease", created_by_update=True, needs_version=True),
    Resource(_RBAC, "v1", "roles", "Role", created_by_update=True),
    Resource(_RBAC, "v1", "rolebindings", "RoleBinding", created_by_update=True),
    Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False, created_by_update=True),
    Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False, created_by_update=True),
    Resource(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        namespaced=False,
        review=True,
    ),
    Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False, review=True),
)
BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
BY_NAME = {resource.plural: resource for resource in RESOURCES}

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.3-emulator",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}


def groups() -> list[str]:
    return sorted({resource.group for resource in RESOURCES if resource.group})


def discovery(path: str) -> Object | None:  # noqa: PLR0911 one return for each document
    """The document at /version, /api, /apis, /api/v1, /apis/<group> or /apis/<group>/v1; None elsewhere."""
    parts = path.strip("/").split("/")
    if path == "/version":
        return VERSION
    if parts == ["api"]:
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
        }
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups()]}
    if parts == ["api", "v1"]:
        return _resource_list("")
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in groups():
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1])}
    if parts[0] == "apis" and len(parts) == 3 and parts[1] in groups() and parts[2] == "v1":
        return _resource_list(parts[1])
    return None


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resource_list(group: str) -> Object:
    listed: list[Object] = []
    for resource in RESOURCES:
        if resource.group != group:
            continue
        entry: Object = {
            "name": resource.plural,
            "singularName": resource.kind.lower(),
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": ["create"] if resource.review else VERBS,
        }
        if resource.plural in SHORT_NAMES:
            entry["shortNames"] = [SHORT_NAMES[resource.plural]]
        listed.append(entry)
        verbs = {"status": ["get", "patch", "update"]}
        listed += [
            {
                "name": f"{resource.plural}/{sub}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": {"token": "TokenRequest", "binding": "Binding"}.get(sub, resource.kind),
                "verbs": verbs.get(sub, ["create"]),
            }
            for sub in resource.subresources
        ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/v1" if group else "v1",
        "resources": listed,
    }
