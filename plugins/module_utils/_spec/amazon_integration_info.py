# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options of the module amazon_integration_info: one for each step's module, and the connections once for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import argument_spec
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import AMAZON, KUBERNETES, POSTGRESQL, VAULT
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.steps import STEPS

OPTIONS: Mapping[str, Mapping[str, Any]] = argument_spec(
    VAULT,
    KUBERNETES,
    POSTGRESQL,
    AMAZON,
    {step.module: {"type": "dict", "no_log": False} for step in STEPS.values()},
    tenants={"type": "list", "elements": "str", "default": []},
    items_path={"type": "path"},
)
