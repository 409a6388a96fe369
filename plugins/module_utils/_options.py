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
    "vault_auth_method": {
        "type": "str",
        "choices": ["token", "approle", "kubernetes", "jwt"],
        "default": "token",
        "fallback": _env("VAULT_AUTH_METHOD"),
    },
    "vault_auth_mount": {"type": "str", "fallback": _env("VAULT_AUTH_MOUNT")},
    "vault_auth_role": {"type": "str", "fallback": _env("VAULT_AUTH_ROLE")},
    "vault_role_id": {"type": "str", "fallback": _env("VAULT_ROLE_ID")},
    "vault_secret_id": {"type": "str", "no_log": True, "fallback": _env("VAULT_SECRET_ID")},
    "vault_secret_id_file": {"type": "path", "no_log": False, "fallback": _env("VAULT_SECRET_ID_FILE")},
    "vault_jwt": {"type": "str", "no_log": True, "fallback": _env("VAULT_JWT")},
    "vault_jwt_file": {"type": "path", "fallback": _env("VAULT_JWT_FILE")},
    "vault_ca_cert": {
        "type": "path",
        "fallback": _env("VAULT_CACERT", "BAO_CACERT", "VAULT_CAPATH", "BAO_CAPATH"),
    },
    "vault_ca_pem": {"type": "str", "fallback": _env("VAULT_CACERT_BYTES", "BAO_CACERT_BYTES")},
    "vault_namespace": {"type": "str", "fallback": _env("VAULT_NAMESPACE", "BAO_NAMESPACE")},
    "vault_timeout": {"type": "float", "default": 10.0},
    "vault_kv_version": {"type": "str", "choices": ["auto", "1", "2"], "default": "auto"},
}

# Names, types, aliases and variables of kubernetes.core, so that its module_defaults and credentials serve here too.
KUBERNETES: Mapping[str, Mapping[str, Any]] = {
    "kubeconfig": {"type": "raw", "fallback": _env("K8S_AUTH_KUBECONFIG", "KUBECONFIG")},
    "context": {"type": "str", "fallback": _env("K8S_AUTH_CONTEXT")},
    "host": {"type": "str", "fallback": _env("K8S_AUTH_HOST")},
    "api_key": {"type": "str", "no_log": True, "fallback": _env("K8S_AUTH_API_KEY")},
    "ca_cert": {
        "type": "path",
        "aliases": ["ssl_ca_cert"],
        "fallback": _env("K8S_AUTH_SSL_CA_CERT", "K8S_AUTH_CA_CERT"),
    },
    "validate_certs": {
        "type": "bool",
        "aliases": ["verify_ssl"],
        "fallback": _env("K8S_AUTH_VERIFY_SSL", "K8S_AUTH_VALIDATE_CERTS"),
    },
    "tls_server_name": {"type": "str", "fallback": _env("K8S_AUTH_TLS_SERVER_NAME")},
    "client_cert": {
        "type": "path",
        "aliases": ["cert_file"],
        "fallback": _env("K8S_AUTH_CERT_FILE", "K8S_AUTH_CLIENT_CERT"),
    },
    "client_key": {
        "type": "path",
        "no_log": False,
        "aliases": ["key_file"],
        "fallback": _env("K8S_AUTH_KEY_FILE", "K8S_AUTH_CLIENT_KEY"),
    },
    "proxy": {"type": "str", "fallback": _env("K8S_AUTH_PROXY")},
    "no_proxy": {"type": "str", "fallback": _env("K8S_AUTH_NO_PROXY")},
    "proxy_headers": {
        "type": "dict",
        "apply_defaults": True,  # so that the variables of its parts count when it is not given
        "options": {
            "proxy_basic_auth": {
                "type": "str",
                "no_log": True,
                "fallback": _env("K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH"),
            },
            "basic_auth": {"type": "str", "no_log": True, "fallback": _env("K8S_AUTH_PROXY_HEADERS_BASIC_AUTH")},
            "user_agent": {"type": "str", "fallback": _env("K8S_AUTH_PROXY_HEADERS_USER_AGENT")},
        },
    },
    "impersonate_user": {"type": "str", "fallback": _env("K8S_AUTH_IMPERSONATE_USER")},
    "impersonate_groups": {"type": "list", "elements": "str", "fallback": _env("K8S_AUTH_IMPERSONATE_GROUPS")},
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

# Where the two documents are, for the modules that read them.
DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    "vault_mount": {"type": "str", "default": "secret"},
    "app_path": {"type": "str", "default": "keybuzz/amazon_spapi/app"},
    "tenant_path": {"type": "str", "default": "keybuzz/tenants/{tenant}/amazon_spapi"},
    "app_document_keys": {"type": "dict", "default": {}, "no_log": False},
    "tenant_document_keys": {"type": "dict", "default": {}, "no_log": False},
}

TENANTS: Mapping[str, Mapping[str, Any]] = {
    "tenant": {"type": "str"},
    "tenants": {"type": "list", "elements": "str"},
    "tenants_table": {"type": "str", "default": "tenants"},
    "tenant_columns": {"type": "dict", "default": {}},
}
"""Whom a call is about, one tenant or several, and where their rows are."""
ONE_OR_SEVERAL: Mapping[str, Any] = {
    "required_one_of": [("tenant", "tenants")],
    "mutually_exclusive": [("tenant", "tenants")],
}

PLANNED: Mapping[str, Mapping[str, Any]] = {"planned": {"type": "list", "elements": "dict"}}
"""What a call may write; for every module that repairs."""


_SSLMODES = {
    "verify-ca": "a server with any name is taken if the authority has signed its certificate",
    "require": "TLS is used but does not verify the server",
    "prefer": "TLS is used only if the server offers it, and does not verify the server",
    "allow": "TLS is used only if the server insists on it, and does not verify the server",
    "disable": "everything is sent in clear",
}


def insecure_options(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Warnings for connection options that let somebody in between read a password."""
    risk = _SSLMODES.get(str(params.get("pg_sslmode")))
    host = str(params.get("pg_host") or "")
    if risk is None or host.startswith("/"):  # a socket of this machine
        return ()
    return (
        f"pg_sslmode is {params['pg_sslmode']}: {risk}, so whoever sits between here and {host} can take the "
        "password and the data. Set it to verify-full, with pg_sslrootcert.",
    )
