# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that no variant varies, and why none of their values can make a module write.

A new option is in neither list, and fails ``test_nothing_forgotten`` until somebody has thought about it.
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> list[str]:
    return text.split()


_CONNECTIONS = _words(
    """vault_addr vault_token vault_token_file vault_auth_mount vault_auth_role vault_role_id vault_secret_id
    vault_secret_id_file vault_jwt vault_jwt_file vault_ca_cert vault_ca_pem vault_namespace vault_timeout
    vault_kv_version kubeconfig context host api_key ca_cert validate_certs tls_server_name client_cert client_key proxy
    no_proxy proxy_headers proxy_headers.proxy_basic_auth proxy_headers.basic_auth proxy_headers.user_agent
    impersonate_user impersonate_groups kubernetes_timeout pg_host pg_port pg_dbname pg_user pg_password pg_passfile
    pg_sslmode pg_sslrootcert pg_connect_timeout amazon_endpoint amazon_lwa_url amazon_ca_cert amazon_timeout"""
)
_HOW = "how a server is reached, and as whom: what is asked there is the same"
_PLACE = "names the place: what is written to such a place is another variant's"

EVERYWHERE: Mapping[str, str] = {
    **dict.fromkeys(_CONNECTIONS, _HOW),
    "vault_auth_method": "a login makes a token of its own, which ends with the call: how one connects, not what is"
    " done (tests/integration_lab/vault/test_vault_login.py proves the end)",
    "planned": "narrows what may be written, outside check mode",
}
"""Of every module that has them."""
OF_MODULES: Mapping[str, Mapping[str, str]] = {
    "vault_token_secret": {
        **dict.fromkeys(("copy_from.key", "copy_from.secret"), "names what is read"),
        **{f"compare_with.{name}": "names what is read" for name in ("namespace", "secret", "key")},
        **{f"consumers.{name}": "names what is read" for name in ("deployment", "namespace")},
        "copy_from": "names what is read; strategy says whether it is",
        "copy_from.namespace": "names what is read",
        "environment": "text inside a token that is made",
        "kubernetes_auth_mount": _PLACE,
        "kubernetes_audience": "a field of a login role that is written",
        "service_account": "a field of a login role that is written",
    },
    "k8s_deployment_env": {
        **dict.fromkeys(("namespace", "deployment", "container"), _PLACE),
        **{f"deployments.{name}": _PLACE for name in ("name", "namespace", "container")},
    },
    "vault_amazon_app_creds": {
        **dict.fromkeys(("vault_mount", "path"), _PLACE),
        **{
            f"document_keys.{name}": _PLACE for name in ("client_id", "client_secret", "application_id", "redirect_uri")
        },
        **{
            f"source_secret.keys.{name}": "names what is read"
            for name in ("client_id", "client_secret", "application_id", "redirect_uri")
        },
        **dict.fromkeys(("source_secret.namespace", "source_secret.name"), "names what is read"),
        **dict.fromkeys(
            ("secret_max_age_days", "secret_age_warning_days", "secret_age_critical_days"),
            "when an age is reported, which nothing repairs",
        ),
    },
    "amazon_tenant_connect": {
        **dict.fromkeys(("vault_mount", "app_path", "app_document_keys", "tenants_table", "tenant_columns"), _PLACE),
        "oauth_state_lifetime": "how old a state may be; whether a code with it is exchanged is varied",
        "amazon_seller_central": "part of an address that is shown",
    },
    "amazon_orders_backfill": {
        **dict.fromkeys(
            _words(
                """vault_mount app_path tenant_path app_document_keys tenant_document_keys tenants_table tenant_columns
                orders_table order_columns items_table item_columns"""
            ),
            _PLACE,
        ),
        "marketplace_id": _PLACE,
        "fresh_for": "how old a window may be; what is imported is varied",
        "wait_budget": "how long an import waits",
        "max_quarantine_ratio": "when an import gives up",
        "progress_interval": "how often a file is written that check mode does not write at all",
        "progress_file": "always given here, and looked at: check mode leaves it empty",
    },
    "environment_lease": {"namespace": _PLACE, "description": "text inside a Lease that is written"},
    "amazon_integration_info": {},
    "repair_plan": {
        "path": "the module's own file, which is looked at",
        **{f"environments.{name}": "what is written into the file" for name in ("name", "drift", "tenants", "servers")},
        "environments": "what is written into the file",
        "environments.error": "refuses to plan",
        **dict.fromkeys(("signing_key", "public_key"), "names a file that is read"),
        "max_age": "how old a plan may be",
    },
    "drift_report": {
        "history_table": "the report's home: it is written in check mode too, as the other files of the report are"
        " (tests/integration_lab/report)",
        "history_manage_schema": "makes that table, and needs history_table",
        "webhook_url": "an address that wants to be told; none of the servers that are repaired",
        **dict.fromkeys(("webhook_format", "webhook_ca_cert"), "need webhook_url"),
        **{f"ignore.{name}": "what counts" for name in ("id", "environment", "owner", "reason", "expires")},
        "ignore": "what counts",
        "fail_on": "what fails",
        **{
            f"environments.{name}": "what is reported"
            for name in ("name", "drift", "found", "tenants", "error", "git_fragment", "items_path")
        },
        "environments": "what is reported",
    },
}
