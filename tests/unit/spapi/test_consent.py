# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that ties a seller's answer to our question."""

from __future__ import annotations

import urllib.parse

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import consent
from hypothesis import given
from hypothesis import strategies as st

SECRET, NOW = "amzn1.oa2-cs.v1.CANARY", 1_768_000_000.0


def check(state: str, *, tenant: str = "ecomlg-001", secret: str = SECRET, now: float = NOW) -> None:
    consent.check_state(secret, tenant, state, now, 600)


def test_a_state_is_accepted_for_its_tenant_within_its_life() -> None:
    state = consent.new_state(SECRET, "ecomlg-001", NOW)
    check(state)
    check(state, now=NOW + 600)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tenant": "switaa-002"}, "made for tenant 'ecomlg-001'"),
        ({"secret": "another"}, "not made with this application's secret"),
        ({"now": NOW + 601}, "10 minutes old"),
        ({"now": NOW - 61}, "minutes old"),
    ],
)
def test_a_state_is_refused_elsewhere_later_and_by_another_secret(change: dict[str, object], why: str) -> None:
    state = consent.new_state(SECRET, "ecomlg-001", NOW)
    with pytest.raises(BadInputError, match=why):
        check(state, **change)  # type: ignore[arg-type]


@given(st.text(max_size=80))
def test_no_text_of_somebody_elses_is_ever_accepted(text: str) -> None:
    with pytest.raises(BadInputError):
        check(text)


def test_each_changed_character_breaks_it() -> None:
    state = consent.new_state(SECRET, "ecomlg-001", NOW, nonce="n")
    payload = state.partition(".")[0]
    for at in range(len(payload)):
        other = "A" if state[at] != "A" else "B"
        with pytest.raises(BadInputError):
            check(state[:at] + other + state[at + 1 :])


def test_two_states_differ_and_hold_no_secret() -> None:
    one, two = consent.new_state(SECRET, "t", NOW), consent.new_state(SECRET, "t", NOW)
    assert one != two
    assert SECRET not in one
    assert urllib.parse.quote(one, safe="") == one


def test_the_address_leads_to_the_sellers_own_seller_central() -> None:
    url = consent.consent_url("sellercentral-europe.amazon.com", "amzn1.sp.x", "s", "https://b/cb", draft=True)
    assert url == (
        "https://sellercentral-europe.amazon.com/apps/authorize/consent"
        "?application_id=amzn1.sp.x&state=s&redirect_uri=https%3A%2F%2Fb%2Fcb&version=beta"
    )
