# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Connection options, once each, with their environment fallbacks. Documented in the doc fragments of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback


def _env(*names: str) -> tuple[object, list[str]]:
    return (env_fallback, list(names))


VAULT: Mapping[str, Mapping[str, Any]] = {
    "vault_addr": {"type": "str", "required": True, "fallback": _env("VAULT_ADDR", "BAO_ADDR")},
    "vault_token": {"type": "str", "no_log": True, "fallback": _env("VAULT_TOKEN", "BAO_TOKEN")},
    "vault_token_file": {"type": "path", "no_log": False, "fallback": _env("VAULT_TOKEN_FILE")},
    "vault_ca_cert": {"type": "path", "fallback": _env("VAULT_CACERT", "BAO_CACERT")},
    "vault_namespace": {"type": "str", "fallback": _env("VAULT_NAMESPACE", "BAO_NAMESPACE")},
    "vault_timeout": {"type": "float", "default": 10.0},
}

KUBERNETES: Mapping[str, Mapping[str, Any]] = {
    "kubeconfig": {"type": "path", "fallback": _env("K8S_AUTH_KUBECONFIG", "KUBECONFIG")},
    "context": {"type": "str", "fallback": _env("K8S_AUTH_CONTEXT")},
    "host": {"type": "str", "fallback": _env("K8S_AUTH_HOST")},
    "api_key": {"type": "str", "no_log": True, "fallback": _env("K8S_AUTH_API_KEY")},
    "ca_cert": {"type": "path", "fallback": _env("K8S_AUTH_SSL_CA_CERT")},
    "kubernetes_timeout": {"type": "float", "default": 10.0},
}

POSTGRESQL: Mapping[str, Mapping[str, Any]] = {
    "pg_host": {"type": "str", "required": True, "fallback": _env("PGHOST")},
    "pg_port": {"type": "int", "default": 5432, "fallback": _env("PGPORT")},
    "pg_dbname": {"type": "str", "required": True, "fallback": _env("PGDATABASE")},
    "pg_user": {"type": "str", "required": True, "fallback": _env("PGUSER")},
    "pg_password": {"type": "str", "no_log": True, "fallback": _env("PGPASSWORD")},
    "pg_passfile": {"type": "path", "no_log": False, "fallback": _env("PGPASSFILE")},
    "pg_sslmode": {
        "type": "str",
        "default": "verify-full",
        "choices": ["verify-full", "verify-ca", "require", "prefer", "allow", "disable"],
        "fallback": _env("PGSSLMODE"),
    },
    "pg_sslrootcert": {"type": "path", "fallback": _env("PGSSLROOTCERT")},
    "pg_connect_timeout": {"type": "int", "default": 10, "fallback": _env("PGCONNECT_TIMEOUT")},
}

AMAZON: Mapping[str, Mapping[str, Any]] = {
    "amazon_endpoint": {"type": "str", "fallback": _env("AMAZON_ENDPOINT")},
    "amazon_lwa_url": {
        "type": "str",
        "default": "https://api.amazon.com/auth/o2/token",
        "fallback": _env("AMAZON_LWA_URL"),
    },
    "amazon_ca_cert": {"type": "path", "fallback": _env("AMAZON_CACERT")},
    "amazon_timeout": {"type": "float", "default": 30.0},
}
