# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module answers Ansible when it fails, and what is masked."""

from __future__ import annotations

import base64
from typing import Any, NoReturn

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import run_module
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._secrets import forms

CANARY = "CANARY+/="


class Answered(Exception):
    """Ends the module as ``exit_json`` and ``fail_json`` do."""

    def __init__(self, failed: bool, result: dict[str, Any]) -> None:
        super().__init__()
        self.failed, self.result = failed, result


class Module:
    """The part of AnsibleModule that is called."""

    def __init__(self, *, check_mode: bool, token: str = CANARY) -> None:
        self.check_mode, self.params = check_mode, {"token": token}
        self.argument_spec = {"token": {"no_log": True}}
        self.no_log_values: set[str] = set()

    def exit_json(self, **result: Any) -> NoReturn:
        raise Answered(False, result)

    def fail_json(self, **result: Any) -> NoReturn:
        raise Answered(True, result)


def answer(error: Exception, *, check_mode: bool, **given: str) -> Answered:
    def work(protect: object) -> Outcome:
        raise error

    with pytest.raises(Answered) as caught:
        run_module(Module(check_mode=check_mode, **given), "vault_token", work)
    return caught.value


@pytest.mark.parametrize("error", [UnreachableError, BadInputError])
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_failure_has_the_keys_of_every_answer(error: type[Exception], check_mode: bool) -> None:
    got = answer(error("reading", "x", "refused", "Try again."), check_mode=check_mode)
    assert got.failed is not (check_mode and error is UnreachableError)
    assert got.result["drift"] == got.result["remaining"]
    assert got.result["drift"][0]["id"] == "vault_token/could-not-check"
    assert got.result["verdict"] in {"error", "incomplete"}


def test_what_nobody_foresaw_is_told_by_its_place_and_not_by_its_text() -> None:
    got = answer(RuntimeError(CANARY), check_mode=True)
    assert got.failed
    assert "Unexpected RuntimeError" in got.result["msg"]
    assert CANARY not in repr(got.result)
    assert got.result["verdict"] == "error"


def test_bytes_of_the_environment_that_are_no_text_can_be_masked() -> None:
    raw = b"CANARY\xff"
    assert base64.b64encode(raw).decode() in forms(raw.decode(errors="surrogateescape"))
    assert answer(RuntimeError(), check_mode=True, token="CANARY\udcff").failed
