# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeated requests wait for nobody in these tests."""

from __future__ import annotations

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import repeat


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeat, "PAUSES", (0.0, 0.0))
