# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: RBAC of the two service accounts the playbooks run as.

No more than design section 5 asks for: the audit reads, by name, what it looks at; the repair writes, by name,
what it mends. ``create`` and ``list`` cannot be limited by name (Kubernetes: a request to create has no name yet).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.cluster.objects import API_NAMESPACE, BACKEND_NAMESPACE, DEPLOYMENT, OPS_NAMESPACE

Object = dict[str, Any]
Rule = dict[str, list[str]]

LEASE = "keybuzz-amazon-repair"
SECRETS = ["keybuzz-backend-db", "vault-token", "amazon-spapi-creds"]


def rule(group: str, resources: Sequence[str], verbs: Sequence[str], names: Sequence[str] = ()) -> Rule:
    named = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs), **named}


REPAIR: dict[str, list[Rule]] = {
    BACKEND_NAMESPACE: [
        rule("", ["secrets"], ["get", "patch"], SECRETS),
        rule("", ["secrets"], ["create"]),
        rule("", ["configmaps"], ["get", "patch"], ["vault-ca"]),
        rule("", ["configmaps"], ["create"]),
        rule("apps", ["deployments"], ["get", "patch"], [DEPLOYMENT]),
        rule("", ["pods"], ["list"]),
        rule("coordination.k8s.io", ["leases"], ["get", "update"], [LEASE]),
        rule("coordination.k8s.io", ["leases"], ["create"]),
    ],
    API_NAMESPACE: [rule("", ["secrets"], ["get"], ["vault-token"])],
}

AUDIT: dict[str, list[Rule]] = {
    BACKEND_NAMESPACE: [
        rule("", ["secrets"], ["get"], SECRETS),
        rule("", ["configmaps"], ["get"], ["vault-ca"]),
        rule("apps", ["deployments"], ["get"], [DEPLOYMENT]),
        rule("", ["pods"], ["list"]),
        rule("coordination.k8s.io", ["leases"], ["get"], [LEASE]),
    ],
    API_NAMESPACE: [rule("", ["secrets"], ["get"], ["vault-token"])],
}


def account_name(user: str) -> str:
    """``repair`` -> ``keybuzz-repair``."""
    return f"keybuzz-{user}"


def service_account(user: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"namespace": OPS_NAMESPACE, "name": account_name(user)},
    }


def role(namespace: str, user: str, rules: Sequence[Rule]) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"namespace": namespace, "name": account_name(user)},
        "rules": list(rules),
    }


def role_binding(namespace: str, user: str) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"namespace": namespace, "name": account_name(user)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account_name(user)},
        "subjects": [{"kind": "ServiceAccount", "namespace": OPS_NAMESPACE, "name": account_name(user)}],
    }
