# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options of the module vault_amazon_app_creds, for itself and for the one that looks at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import argument_spec
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import AMAZON, KUBERNETES, PLANNED, VAULT


def key_names(defaults: dict[str, str]) -> dict[str, object]:
    """A dict option with the name of a key for each field."""
    options = {field: {"type": "str", "default": key, "no_log": False} for field, key in defaults.items()}
    return {"type": "dict", "options": options, "apply_defaults": True, "no_log": False}


DOCUMENT_KEYS = {
    "client_id": "client_id",
    "client_secret": "client_secret",
    "application_id": "application_id",
    "redirect_uri": "redirect_uri",
    "region": "region",
}
SECRET_KEYS = {field: f"AMAZON_SPAPI_{field.upper()}" for field in DOCUMENT_KEYS}

OPTIONS: Mapping[str, Mapping[str, Any]] = argument_spec(
    PLANNED,
    VAULT,
    KUBERNETES,
    AMAZON,
    vault_mount={"type": "str", "default": "secret"},
    path={"type": "str", "default": "keybuzz/amazon_spapi/app"},
    document_keys=key_names(DOCUMENT_KEYS),
    source_secret={
        "type": "dict",
        "no_log": False,
        "options": {
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str", "default": "amazon-spapi-creds"},
            "keys": key_names(SECRET_KEYS),
        },
    },
    client_id={"type": "str", "no_log": True, "fallback": (env_fallback, ["AMAZON_CLIENT_ID"])},
    client_secret={"type": "str", "no_log": True, "fallback": (env_fallback, ["AMAZON_CLIENT_SECRET"])},
    application_id={"type": "str"},
    redirect_uri={"type": "str"},
    region={"type": "str"},
    verify={"type": "str", "choices": ["lwa", "none"], "default": "lwa"},
    depth={"type": "str", "choices": ["keys", "values"], "default": "values"},
    client_secret_since={"type": "str", "no_log": False},
    secret_max_age_days={"type": "int", "default": 180, "no_log": False},
    secret_age_warning_days={"type": "int", "default": 30, "no_log": False},
    secret_age_critical_days={"type": "int", "default": 7, "no_log": False},
)
RULES: Mapping[str, Any] = {}
