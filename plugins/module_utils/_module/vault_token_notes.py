# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The annotations that the Secret carries beside the token."""

from __future__ import annotations

PREFIX = "amazon.keybuzz.io/"
ACCESSOR = f"{PREFIX}accessor"
"""Of the token that was put there last: names it without being it."""
SUPERSEDED_ACCESSOR = f"{PREFIX}superseded-accessor"
"""Of those that were replaced and not revoked yet, with commas between them."""
CHECKSUM_KEY = f"{PREFIX}checksum-key"
"""Random, drawn once: for marks that tell whether the data changed."""
PROOF = f"{PREFIX}token-proof"
"""Ties ACCESSOR to the token."""
INTENT = f"{PREFIX}token-intent"
"""A run that is making a token, or that was interrupted while it did."""
