# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies and roles compared by what they mean; durations; the backend's own policy."""

from __future__ import annotations

import re

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import is_well_formed
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.policy import role_differences, same_policy
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.token import (
    default_backend_policy,
    default_token_role,
    seconds,
)
from hypothesis import given
from hypothesis import strategies as st

POLICY = default_backend_policy("secret", "keybuzz/amazon_spapi/app", "keybuzz/tenants/+/amazon_spapi")


def test_the_backends_policy_reads_the_amazon_documents_and_keeps_its_own_token_alive() -> None:
    assert re.findall(r'path "([^"]+)" \{ capabilities = \["([a-z]+)"\] \}', POLICY) == [
        ("secret/data/keybuzz/amazon_spapi/app", "read"),
        ("secret/data/keybuzz/tenants/+/amazon_spapi", "read"),
        ("secret/metadata/keybuzz/tenants/+/amazon_spapi", "read"),
        ("auth/token/lookup-self", "read"),
        ("auth/token/renew-self", "update"),
    ]


def test_for_an_engine_of_version_1_the_policy_names_its_paths() -> None:
    text = default_backend_policy("kv/", "app", "tenants/+/x", kv_version=1)
    assert re.findall(r'path "([^"]+)"', text) == [
        "kv/app",
        "kv/tenants/+/x",
        "auth/token/lookup-self",
        "auth/token/renew-self",
    ]


@pytest.mark.parametrize(
    "other",
    [
        POLICY.replace("\n", "\r\n\r\n"),
        "# the backend\n" + POLICY,
        POLICY + "// end\n",
        "/* of\nKeyBuzz */" + POLICY.replace(" { ", "{\n\t").replace(" }", "\n}"),
    ],
)
def test_space_and_comments_make_no_difference(other: str) -> None:
    assert same_policy(POLICY, other)


@pytest.mark.parametrize(
    "other",
    [
        POLICY.replace('"read"', '"read", "list"', 1),
        POLICY.replace("tenants/+", "tenants/*"),
        POLICY + 'path "secret/*" { capabilities = ["read"] }',
        POLICY.replace("secret/data", "secret/ data"),
        POLICY.replace("secret/data/keybuzz", 'secret/data//keybuzz" # "', 1),
        "",
    ],
)
def test_anything_else_does(other: str) -> None:
    assert not same_policy(POLICY, other)


@given(st.text(alphabet=' \n\t#/*"\\ab', max_size=40))
def test_a_policy_is_always_the_same_as_itself_between_other_lines(text: str) -> None:
    assert same_policy(text, text)
    assert same_policy(text, "\n" + text)


def test_a_role_as_a_server_answers_it_has_no_differences() -> None:
    answered = {
        "allowed_policies": ["p"],
        "allowed_policies_glob": [],
        "disallowed_policies": None,
        "explicit_max_ttl": 0,
        "name": "p",
        "orphan": True,
        "path_suffix": "",
        "period": 604800,  # written with the older name
        "renewable": True,
        "token_explicit_max_ttl": 0,
        "token_no_default_policy": True,
        "token_type": "service",
    }
    wanted = default_token_role("p", 604800)
    assert role_differences(answered, wanted) == {}
    assert role_differences({**answered, "orphan": False}, wanted) == {"orphan": False}
    assert role_differences({**answered, "allowed_policies": ["p", "root"]}, wanted) == {
        "allowed_policies": ["p", "root"]
    }
    assert role_differences({**answered, "explicit_max_ttl": 60}, wanted) == {"token_explicit_max_ttl": 60}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("168h", 604800), ("7d", 604800), ("3600", 3600), ("1h30m", 5400), ("90s", 90), (" 2h ", 7200)],
)
def test_durations_are_read_as_vault_reads_them(text: str, expected: int) -> None:
    assert seconds("token_period", text) == expected


@pytest.mark.parametrize("text", ["", "0", "0h", "-1h", "h", "1w", "1.5h", "soon", "1h junk"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInputError, match="such as 168h"):
        seconds("token_period", text)


@given(st.text(max_size=20))
def test_a_well_formed_token_can_always_be_a_header(text: str) -> None:
    if is_well_formed(text):
        assert text.encode("ascii").strip().split() == [text.encode("ascii")]
