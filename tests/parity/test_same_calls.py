# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in this process is what ansible-playbook runs: the same modules in the same order with the same options.

A whole repair of a world in which everything is broken has every step and every variable of the playbook in it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lab import pieces
from lab.world import World
from tests.e2e.playbooks import PROJECT, Playbooks
from tests.parity.playbook import Play
from tests.parity.proof import Prover

# Where the action plugin of the real run follows the module's progress, and who a run is, which it draws.
OWN = {"progress_file", "holder"}

Shown = tuple[str, str, str, bool, dict[str, Any]]


def test_every_call_is_the_one_ansible_makes(world: World, prover: Prover, tmp_path: Path) -> None:
    pieces.break_pieces(world, [*pieces.ALL, *pieces.chosen(["token-policy", "token-role"])])
    record = tmp_path / "calls.jsonl"
    # Another name of the same Python: modules that run in a process of their own tell their options.
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    real = Playbooks(world.directory, tmp_path).repair(
        "-e",
        f"ansible_python_interpreter={python}",
        env={
            "PARITY_RECORD": str(record),
            "ANSIBLE_CALLBACK_PLUGINS": str(PROJECT / "tests" / "parity" / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "ANSIBLE_INJECT_INVOCATION": "true",
        },
    )
    assert real.code == 0, real.output

    world.amazon.refill()
    pieces.break_pieces(world, [*pieces.ALL, *pieces.chosen(["token-policy", "token-role"])])
    here = Play(world.directory, world.state["tenant"]).run()

    expected = [call for line in record.read_text().splitlines() if (call := _real(json.loads(line)))]
    made = [_shown(call.phase, call.step, call.module, call.check_mode, call.arguments) for call in here.calls]
    assert [call[:4] for call in made] == [call[:4] for call in expected]
    for call, same in zip(made, expected, strict=True):
        assert call == same


def _real(call: dict[str, Any]) -> Shown | None:
    includes = [step for step in call["chain"] if step["kind"] in {"IncludeRole", "TaskInclude"}]
    if call["module"] == "drift_report":
        return None
    step, phase = includes[0]["name"], includes[-1]["name"]
    return _shown(phase, step, call["module"], call["check_mode"], call["args"])


def _shown(phase: str, step: str, module: str, check_mode: bool, arguments: Any) -> Shown:
    plain = json.loads(json.dumps({name: value for name, value in arguments.items() if name not in OWN}))
    return (phase, step, module, check_mode, plain)
