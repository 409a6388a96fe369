# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module amazon_integration_info in the controller's own process where that is the same."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.keybuzz.amazon.plugins.plugin_utils._bytecode import Bytecode

with Bytecode():
    from ansible_collections.keybuzz.amazon.plugins.action.amazon_orders_backfill import plans
    from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_integration_info import answer
    from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.amazon_integration_info import OPTIONS
    from ansible_collections.keybuzz.amazon.plugins.plugin_utils._in_process import result_of

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    """The module, wherever it runs."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        result.update(result_of(self, answer, OPTIONS, task_vars))
        if self._task.check_mode:
            for line in plans("", {"tenants": (result.get("steps") or {}).get("amazon_orders") or {}}):
                display.display(line, stderr=True)
        return result
