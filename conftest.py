# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the checkout importable as ``ansible_collections.keybuzz.amazon`` and ``lab`` in every test."""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).parent
for folder in (PROJECT, PROJECT / ".collections"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
