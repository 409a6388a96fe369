# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of Vault's answers about a token, where the lab's server cannot be brought to give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import vault_token_intent
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_ask import (
    ask,
    proof,
    vouched_accessor,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_generator import generator
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import capabilities, kubernetes_auth
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import Answer, VaultClient
from hypothesis import given
from hypothesis import strategies as st


class Scripted(VaultClient):
    """A client whose server answers as told. Every request is kept."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers, self.asked = answers, []  # type: ignore[var-annotated]

    def acting_as(self, token: str) -> VaultClient:
        return self

    def request(self, method: str, path: str, **options: Any) -> Answer:
        self.asked.append(path)
        return self.answers[path]

    def url(self, path: str) -> str:
        return path


def test_vaults_own_word_for_a_token_that_it_does_not_know_needs_no_further_question() -> None:
    # HashiCorp Vault has it; OpenBao has no such word.
    errors = ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]
    vault = Scripted({"auth/token/lookup-self": Answer(403, {"errors": errors})})
    answer = ask(vault, "hvs.CANARY")
    assert (answer.token, answer.doubt) == (None, "")
    assert vault.asked == ["auth/token/lookup-self"]


@pytest.mark.parametrize("wrap", [lambda told: {"data": told}, lambda told: told])
def test_capabilities_are_read_where_either_server_puts_them(wrap: Callable[[Any], Any]) -> None:
    vault = Scripted({capabilities.PATH: Answer(200, wrap({"a": ["read", "sudo"], "b": ["deny"]}))})
    assert capabilities.held(vault, ("a", "b", "c")) == {"a": {"read", "sudo"}, "b": {"deny"}, "c": set()}


@pytest.mark.parametrize(
    ("held", "allowed"),
    [
        (["update"], True),
        (["root"], True),
        (["deny"], False),
        (["read"], False),
        ([], False),
        (["update", "deny"], False),
    ],
)
def test_root_stands_for_all_and_deny_for_none(held: list[str], allowed: bool) -> None:
    assert capabilities.allows(held, ("update",)) is allowed


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(200, {"data": {"kubernetes_host": "https://x"}}), "configured"),
        (Answer(200, {"data": {"oidc_discovery_url": "https://x"}}), "foreign"),
        (Answer(404, {"errors": []}), "empty"),
        (Answer(404, {"errors": ["1 error occurred:\n\t* unsupported path\n\n"]}), "foreign"),
    ],
)
def test_an_auth_method_is_known_by_its_configuration(answer: Answer, state: str) -> None:
    vault = Scripted({"auth/clusters/dev/config": answer})
    assert kubernetes_auth.read_mount(vault, "/clusters/dev/") == state


def secret(**annotations: str) -> SecretState:
    return SecretState(
        "ns", "s", exists=True, annotations={f"amazon.keybuzz.io/{k}": v for k, v in annotations.items()}
    )


def test_an_accessor_is_vouched_for_only_with_the_very_token_it_was_stored_with() -> None:
    noted = {"accessor": "a", "checksum-key": "key", "token-proof": proof("key", "token", "a")}
    assert vouched_accessor(secret(**noted), "token") == "a"
    assert vouched_accessor(secret(**noted), "another") is None
    for changed in ({"accessor": "b"}, {"checksum-key": "other"}, {"token-proof": ""}):
        assert vouched_accessor(secret(**{**noted, **changed}), "token") is None
    assert vouched_accessor(secret(), "token") is None


def test_a_mark_is_read_as_it_was_written() -> None:
    two = (vault_token_intent.new_intent(), vault_token_intent.new_intent())
    assert vault_token_intent.read(vault_token_intent.written(two)) == two
    assert vault_token_intent.written(()) is None
    assert vault_token_intent.read(None) == ()


@given(st.text(max_size=60))
def test_whatever_stands_in_a_mark_can_be_read(text: str) -> None:
    for intent in vault_token_intent.read(text):
        assert intent.since.tzinfo is not None


def test_an_old_mark_is_not_waited_for() -> None:
    old = vault_token_intent.Intent(datetime.now(UTC) - timedelta(minutes=5), "x")

    def never() -> str | None:
        raise AssertionError("nobody looks again")

    vault_token_intent.wait_for_a_living_run((old,), never)


def test_a_secret_that_nobody_generates_has_no_source() -> None:
    assert generator(secret()) is None
    owned = {"ownerReferences": [{"kind": "Deployment", "name": "x"}]}
    assert generator(SecretState("ns", "s", exists=True, metadata=owned)) is None


def test_a_manager_that_once_wrote_a_label_does_not_generate_the_data() -> None:
    fields = {"f:metadata": {"f:labels": {}}}
    entry = {"manager": "externalsecrets.external-secrets.io/gone", "fieldsV1": fields}
    assert generator(SecretState("ns", "s", exists=True, metadata={"managedFields": [entry]})) is None
    entry["fieldsV1"] = {"f:data": {"f:VAULT_TOKEN": {}}}
    found = generator(SecretState("ns", "s", exists=True, metadata={"managedFields": [entry]}))
    assert found is not None
    assert found.source == "ExternalSecret ns/gone"
