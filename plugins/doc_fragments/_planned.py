# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  planned:
    description:
      - What may be written, as RV(keybuzz.amazon.repair_plan#module:apply) hands it out. Outside check mode nothing is
        written unless all that this call would write is in the list and has not moved; otherwise the task fails.
      - V([]) lets nothing be written. Without the option there is no plan to keep to.
    type: list
    elements: dict
    version_added: 0.3.0
"""
