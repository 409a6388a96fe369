# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down every call of a module of the collection: with what it was called, and from where in the playbook."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: recorder
type: notification
short_description: writes down every call of a module of the collection
description:
  - Appends one JSON line a call to the file that the environment variable C(PARITY_RECORD) names.
"""

COLLECTION = "keybuzz.amazon."


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record(result)

    def _record(self, result: Any) -> None:
        task = result._task
        action = task.resolved_action or task.action
        if not action.startswith(COLLECTION):
            return
        call = {
            "module": action.removeprefix(COLLECTION),
            "check_mode": bool(task.check_mode),
            "register": task.register,
            "args": result._result.get("invocation", {}).get("module_args"),
            "failed": bool(result._result.get("failed")),
            # From the task outwards: what has to hold for it to run, and what it is given.
            "chain": list(_chain(task)),
        }
        with Path(os.environ["PARITY_RECORD"]).open("a", encoding="utf-8") as record:
            record.write(json.dumps(call) + "\n")


def _chain(task: Any) -> Any:
    step = task
    while step is not None:
        place = getattr(step, "get_path", lambda: None)()
        yield {
            "kind": type(step).__name__,
            "name": step.get_name() if hasattr(step, "get_name") else "",
            "file": Path(place.rpartition(":")[0]).name if place else "",
            "when": [str(condition) for condition in step.when or ()],
            "vars": {name: str(value) for name, value in (step.vars or {}).items()},
            "loop": str(getattr(step, "loop", None) or ""),
        }
        step = step._parent
