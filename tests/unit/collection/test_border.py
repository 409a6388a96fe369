# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The border to Ansible: what a failure looks like while looking and while repairing, and what is masked."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import Protect, argument_spec, run_module
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    KeybuzzError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._secrets import forms

SECRET = 'CANARY-of-the-border+/="'


class Exited(Exception):
    def __init__(self, result: dict[str, Any]) -> None:
        self.result = result


class FakeModule:
    """What run_module uses of AnsibleModule. Its exits raise, as the real ones end the process."""

    def __init__(self, *, check_mode: bool) -> None:
        self.check_mode = check_mode
        self.argument_spec: dict[str, dict[str, Any]] = {"token": {"no_log": True}, "path": {}}
        self.params = {"token": SECRET, "path": "/tmp/a"}
        self.no_log_values: set[str] = set()
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def exit_json(self, **result: Any) -> None:
        raise Exited(result)

    def fail_json(self, **result: Any) -> None:
        raise Exited({**result, "failed": True})


def answer(work: Any, *, check_mode: bool) -> dict[str, Any]:
    with pytest.raises(Exited) as exited:
        run_module(FakeModule(check_mode=check_mode), "vault_token", work)
    return exited.value.result


def failing(error: Exception) -> Any:
    def work(protect: Protect) -> Outcome:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnreachableError("reading", "x", "no answer", "Start it."), "unknown"),
        (ForbiddenError("reading", "x", "permission denied", "Grant read."), "blocked"),
    ],
)
def test_what_cannot_be_looked_at_is_an_item_in_check_mode_and_a_failure_in_a_repair(
    error: KeybuzzError, status: str
) -> None:
    looked = answer(failing(error), check_mode=True)
    assert "failed" not in looked and looked["changed"] is False
    assert [item["status"] for item in looked["drift"]] == [status]
    assert looked["verdict"] == "incomplete"
    repaired = answer(failing(error), check_mode=False)
    assert repaired["failed"] and repaired["msg"] == str(error)


def test_bad_input_fails_check_mode_too() -> None:
    error = BadInputError("reading option", "days", "-1 is no number of days", "Give a number above 0.")
    assert answer(failing(error), check_mode=True)["failed"]


def test_an_unforeseen_exception_shows_its_place_and_never_its_text() -> None:
    result = answer(failing(ValueError(f"could not parse {SECRET}")), check_mode=False)
    assert result["failed"] and "ValueError" in result["msg"] and "test_border.py" in result["msg"]
    assert not any(form in str(result) for form in forms(SECRET))


def test_every_item_that_was_applied_is_in_sync_in_what_remains() -> None:
    item = Item(
        "vault_token/secret", "x", "vault_token", "critical", "empty", "update", before="empty", after="present"
    )
    applied = answer(lambda _protect: Outcome((item,), changed=True), check_mode=False)
    assert [one["status"] for one in applied["remaining"]] == ["in_sync"] and applied["verdict"] == "in_sync"
    predicted = answer(lambda _protect: Outcome((item,), changed=True), check_mode=True)
    assert [one["status"] for one in predicted["remaining"]] == ["empty"] and predicted["verdict"] == "drift"
    assert predicted["diff"]["before"] == {"vault_token/secret": "empty"}


def test_secrets_are_masked_in_every_form_servers_repeat_them_in() -> None:
    assert {SECRET, base64.b64encode(SECRET.encode()).decode(), 'CANARY-of-the-border+/=\\"'} <= forms(SECRET)
    assert "CANARY-of-the-border%2B%2F%3D%22" in forms(SECRET)


def test_an_option_given_by_two_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="token is defined twice"):
        argument_spec({"token": {}}, token={"type": "str"})
