# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Halts a playbook before a task, so that a test can change the world at exactly that moment."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: halt
type: notification
short_description: halts a playbook before a task
description:
  - Before the first task whose name is in the environment variable C(HALT_BEFORE) it makes the file C(HALT_HERE), and
    goes on when that file is gone.
"""

LONGEST = 60.0


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "halt"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._halted = False

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        if self._halted or task.name != os.environ["HALT_BEFORE"]:
            return
        self._halted = True
        here, end = Path(os.environ["HALT_HERE"]), time.monotonic() + LONGEST
        here.touch()
        while here.exists() and time.monotonic() < end:
            time.sleep(0.05)
