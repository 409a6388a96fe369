# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's commands report instead of a traceback."""

from __future__ import annotations


class LabError(Exception):
    """A sentence for the person at the terminal: what is wrong, and what to type."""


class UsageError(LabError):
    """What was typed cannot be understood; the message lists what can be."""


class PartFailed(LabError):
    """A part of the lab did not come up or died; the message names it and its log."""
