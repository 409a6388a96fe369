# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options of the module vault_token_secret, for itself and for the one that looks at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import argument_spec
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import KUBERNETES, PLANNED, VAULT

PLACE: Mapping[str, Any] = {
    "namespace": {"type": "str", "required": True},
    "secret": {"type": "str", "default": "vault-token", "no_log": False},
    "key": {"type": "str", "default": "VAULT_TOKEN", "no_log": False},
}

OPTIONS: Mapping[str, Mapping[str, Any]] = argument_spec(
    PLANNED,
    VAULT,
    KUBERNETES,
    strategy={"type": "str", "choices": ["scoped", "copy"], "default": "scoped"},
    namespace={"type": "str", "default": "keybuzz-backend-dev"},
    secret={"type": "str", "default": "vault-token", "no_log": False},
    key={"type": "str", "default": "VAULT_TOKEN", "no_log": False},
    vault_mount={"type": "str", "default": "secret"},
    app_path={"type": "str", "default": "keybuzz/amazon_spapi/app"},
    tenant_path_pattern={"type": "str", "default": "keybuzz/tenants/+/amazon_spapi"},
    policy_name={"type": "str"},
    policy={"type": "str"},
    token_role={"type": "str", "no_log": False},
    token_period={"type": "str", "default": "168h", "no_log": False},
    renew_below={"type": "str"},
    copy_from={"type": "dict", "options": PLACE},
    compare_with={"type": "list", "elements": "dict", "options": PLACE},
    environment={"type": "str"},
    vault_bootstrap_token={"type": "str", "no_log": True, "fallback": (env_fallback, ["VAULT_BOOTSTRAP_TOKEN"])},
    vault_bootstrap_token_file={
        "type": "path",
        "no_log": False,
        "fallback": (env_fallback, ["VAULT_BOOTSTRAP_TOKEN_FILE"]),
    },
    superseded={"type": "str", "choices": ["keep", "revoke"], "default": "keep"},
    consumers={
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"deployment": {"type": "str", "required": True}, "namespace": {"type": "str"}},
    },
    auth_mode={"type": "str", "choices": ["token", "kubernetes"], "default": "token"},
    service_account={"type": "str"},
    kubernetes_auth_mount={"type": "str", "default": "kubernetes"},
    kubernetes_auth_role={"type": "str"},
    kubernetes_audience={"type": "str"},
)
RULES: Mapping[str, Any] = {
    "required_if": [("strategy", "copy", ["copy_from"]), ("auth_mode", "kubernetes", ["service_account"])],
}
