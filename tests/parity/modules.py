# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module of the collection in this process: its own file with its own ``main()``, only not in a new Python.

A start of Ansible and of a Python costs a second a task; two hundred and fifty-six combinations have thousands.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any
from unittest import mock

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.keybuzz.amazon.plugins.modules"


class _Ended(BaseException):
    """The module has answered. Not an Exception: the module must not be able to catch it."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


def run(module: str, arguments: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The module's result, with ``failed``; its warnings under ``warnings``, and all its options under ``options``."""
    program = importlib.import_module(f"{MODULES}.{module}")
    warnings: list[str] = []
    given = {**arguments, "_ansible_check_mode": check_mode, "_ansible_diff": True}
    with (
        patch_module_args(given),
        mock.patch.object(AnsibleModule, "exit_json", _exit),
        mock.patch.object(AnsibleModule, "fail_json", _fail),
        mock.patch.object(AnsibleModule, "warn", lambda _module, text, **_: warnings.append(str(text))),
    ):
        try:
            program.main()
        except _Ended as ended:
            return {**ended.result, "warnings": warnings}
    raise AssertionError(f"{module} ended without an answer")


def _exit(module: AnsibleModule, **result: Any) -> None:
    raise _Ended({"failed": False, **result, "options": module.params})


def _fail(module: AnsibleModule, msg: str, **result: Any) -> None:
    raise _Ended({**result, "failed": True, "msg": msg, "options": module.params})
