# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options of one environment of the inventory plugin tenants, by where its tenants come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import argument_spec
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import DOCUMENTS, POSTGRESQL, TENANTS, VAULT

_EITHER: Mapping[str, Mapping[str, Any]] = {"allow_empty": {"type": "bool", "default": False}}

OPTIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "postgresql": argument_spec(
        POSTGRESQL,
        _EITHER,
        tenants_table=TENANTS["tenants_table"],
        tenant_columns=TENANTS["tenant_columns"],
        statuses={"type": "list", "elements": "str", "default": []},
        owner={"type": "str"},
    ),
    "vault": argument_spec(
        VAULT,
        _EITHER,
        vault_mount=DOCUMENTS["vault_mount"],
        tenant_path=DOCUMENTS["tenant_path"],
    ),
}

VARIABLES: Mapping[str, str] = {
    **{
        name: name
        for name in (
            "pg_host",
            "pg_port",
            "pg_dbname",
            "pg_user",
            "pg_passfile",
            "pg_sslmode",
            "pg_sslrootcert",
            "tenants_table",
            "tenant_columns",
            "vault_addr",
            "vault_ca_cert",
            "vault_namespace",
            "vault_token_file",
            "vault_mount",
        )
    },
    "tenant_path": "vault_tenant_path",
}
"""Variables of the roles that say the same as an option here. None of them is a secret."""
VAULT_OPTIONS = (
    "vault_auth_method",
    "vault_auth_mount",
    "vault_auth_role",
    "vault_role_id",
    "vault_secret_id_file",
    "vault_jwt_file",
    "vault_ca_pem",
    "vault_timeout",
    "vault_kv_version",
)
"""Those that the roles take together, in their variable vault_options."""
