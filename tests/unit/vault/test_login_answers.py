# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers to a login that the lab's server does not give: older words, other servers, a second factor, nothing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import Answer, VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.login import Login, LoginRefusedError

CANARY = "CANARYthatNobodyMaySee"
LOGIN = Login("kubernetes", "k8s", {"jwt": CANARY, "role": "backend"})


class Answering(VaultClient):
    """A client whose server gives one answer to everything."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__("https://vault.example", None)
        self.answer = Answer(status, body)

    def _send(self, *_: Any, **__: Any) -> Answer:
        return self.answer


def failure(status: int, body: dict[str, Any]) -> KeybuzzError:
    with pytest.raises(KeybuzzError) as caught:
        Answering(status, body).logged_in(LOGIN, lambda secrets: None)
    assert CANARY not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "said", "answered"),
    [
        (404, 'no handler for route "auth/k8s/login"', "no auth method is mounted there"),
        (400, "could not load configuration", "mounted there and not configured"),
        (400, f"invalid role ID {CANARY}", "the role id is not accepted"),
        (400, 'source address "10.0.0.1" unauthorized through CIDR restrictions', "address is not one the role allows"),
        (403, "service account name not authorized", "does not allow this service account"),
        (403, "namespace not authorized", "service account's namespace"),
        (400, 'invalid role name "backend"', "the role is not one of this auth method"),
        (500, f"error validating token {CANARY}", "is not valid"),
        (403, "permission denied", "refuses the kubernetes login at auth/k8s"),
        (500, f"something else {CANARY}", "refuses the kubernetes login at auth/k8s"),
    ],
)
def test_each_refusal_has_its_words_and_repeats_nothing(status: int, said: str, answered: str) -> None:
    error = failure(status, {"errors": [said]})
    assert isinstance(error, LoginRefusedError)
    assert answered in str(error)
    assert f"(HTTP {status})" in str(error)


@pytest.mark.parametrize("body", [{}, {"auth": None}, {"auth": {"client_token": ""}}, {"auth": [CANARY]}])
def test_an_answer_without_a_token_is_no_login(body: dict[str, Any]) -> None:
    assert isinstance(failure(200, body), UnexpectedAnswerError)


def test_a_second_factor_is_named() -> None:
    error = failure(200, {"auth": {"client_token": "", "mfa_requirement": {"mfa_request_id": CANARY}}})
    assert "the server wants a second factor" in str(error)


def test_an_engine_that_upgrades_itself_is_said_to_do_so() -> None:
    upgrading = "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period"
    with pytest.raises(KeybuzzError, match="upgrading itself to version 2") as caught:
        kv.read(Answering(400, {"errors": [upgrading]}), "secret", "app")
    assert caught.value.status == "unknown"
