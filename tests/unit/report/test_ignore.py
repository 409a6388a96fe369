# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule hides, until when, and what no rule can hide."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any, get_args

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Status, verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.ignore import (
    apply,
    expired,
    parse_rules,
    unused,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)
DRIFT = Item(
    id="backend_access/env/VAULT_ADDR",
    address="Deployment a/b",
    check="backend_access",
    severity="high",
    status="drifted",
    action="update",
    reason="Another address.",
)
RULE = {"id": "backend_access/env/*", "owner": "Ada", "reason": "moves in March", "expires": "2026-01-31"}


def rule(**more: Any) -> dict[str, Any]:
    return RULE | more


def test_ignored_drift_stays_listed_with_who_why_and_what_it_was() -> None:
    (item,) = apply([DRIFT], "dev", parse_rules([RULE]), NOW)
    assert (item.status, item.action) == ("ignored", "none")
    assert item.reason == "ignored until 2026-01-31 by Ada: moves in March (was drifted: Another address.)"
    assert replace(item, status="drifted", action="update", reason=DRIFT.reason) == DRIFT


def test_drift_without_a_reason_of_its_own_leaves_no_colon_behind() -> None:
    (item,) = apply([replace(DRIFT, reason="")], "dev", parse_rules([RULE]), NOW)
    assert item.reason.endswith("(was drifted)")


@given(st.sampled_from(get_args(Status)))
def test_only_what_was_seen_to_differ_can_be_ignored(status: Any) -> None:
    item = replace(DRIFT, status=status)
    (after,) = apply([item], "dev", parse_rules([RULE]), NOW)
    seen = status not in {"in_sync", "ignored", "blocked", "unknown", "error"}
    assert (after.status == "ignored" and after != item) if seen else after == item


def test_what_waits_for_an_ignored_item_is_not_explained_by_it() -> None:
    waiting = replace(DRIFT, id="backend_access/restart", status="blocked", action="none", depends_on=(DRIFT.id,))
    assert verdict((DRIFT, waiting)) == "drift"
    assert verdict(apply([DRIFT, waiting], "dev", parse_rules([rule(id="*", environment="dev")]), NOW)) == "incomplete"


@pytest.mark.parametrize(
    ("pattern", "environment", "hit"),
    [
        ("backend_access/env/VAULT_ADDR", "dev", True),
        ("backend_access/env/VAULT_ADD?", "d?v", True),
        ("*/VAULT_ADDR", "*", True),
        ("backend_access", "*", False),
        ("BACKEND_ACCESS/*", "*", False),
        ("backend_access/env/VAULT_ADD[R]", "*", False),
        ("*", "prod", False),
    ],
)
def test_patterns_match_whole_names_letter_by_letter(pattern: str, environment: str, hit: bool) -> None:
    (item,) = apply([DRIFT], "dev", parse_rules([rule(id=pattern, environment=environment)]), NOW)
    assert (item.status == "ignored") is hit


@pytest.mark.parametrize(
    ("expires", "last"),
    [
        ("2026-01-12", "2026-01-12"),
        ("2026-01-12T00:00:00Z", "2026-01-12"),
        ("2026-01-12T23:00:00-05:00", "2026-01-13"),
        (datetime.date(2026, 1, 12), "2026-01-12"),
        (datetime.datetime(2026, 1, 12, 8, tzinfo=datetime.UTC), "2026-01-12"),
    ],
)
def test_a_rule_holds_until_the_end_of_its_last_day_in_utc(expires: Any, last: str) -> None:
    rules = parse_rules([rule(expires=expires)])
    end = datetime.datetime.fromisoformat(f"{last}T23:59:59.999999+00:00")
    after = (end + datetime.timedelta(microseconds=1)).astimezone(datetime.timezone(datetime.timedelta(hours=-9)))
    assert apply([DRIFT], "dev", rules, end)[0].status == "ignored" and expired(rules, end) == ()
    assert apply([DRIFT], "dev", rules, after) == (DRIFT,) and expired(rules, after) == rules


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"until": "2026-01-31"}, "unknown key until"),
        ({"owner": None}, "it has no owner"),
        ({"reason": "  "}, "reason is empty"),
        ({"id": ""}, "id is empty"),
        ({"environment": ""}, "environment is empty"),
        ({"id": 7}, "id is no text"),
        ({"id": "*"}, "would hide everything"),
        ({"id": "*/*", "environment": "**"}, "would hide everything"),
        ({"expires": "soon"}, "no ISO date: 'soon'"),
        ({"expires": "2026-02-30"}, "no ISO date"),
        ({"expires": "0001-01-01T00:00:00+05:00"}, "no ISO date"),
        ({"expires": 20260131}, "quote it"),
        ({"expires": "2026-01-31T12:00:00"}, "without a zone"),
    ],
)
def test_a_wrong_rule_is_refused_by_its_number_and_what_is_wrong(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=f"ignore rule 2: .*{said}"):
        parse_rules([RULE, rule(**wrong)])


def test_what_is_no_rule_or_no_list_is_refused() -> None:
    with pytest.raises(BadInputError, match="ignore rule 1: it is no dictionary"):
        parse_rules(["backend_access/*"])  # type: ignore[list-item]
    with pytest.raises(BadInputError, match="ignore rules: this is no list"):
        parse_rules(RULE)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="it has no id, owner, reason, expires"):
        parse_rules([{}])


def test_the_first_rule_in_force_wins_and_the_one_behind_it_is_shown_as_unused() -> None:
    over, first, second = rules = parse_rules(
        [rule(expires="2026-01-11", owner="Old"), rule(owner="First"), rule(id="*/VAULT_ADDR", owner="Second")]
    )
    assert "by First:" in apply([DRIFT], "dev", rules, NOW)[0].reason
    assert expired(rules, NOW) == (over,)
    assert unused([Environment("dev", (DRIFT,))], rules, NOW) == (second,)
    assert first not in unused([Environment("dev", (DRIFT,))], rules, NOW)


def test_a_rule_for_what_is_in_sync_is_shown_as_unused_and_one_for_the_unseen_is_not() -> None:
    rules = parse_rules([RULE])
    clean, unseen = replace(DRIFT, status="in_sync"), replace(DRIFT, status="unknown")
    assert unused([Environment("dev", (clean,))], rules, NOW) == rules
    assert unused([Environment("dev", (unseen,))], rules, NOW) == ()
    assert unused([Environment("dev", (clean,)), Environment("prod", (), error="stopped")], rules, NOW) == ()


def test_a_rule_for_an_environment_that_is_not_there_is_shown_as_unused() -> None:
    rules = parse_rules([rule(environment="prd")])
    assert unused([Environment("prod", (DRIFT,))], rules, NOW) == rules
