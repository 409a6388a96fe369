# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes objects of the healthy world, as pure functions of the lab's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BACKEND_NAMESPACE = "keybuzz-backend-dev"
API_NAMESPACE = "keybuzz-api-dev"
OPS_NAMESPACE = "keybuzz-ops"
DEPLOYMENT = "keybuzz-backend"
IMAGE = "keybuzz-backend:lab"
SCHEDULER = "keybuzz-lab"  # named only where a real scheduler would take the pods
LABELS = {"app": "keybuzz-backend"}

Object = dict[str, Any]


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def secret(namespace: str, name: str, values: Mapping[str, str]) -> Object:
    # stringData: the server does the base64, as it does for a person's manifest.
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": name},
        "type": "Opaque",
        "stringData": dict(values),
    }


def config_map(namespace: str, name: str, values: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name},
        "data": dict(values),
    }


def deployment(vault_addr: str, *, scheduler: str | None = None) -> Object:
    """The backend with all four repairs in place."""
    container = {
        "name": "keybuzz-backend",
        "image": IMAGE,
        "env": [
            {"name": "VAULT_ADDR", "value": vault_addr},
            {"name": "NODE_EXTRA_CA_CERTS", "value": "/etc/vault-ca/ca.crt"},
        ],
        "envFrom": [
            {"secretRef": {"name": name}} for name in ("keybuzz-backend-db", "vault-token", "amazon-spapi-creds")
        ],
        "ports": [{"name": "http", "containerPort": 8080}],
        "volumeMounts": [{"name": "vault-ca", "mountPath": "/etc/vault-ca", "readOnly": True}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 5},
    }
    pod: Object = {
        "containers": [container],
        "terminationGracePeriodSeconds": 5,
        "automountServiceAccountToken": False,
        "volumes": [{"name": "vault-ca", "configMap": {"name": "vault-ca"}}],
    }
    if scheduler is not None:
        pod["schedulerName"] = scheduler
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": BACKEND_NAMESPACE, "name": DEPLOYMENT, "labels": LABELS},
        "spec": {
            "replicas": 1,
            "progressDeadlineSeconds": 60,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
        },
    }


def database_values(database: Mapping[str, Any]) -> dict[str, str]:
    """Secret keybuzz-backend-db, by libpq's own variable names."""
    keys = {"PGHOST": "host", "PGPORT": "port", "PGDATABASE": "dbname", "PGUSER": "user", "PGPASSWORD": "password"}
    return {name: str(database[key]) for name, key in keys.items()}


def spapi_values(spapi: Mapping[str, str]) -> dict[str, str]:
    """Secret amazon-spapi-creds."""
    keys = ("client_id", "client_secret", "application_id", "redirect_uri", "region")
    return {f"AMAZON_SPAPI_{key.upper()}": spapi[key] for key in keys}
