# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options of the module drift_report, for itself and for its work in the controller's own process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import POSTGRESQL

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    # Asked for only where the history is a table.
    **{name: {**spec, "required": False} for name, spec in POSTGRESQL.items()},
    "history_table": {"type": "str"},
    "history_manage_schema": {"type": "bool", "default": False},
    "environments": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "drift": {"type": "list", "elements": "dict", "default": []},
            "items_path": {"type": "path"},
            "found": {"type": "list", "elements": "dict", "default": []},
            "tenants": {"type": "list", "elements": "str", "default": []},
            "error": {"type": "str"},
            "git_fragment": {"type": "str"},
        },
    },
    "mode": {"type": "str", "choices": ["audit", "check", "repair"], "default": "audit"},
    "path": {"type": "path"},
    "html_path": {"type": "path"},
    "junit_path": {"type": "path"},
    "prometheus_path": {"type": "path"},
    "sarif_path": {"type": "path"},
    "repair_path": {"type": "path"},
    "repair_text": {"type": "str"},
    "history_path": {"type": "path"},
    "webhook_url": {
        "type": "str",
        "no_log": True,
        "fallback": (env_fallback, ["KEYBUZZ_WEBHOOK_URL"]),
    },
    "webhook_format": {"type": "str", "choices": ["generic", "slack"], "default": "generic"},
    "webhook_ca_cert": {"type": "path"},
    "ignore": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "id": {"type": "str", "required": True},
            "environment": {"type": "str", "default": "*"},
            "owner": {"type": "str", "required": True},
            "reason": {"type": "str", "required": True},
            "expires": {"type": "str", "required": True},
        },
    },
    "fail_on": {"type": "str", "choices": ["never", "incomplete", "critical", "any"], "default": "never"},
}
RULES: Mapping[str, Any] = {
    "mutually_exclusive": [("history_path", "history_table")],
    "required_together": [("repair_path", "repair_text")],
    "required_by": {"history_table": ("pg_host", "pg_dbname", "pg_user")},
}
