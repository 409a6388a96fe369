# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options of the module amazon_orders_backfill, for itself and for the one that looks at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    parallel={"type": "int", "default": 100},
    mode={"type": "str", "choices": ["backfill", "catch_up", "reconcile", "replay", "purge"], "default": "backfill"},
    retention_days={"type": "int"},
    overlap={"type": "int", "default": 600},
    max_lag={"type": "int", "default": 900},
    marketplace_id={"type": "str"},
    days={"type": "int", "default": 90},
    until={"type": "str"},
    fresh_for={"type": "int", "default": 86400},
    source={"type": "str", "choices": ["auto", "search", "report", "v0"], "default": "auto"},
    expected_orders={"type": "int"},
    page_size={"type": "int", "default": 100},
    wait_budget={"type": "float", "default": 3600},
    max_quarantine_ratio={"type": "float", "default": 0.05},
    lock={"type": "str", "choices": ["auto", "session", "heartbeat"], "default": "auto"},
    restart={"type": "bool", "default": False},
    manage_schema={"type": "bool", "default": False},
    orders_table={"type": "str", "default": "orders"},
    order_columns={"type": "dict", "default": {}},
    items_table={"type": "str", "default": "order_items"},
    item_columns={"type": "dict", "default": {}},
    errors_table={"type": "str", "default": "order_import_errors"},
    runs_table={"type": "str", "default": "amazon_backfill_runs"},
    quota_table={"type": "str", "default": "amazon_quota"},
    progress_interval={"type": "float", "default": 10},
    progress_file={"type": "path"},
)
RULES: Mapping[str, Any] = {
    **ONE_OR_SEVERAL,
    "required_if": [("mode", "purge", ("retention_days",))],
}
