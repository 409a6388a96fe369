# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A module's work in the controller's own process, where that is the same as in a process of its own.

Packing a module, starting Python and compiling what it imports takes some seconds of every task that only asks a few
servers for a few objects (``make bench-noop``). The code is the module's own; this is only how it is called.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import secret_values
from ansible_collections.keybuzz.amazon.plugins.module_utils._secrets import protect

MASKS_ITSELF = importlib.util.find_spec("ansible.module_utils.secrets") is not None
"""From ansible-core 2.22 on what it was told of is masked wherever it is shown."""


class Answered(Exception):
    """The work has answered; a module of its own would end here."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        super().__init__()
        self.result = dict(result)


class LocalModule:
    """What the collection's modules use of :class:`AnsibleModule`. Its exits raise :class:`Answered`."""

    def __init__(self, options: Mapping[str, Any], params: Mapping[str, Any], *, check_mode: bool) -> None:
        self.argument_spec = options
        self.params = params
        self.check_mode = check_mode
        self.no_log_values: set[str] = set()
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        """Show a warning beside the result."""
        self.warnings.append(text)

    def exit_json(self, **result: Any) -> None:
        """End well."""
        raise Answered(result)

    def fail_json(self, **result: Any) -> None:
        """Fail."""
        raise Answered({**result, "failed": True})


def result_of(
    action: ActionBase,
    answer: Callable[[Any], None],
    options: Mapping[str, Any],
    task_vars: Mapping[str, Any] | None,
    **rules: Any,
) -> dict[str, Any]:
    """What the module of this task answers, in this process if it can be and else in one of its own.

    :param answer: the module's work. It takes the module object.
    :param options: its argument spec.
    :param rules: what :class:`AnsibleModule` takes beside that, such as ``required_if``.
    """
    if _can_run_here(action, task_vars or {}):
        return _run_here(action, answer, options, **rules)
    result: dict[str, Any] = action._execute_module(task_vars=task_vars)
    return result


def _can_run_here(action: ActionBase, task_vars: Mapping[str, Any]) -> bool:
    """Whether the module would run on this machine, as this user, with this Python and this environment."""
    interpreter = action._templar.template(task_vars.get("ansible_python_interpreter"))
    return (
        action._connection.transport == "local"
        and not getattr(action._connection, "become", None)
        and not action._task.async_val
        and not any(action._task.environment or ())
        and isinstance(interpreter, str)
        # By its name: another environment's link to the same Python has other libraries.
        and os.path.normpath(interpreter) == os.path.normpath(sys.executable)
    )


def _run_here(
    action: ActionBase, answer: Callable[[Any], None], options: Mapping[str, Any], **rules: Any
) -> dict[str, Any]:
    """The module's result with its secrets masked."""
    module = LocalModule(options, _checked(action, options, rules), check_mode=action._task.check_mode)
    protect(module, secret_values(options, module.params))
    result = _answered(answer, module)
    if module.warnings:
        result["warnings"] = module.warnings
    return result if MASKS_ITSELF else remove_values(result, module.no_log_values)


def _answered(answer: Callable[[Any], None], module: LocalModule) -> dict[str, Any]:
    try:
        answer(module)
    except Answered as answered:
        return answered.result
    raise AssertionError("a module answers")


def _checked(action: ActionBase, options: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """The task's arguments as a module would have them. In Python's own types, of which a long list is copied fast.

    :raises AnsibleActionFail: one of them cannot be.
    """
    result = ArgumentSpecValidator(dict(options), **rules).validate(plain(action._task.args))
    if result.error_messages:
        raise AnsibleActionFail(f"arguments of {action._task.action}: {result.errors.msg}", obj=action._task.args)
    params: dict[str, Any] = result.validated_parameters
    return params


def plain(value: Any) -> Any:
    """The same in Python's own types: what Ansible's templates hand out carries where it came from."""
    if isinstance(value, Mapping):
        return {plain(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    for kind in (str, bytes, bool, int, float):
        if isinstance(value, kind):
            return kind(value) if kind is not str else "".join([value])
    return value
