# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the checkout is, and the folder that has ansible_collections/keybuzz/amazon in it."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parents[2]
# Under ansible-test the files lie where those of a collection do.
COLLECTIONS = PROJECT / ".collections" if (PROJECT / ".collections").is_dir() else PROJECT.parents[2]
