# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options of the module amazon_tenant_connect, for itself and for the one that looks at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import argument_spec
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import (
    AMAZON,
    DOCUMENTS,
    ONE_OR_SEVERAL,
    PLANNED,
    POSTGRESQL,
    TENANTS,
    VAULT,
)

OPTIONS: Mapping[str, Mapping[str, Any]] = argument_spec(
    PLANNED,
    VAULT,
    POSTGRESQL,
    AMAZON,
    DOCUMENTS,
    TENANTS,
    depth={"type": "str", "choices": ["keys", "values"], "default": "values"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    refresh_token={"type": "str", "no_log": True, "fallback": (env_fallback, ["AMAZON_REFRESH_TOKEN"])},
    refresh_token_file={"type": "path", "no_log": False, "fallback": (env_fallback, ["AMAZON_REFRESH_TOKEN_FILE"])},
    authorization_code={"type": "str", "no_log": True, "fallback": (env_fallback, ["AMAZON_AUTHORIZATION_CODE"])},
    oauth_state={"type": "str", "no_log": False},
    oauth_state_lifetime={"type": "int", "default": 3600},
    marketplace_id={"type": "str"},
    seller_id={"type": "str"},
    seller_ids={"type": "dict", "default": {}},
    region={"type": "str"},
    amazon_seller_central={"type": "str"},
    draft_application={"type": "bool", "default": False},
    connected_status={"type": "str", "default": "CONNECTED"},
    disconnected_status={"type": "str", "default": "DISCONNECTED"},
    display_name={"type": "str"},
    owner={"type": "str"},
    create_row={"type": "bool", "default": False},
)
RULES: Mapping[str, Any] = ONE_OR_SEVERAL
