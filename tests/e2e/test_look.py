# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at every step in one call: what it costs, and that it says the same wherever it runs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.noop.__main__ import MOST_CALLS
from tests.e2e.calls import calls_of
from tests.e2e.conftest import Lab
from tests.e2e.evidence import Evidence
from tests.e2e.playbooks import Playbooks, Run


def test_an_audit_with_nothing_to_report_asks_for_each_object_once(
    healthy: Lab, evidence: Evidence, playbooks: Playbooks
) -> None:
    mark = evidence.mark()
    audit = playbooks.audit()
    assert audit.code == 0, audit.output
    asked = [*evidence.vault_requests(mark), *evidence.kubernetes_requests(mark)]
    assert len(asked) == len(set(asked)), asked
    # Somebody else, which is the lab here, may have written the Secret: then the pods are listed once, as the proof of
    # when they started. `make bench-noop` counts in a lab where nobody has.
    pods = sum(one.startswith("list /api/v1/namespaces/keybuzz-backend-dev/pods?") for one in asked)
    assert calls_of(evidence, mark).within(replace(MOST_CALLS, kubernetes=MOST_CALLS.kubernetes + pods)), asked


@pytest.fixture
def own_process(tmp_path: Path) -> tuple[str, ...]:
    """Another name of the same Python: the controller cannot know that it is the same."""
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    wrapper.chmod(0o755)
    return ("-e", f"ansible_python_interpreter={wrapper}")


def told(run: Run) -> list[dict[str, object]]:
    """What items say, without fingerprints, which are keyed for a run."""
    named = ("id", "address", "severity", "status", "action", "reason", "hint", "depends_on", "precondition")
    return [{name: item[name] for name in named} for item in run.items()]


@pytest.mark.parametrize("pieces", [(), ("all",)], ids=["healthy", "broken"])
def test_a_look_says_the_same_in_the_controllers_process_and_in_one_of_its_own(
    healthy: Lab, playbooks: Playbooks, own_process: tuple[str, ...], pieces: tuple[str, ...]
) -> None:
    if pieces:
        healthy("break", *pieces)
    here, there = playbooks.audit("-vvv"), playbooks.audit("-vvv", *own_process)
    assert "AnsiballZ_amazon_integration_info" not in here.output
    assert "AnsiballZ_amazon_integration_info" in there.output
    assert here.code == there.code == (2 if pieces else 0)
    # Pods that do not come up have failed after a while.
    later = {"backend_access/rollout"}
    assert [item for item in told(here) if item["id"] not in later] == [
        item for item in told(there) if item["id"] not in later
    ]


def test_an_option_that_cannot_be_fails_the_look_and_names_the_module_that_knows_it(
    healthy: Lab, playbooks: Playbooks
) -> None:
    run = playbooks.audit("-e", "vault_token_strategy=copyy")
    assert run.code == 2
    said = " ".join(run.output.split())
    assert "value of strategy must be one of: scoped, copy, got: copyy" in said
    assert "ansible-doc keybuzz.amazon.vault_token_secret" in said
