# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the healthy world's objects into a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.cluster import access, kubeconfig, objects
from lab.cluster.api import Api
from lab.cluster.kinds import Cluster, client
from lab.cluster.kubeconfig import Access
from lab.cluster.objects import API_NAMESPACE, BACKEND_NAMESPACE, OPS_NAMESPACE

TOKEN_LIFETIME = 7 * 24 * 3600  # seconds: longer than any lab is kept


def install(cluster: Cluster, world_values: Mapping[str, Any]) -> None:
    """Namespaces, service accounts with RBAC and kubeconfigs, Secrets, ConfigMap and Deployment.

    ``world_values``: ``vault_addr``, ``vault_ca_pem``, ``vault_token``, ``root_token``, ``spapi`` {client_id,
    client_secret, application_id, redirect_uri, region}, ``database`` {host, port, dbname, user, password, ca_pem}.
    Objects that are there already are replaced. Raises ApiError with the server's reason.
    """
    api = client(cluster)
    for name in (BACKEND_NAMESPACE, API_NAMESPACE, OPS_NAMESPACE):
        api.ensure("namespaces", objects.namespace(name))
    for user, rules in (("repair", access.REPAIR), ("audit", access.AUDIT)):
        grant(cluster, api, user, rules)
    put = objects.secret
    api.ensure(
        "secrets", put(BACKEND_NAMESPACE, "keybuzz-backend-db", objects.database_values(world_values["database"]))
    )
    api.ensure("secrets", put(BACKEND_NAMESPACE, "vault-token", {"VAULT_TOKEN": world_values["vault_token"]}))
    api.ensure("secrets", put(BACKEND_NAMESPACE, "amazon-spapi-creds", objects.spapi_values(world_values["spapi"])))
    api.ensure("secrets", put(API_NAMESPACE, "vault-token", {"VAULT_TOKEN": world_values["root_token"]}))
    api.ensure(
        "configmaps", objects.config_map(BACKEND_NAMESPACE, "vault-ca", {"ca.crt": world_values["vault_ca_pem"]})
    )
    scheduler = objects.SCHEDULER if cluster.kind == "external" else None
    api.ensure("deployments", objects.deployment(world_values["vault_addr"], scheduler=scheduler))


def grant(cluster: Cluster, api: Api, user: str, rules: Mapping[str, list[access.Rule]]) -> None:
    """A service account that may do exactly ``rules`` (by namespace), and its kubeconfig."""
    if api.find("serviceaccounts", access.account_name(user), OPS_NAMESPACE) is None:
        api.create("serviceaccounts", access.service_account(user))
    for namespace, granted in rules.items():
        api.ensure("roles", access.role(namespace, user, granted))
        api.ensure("rolebindings", access.role_binding(namespace, user))
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_LIFETIME},
    }
    answer = api.create("serviceaccounts", request, OPS_NAMESPACE, name=access.account_name(user), subresource="token")
    kubeconfig.write(
        cluster.kubeconfigs[user],
        Access(cluster.server, cluster.ca_file.read_text(), answer["status"]["token"]),
        user=access.account_name(user),
        namespace=BACKEND_NAMESPACE,
    )
