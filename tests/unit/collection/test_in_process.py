# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's work in the controller's own process: only where that is the same, and with its secrets masked."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._secrets import forms
from ansible_collections.keybuzz.amazon.plugins.plugin_utils import _in_process
from ansible_collections.keybuzz.amazon.plugins.plugin_utils._in_process import LocalModule, plain, result_of

SECRET = 'CANARY-of-the-process+/="'
OPTIONS = {"token": {"type": "str", "no_log": True}, "days": {"type": "int", "default": 90}}


class Action:
    """What is used of an action plugin. A module of its own would answer ``elsewhere``."""

    def __init__(self, **args: Any) -> None:
        self._task = SimpleNamespace(args=args, async_val=0, environment=[{}], check_mode=True)
        self._connection = SimpleNamespace(transport="local", become=None)
        self._templar = SimpleNamespace(template=lambda value: value)

    def validate_argument_spec(self, argument_spec: Any, **_rules: Any) -> tuple[None, dict[str, Any]]:
        defaults = {name: spec.get("default") for name, spec in argument_spec.items()}
        return None, {**defaults, **self._task.args}

    def _execute_module(self, task_vars: Any) -> dict[str, Any]:
        return {"where": "elsewhere"}


def here(module: LocalModule) -> None:
    module.warn("careful")
    module.exit_json(where="here", days=module.params["days"], said=f"it was {module.params['token']}")


def run(action: Action, interpreter: Any = sys.executable) -> dict[str, Any]:
    found: dict[str, Any] = result_of(action, here, OPTIONS, {"ansible_python_interpreter": interpreter})  # type: ignore[arg-type]
    return found


def test_the_work_is_done_here_with_defaults_warnings_and_masked_secrets() -> None:
    found = run(Action(token=SECRET))
    assert (found["where"], found["days"], found["warnings"]) == ("here", 90, ["careful"])
    if not _in_process.MASKS_ITSELF:
        assert not any(form in str(found) for form in forms(SECRET))


def test_another_interpreter_connection_user_or_environment_is_a_process_of_its_own(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(os.path.realpath(sys.executable))
    for interpreter in (str(link), "/usr/bin/python4", None, "auto_silent"):
        assert run(Action(token=SECRET), interpreter) == {"where": "elsewhere"}
    for part, name, value in (
        ("_connection", "transport", "ssh"),
        ("_connection", "become", object()),
        ("_task", "async_val", 60),
        ("_task", "environment", [{"VAULT_ADDR": "https://elsewhere"}]),
    ):
        action = Action(token=SECRET)
        setattr(getattr(action, part), name, value)
        assert run(action) == {"where": "elsewhere"}, name


def test_work_that_fails_fails_the_task() -> None:
    def failing(module: LocalModule) -> None:
        module.fail_json(msg="no")

    found = result_of(Action(), failing, OPTIONS, {"ansible_python_interpreter": sys.executable})  # type: ignore[arg-type]
    assert found == {"msg": "no", "failed": True}


@pytest.mark.parametrize("value", ["text", 3, 2.5, True, None, b"raw"])
def test_values_become_pythons_own(value: Any) -> None:
    class Tagged(str):
        __slots__ = ()

    found = plain({"a": [value, Tagged("b")], Tagged("k"): (1,)})
    assert found == {"a": [value, "b"], "k": [1]}
    assert {type(key) for key in found} == {str} and type(found["a"][1]) is str
    assert type(found["a"][0]) is type(value)
