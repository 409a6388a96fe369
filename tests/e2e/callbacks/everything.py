# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints every result whole, as one JSON line, as a callback that stores results for good would."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: everything
type: stdout
short_description: prints every result whole
description:
  - Prints every result whole, as one JSON line.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "everything"

    def v2_on_any(self, *args: Any, **kwargs: Any) -> None:
        for one in args:
            result = getattr(one, "_result", None)
            if isinstance(result, dict):
                self._display.display(json.dumps(result, default=str))
