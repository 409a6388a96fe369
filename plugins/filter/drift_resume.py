# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: drift_resume
short_description: What a repair found, did and left
version_added: 0.2.0
author:
  - KeyBuzz (@keybuzz)
description:
  - Compares the drift items of the look before a repair with those of the look after it.
  - An action counts as done only where the second look finds the item in sync, or insecure as it was asked for.
positional: now
options:
  _input:
    description:
      - The items of the first look, as the collection's modules return them in RV(ignore:drift).
    type: list
    elements: dict
    required: true
  now:
    description:
      - The items of the last look.
    type: list
    elements: dict
    required: true
seealso:
  - plugin: keybuzz.amazon.drift_report
    plugin_type: module
"""

EXAMPLES = r"""
- name: What became of each step
  ansible.builtin.debug:
    msg: "{{ (repair_found | keybuzz.amazon.drift_resume(repair_drift)).steps }}"
"""

RETURN = r"""
_value:
  description: The rows of the résumé and the problems, in words.
  type: dict
  contains:
    steps:
      description: One row for each step, with RV(ignore:title), RV(ignore:found), RV(ignore:done) and RV(ignore:now).
      type: list
      elements: dict
      sample: [{title: Vault token of the backend, found: empty, done: updated, now: in sync}]
    problems:
      description:
        - One entry for each item that was not in sync, with RV(ignore:id), RV(ignore:address), RV(ignore:reason),
          RV(ignore:found), RV(ignore:done) and RV(ignore:now).
      type: list
      elements: dict
      sample: [{id: vault_token/secret, found: empty, done: updated, now: in_sync}]
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import parse_items
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.resume import problems, steps


def drift_resume(found: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    try:
        before, after = parse_items(found, "found"), parse_items(now, "now")
    except KeybuzzError as error:
        raise AnsibleFilterError(str(error)) from None
    return {
        "steps": [asdict(step) for step in steps(before, after)],
        "problems": [
            {
                "id": problem.item.id,
                "address": problem.item.address,
                "reason": problem.item.reason,
                "found": problem.item.status,
                "done": problem.done,
                "now": problem.now,
            }
            for problem in problems(before, after)
        ],
    }


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"drift_resume": drift_resume}
