# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a chunk of tenants are masked wherever a result could hold them; results without them are untouched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, Owner
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.passing_secrets import MASK, PassingSecrets
from ansible_collections.keybuzz.amazon.plugins.module_utils._secrets import MINIMUM_LENGTH, ORDINARY_WORD, forms
from hypothesis import given
from hypothesis import strategies as st

SECRET, OTHER = 'Atzr|CANARY+of/one="', "Atzr|CANARY+of/one=\"'s longer"


def holding(text: Any) -> Outcome:
    """An outcome that holds something in every place that is not ours to name."""
    item = Item(
        f"amazon_tenant/{text}/grant",
        f"at {text}",
        "amazon_tenant",
        "high",
        "drifted",
        before={"a": [text, 7, None, True]},
        after=(text,),
        reason=f"{text} and {text}",
        hint=str(text),
        owner=Owner(managers=(str(text),), source=str(text)),
        precondition={"version": 3, "etag": text},
        depends_on=(str(text),),
    )
    return Outcome((item,), changed=True, facts={"seller_id": text, "more": [{"x": text}]}, warnings=(f"w {text}",))


def shown(outcome: Outcome) -> str:
    """As Ansible would get it."""
    items = [item.as_dict() for item in outcome.items]
    return json.dumps([items, outcome.facts, outcome.warnings], ensure_ascii=False)


@pytest.mark.parametrize("form", sorted(forms(SECRET)))
def test_each_form_is_masked_in_each_place(form: str) -> None:
    passing = PassingSecrets()
    passing.protect([OTHER, None, "", SECRET])
    masked = passing.masked(holding(form))
    assert masked == holding(MASK)
    assert passing.masked(holding(f"before {form}, after")) == holding(f"before {MASK}, after")


def test_the_secret_of_another_tenant_of_the_chunk_is_masked_too_and_the_longest_first() -> None:
    passing = PassingSecrets()
    passing.protect([SECRET])
    passing.protect([OTHER])
    assert passing.masked(holding(f"{OTHER}{SECRET}")) == holding(MASK + MASK)


def test_what_holds_none_of_them_is_the_very_same() -> None:
    passing = PassingSecrets()
    clean = holding("Atzr|CANARY of nobody")
    assert passing.masked(clean) is clean
    passing.protect([SECRET])
    assert passing.masked(clean) is clean


@pytest.mark.parametrize("word", ["short", "keybuzz", "localhost"])
def test_short_values_and_plain_words_are_left_as_everywhere(word: str) -> None:
    passing = PassingSecrets()
    passing.protect([word])
    assert passing.masked(holding(word)) == holding(word)


@given(
    st.lists(st.text(st.sampled_from('ab+/="| '), min_size=MINIMUM_LENGTH, max_size=9), min_size=1, max_size=4),
    st.lists(st.text(st.sampled_from('ab+/="| '), max_size=30), max_size=3),
    st.data(),
)
def test_nothing_is_left_that_ansible_would_have_masked(
    secrets: list[str], texts: list[str], data: st.DataObject
) -> None:
    secrets = [one for one in secrets if not ORDINARY_WORD.fullmatch(one)]
    known = [form for secret in secrets for form in forms(secret)]
    pieces = data.draw(st.lists(st.sampled_from([*texts, *known, "x"]), max_size=5))
    passing = PassingSecrets()
    passing.protect(secrets)
    (left,) = passing.masked(Outcome((), changed=False, warnings=("".join(pieces),))).warnings
    assert not any(form in left for form in known)
    assert (left == "".join(pieces)) == (remove_values("".join(pieces), set(known)) == "".join(pieces))
