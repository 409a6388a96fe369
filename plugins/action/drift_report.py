# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module drift_report and shows its table as lines, whatever the callback does with results."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.keybuzz.amazon.plugins.plugin_utils._bytecode import Bytecode

with Bytecode():
    from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import answer
    from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.drift_report import OPTIONS, RULES
    from ansible_collections.keybuzz.amazon.plugins.plugin_utils._in_process import result_of

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    """The module, wherever it runs."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        result.update(result_of(self, answer, OPTIONS, task_vars, **RULES))
        for line in result.pop("lines", []):
            display.display(line)
        if result.get("failed"):
            # A failed task prints its result: what the lines have said already is not said again as data.
            for said in ("counts", "environments", "fails_on", "since_last", "verdict_line"):
                result.pop(said, None)
        return result
