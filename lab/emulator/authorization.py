# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RBAC: Roles and ClusterRoles by their bindings, evaluated for each request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.emulator.authentication import User
from lab.emulator.errors import StatusError, forbidden
from lab.emulator.resources import BY_NAME, Resource
from lab.emulator.storage import Storage

Object = dict[str, Any]

MASTERS = "system:masters"  # may do everything, without any binding
# ClusterRole system:basic-user, bound to everybody who has logged in: to ask about oneself.
BASIC_USER = [
    {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"], "verbs": ["create"]},
    {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
]


@dataclass(frozen=True)
class Attributes:
    """What is asked for; ``resource`` may carry a subresource (``pods/status``)."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str


def allowed(storage: Storage, user: User, wanted: Attributes) -> bool:
    if MASTERS in user.groups:
        return True
    return any(_covers(rule, wanted) for rule in _rules(storage, user, wanted.namespace))


def denial(resource: Resource, user: User, wanted: Attributes) -> StatusError:
    """403, with the sentence kube-apiserver says it with."""
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {wanted.verb} resource "{wanted.resource}" in API group "{wanted.group}" {where}'
    return forbidden(resource, wanted.name, why)


def _rules(storage: Storage, user: User, namespace: str) -> Iterator[Object]:
    if "system:authenticated" in user.groups:
        yield from BASIC_USER
    for binding in storage.list(BY_NAME["clusterrolebindings"]):
        if _binds(binding, user, ""):
            yield from _role(storage, binding, "")
    if namespace:
        for binding in storage.list(BY_NAME["rolebindings"], namespace):
            if _binds(binding, user, namespace):
                yield from _role(storage, binding, namespace)


def _role(storage: Storage, binding: Object, namespace: str) -> list[Object]:
    reference = binding["roleRef"]
    if reference["kind"] == "ClusterRole":
        role = storage.find(BY_NAME["clusterroles"], "", reference["name"])
    else:
        role = storage.find(BY_NAME["roles"], namespace, reference["name"])
    rules: list[Object] = (role or {}).get("rules") or []
    return rules


def _binds(binding: Object, user: User, namespace: str) -> bool:
    for subject in binding.get("subjects") or []:
        if subject["kind"] == "User" and subject["name"] == user.name:
            return True
        if subject["kind"] == "Group" and subject["name"] in user.groups:
            return True
        if subject["kind"] == "ServiceAccount":
            home = subject.get("namespace") or namespace
            if user.name == f"system:serviceaccount:{home}:{subject['name']}":
                return True
    return False


def _covers(rule: Object, wanted: Attributes) -> bool:
    verbs, groups = rule.get("verbs") or [], rule.get("apiGroups") or []
    resources, names = rule.get("resources") or [], rule.get("resourceNames") or []
    subresource = wanted.resource.partition("/")[2]
    return (
        ("*" in verbs or wanted.verb in verbs)
        and ("*" in groups or wanted.group in groups)
        and ("*" in resources or wanted.resource in resources or bool(subresource and f"*/{subresource}" in resources))
        and (not names or wanted.name in names)
    )
