# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each object against the argument specification of the module that takes it, in awx.awx itself.

Run as a program it is in the environment that has awx.awx: it reads ``{module: [options]}`` and writes what is wrong.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def problems(programs: Path, calls: dict[str, list[dict[str, Any]]]) -> list[str]:
    """What awx.awx would refuse, as ``module name: message``.

    :param programs: bin folder of an environment with awx.awx.
    :param calls: options of each call, by module.
    """
    finished = subprocess.run(
        [str(programs / "python"), str(Path(__file__))],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: list[str] = json.loads(finished.stdout)
    return found


class Captured(Exception):  # no error: what a module's main() was after
    """The options that a module would have read."""

    def __init__(self, argument_spec: dict[str, Any], rules: dict[str, Any]) -> None:
        self.argument_spec = argument_spec
        self.rules = rules


def _specification(module: str) -> Captured:
    api = importlib.import_module("ansible_collections.awx.awx.plugins.module_utils.controller_api")
    place: Any = importlib.import_module(f"ansible_collections.awx.awx.plugins.modules.{module}")

    class Instead:
        def __init__(self, argument_spec: dict[str, Any], **rules: Any) -> None:
            raise Captured({**api.ControllerModule.AUTH_ARGSPEC, **argument_spec}, rules)

    place.ControllerAPIModule = Instead
    try:
        place.main()
    except Captured as captured:
        return captured
    raise AssertionError(f"{module} has no argument specification")


def _refused(calls: dict[str, list[dict[str, Any]]]) -> list[str]:
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    found = []
    for module, items in calls.items():
        captured = _specification(module)
        validator = ArgumentSpecValidator(captured.argument_spec, **captured.rules)
        for item in items:
            name = item.get("name") or item.get("identifier")
            found += [f"{module} {name}: {message}" for message in validator.validate(item).error_messages]
    return found


if __name__ == "__main__":
    json.dump(_refused(json.load(sys.stdin)), sys.stdout)
