# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from each state of the application's document, without any server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item, verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_age import (
    Limits,
    Since,
    without_history,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_plan import (
    FIELDS,
    Desired,
    Observed,
    Proof,
    Wish,
    needs_proof,
    plan,
    target,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_amazon_app_creds import from_options
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.instants import instant
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.kv import Document
from hypothesis import given
from hypothesis import strategies as st

KEYS = {name: name for name in FIELDS}
RIGHT = {
    "client_id": "amzn1.CANARY-id",
    "client_secret": "CANARY-secret",
    "application_id": "amzn1.sp.solution.x",
    "redirect_uri": "https://backend.example/callback",
    "region": "eu-west-1",
}
NOW = datetime(2026, 1, 12, 12, tzinfo=UTC)
DESIRED = Desired(KEYS, Limits(), undelete_command="vault kv undelete")
PRESENT = Document(
    address="https://vault/v1/secret/data/app",
    state="present",
    version=3,
    data=RIGHT,
    raw=RIGHT,
    created_time="2026-01-02T12:00:00.123456789Z",
    names=tuple(RIGHT),
)
TEN_DAYS = Since(datetime(2026, 1, 2, 12, tzinfo=UTC), "exact", "")
REFUSED = Proof("refused", KeybuzzError("asking", "LWA", "invalid_client", "Look."))


def observed(document: Document = PRESENT, **changes: Any) -> Observed:
    return replace(Observed(document, Wish(RIGHT, source="Secret ns/creds"), NOW, TEN_DAYS), **changes)


def items(found: Observed) -> dict[str, Item]:
    return {item.id: item for item in plan(found, DESIRED, Fingerprints())}


def document_item(found: Observed) -> Item:
    return items(found)["amazon_app/document"]


def holding(**changes: Any) -> Document:
    raw = {**RIGHT, **changes}
    return replace(PRESENT, raw=raw, data={key: value for key, value in raw.items() if isinstance(value, str)})


def test_a_complete_document_that_agrees_is_in_sync() -> None:
    found = items(observed())
    assert verdict(tuple(found.values())) == "in_sync"
    assert found["amazon_app/secret_age"].before == {"days": 10, "since": "2026-01-02T12:00:00Z"}


@pytest.mark.parametrize(
    ("state", "status", "action"),
    [
        ("absent", "missing", "create"),
        ("destroyed", "missing", "create"),
        ("soft_deleted", "soft_deleted", "undelete"),
        ("empty", "empty", "update"),
    ],
)
def test_each_state_without_values_has_its_own_action(state: Any, status: str, action: str) -> None:
    document = replace(PRESENT, state=state, raw={}, data={})
    item = document_item(observed(document, proof=Proof("accepted")))
    assert (item.status, item.action) == (status, action)
    assert item.precondition == {"kv_version": 3}


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_empty_value_counts_as_a_missing_one(value: str | None) -> None:
    item = document_item(observed(holding(region=value)))
    assert (item.status, item.action) == ("missing", "update")
    assert "region" in item.reason


def test_what_the_source_lacks_is_taken_from_the_document_and_the_other_way_round() -> None:
    document = replace(PRESENT, raw={"region": "eu-west-1", "note": 1})
    wish = Wish({name: value for name, value in RIGHT.items() if name != "region"})
    assert target(document, wish, KEYS) == RIGHT


def test_proof_is_asked_only_for_what_is_about_to_be_written() -> None:
    assert needs_proof(PRESENT, Wish(RIGHT), KEYS) is None
    assert needs_proof(PRESENT, Wish(), KEYS) is None
    assert needs_proof(holding(region="us-east-1"), Wish(RIGHT), KEYS) == RIGHT
    assert needs_proof(replace(PRESENT, raw={}), Wish({"region": "x"}), KEYS) is None


def test_refused_credentials_have_no_action_and_show_no_change() -> None:
    item = document_item(observed(holding(client_secret="other"), proof=REFUSED, document_proof=REFUSED))
    assert (item.status, item.action) == ("blocked", "none")
    assert item.after == item.before
    assert "invalid_client" in item.reason


def test_a_document_that_works_outlives_a_source_that_does_not() -> None:
    item = document_item(observed(holding(client_secret="newer"), proof=REFUSED, document_proof=Proof("accepted")))
    assert (item.status, item.action) == ("stale", "none")
    assert "Secret ns/creds" in item.hint


def test_secrets_are_fingerprints_and_settings_are_shown() -> None:
    item = document_item(observed(holding(client_secret="CANARY-old", region="us-east-1")))
    assert "CANARY" not in str(item.as_dict())
    assert item.before["region"] == "us-east-1"  # type: ignore[index]
    assert item.after["region"] == "eu-west-1"  # type: ignore[index]
    assert item.before["client_id"] == item.after["client_id"]  # type: ignore[index]
    assert item.before["client_secret"] != item.after["client_secret"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("noted", "bound", "days"),
    [
        ({"client_secret_since": "2025-08-01T00:00:00Z"}, "exact", 164),  # somebody's own word
        ({"client_secret_since": "2025-08-01T00:00:00Z", "client_secret_version": "3"}, "exact", 164),
        ({"client_secret_since": "2025-12-01T00:00:00Z", "client_secret_version": "2"}, "at_most", 42),
        ({"client_secret_since": "2025-08-01T00:00:00Z", "client_secret_version": "2"}, None, None),
        ({"client_secret_since": "last summer"}, None, None),
    ],
)
def test_what_is_noted_holds_for_the_noted_version(noted: dict[str, str], bound: str | None, days: int | None) -> None:
    found = without_history(replace(PRESENT, custom_metadata=noted), NOW, Limits(), exactly=False)
    assert (found.bound if found else None) == bound
    assert ((NOW - found.moment).days if found and found.moment else None) == days


def test_the_first_version_needs_no_history() -> None:
    found = without_history(replace(PRESENT, version=1), NOW, Limits(), exactly=True)
    assert found is not None
    assert found.bound == "exact"


@pytest.mark.parametrize(
    ("days", "bound", "status", "severity"),
    [
        (149, "exact", "in_sync", "info"),
        (150, "exact", "in_sync", "low"),
        (172, "exact", "in_sync", "low"),
        (173, "exact", "expiring", "high"),
        (180, "at_least", "expiring", "high"),
        (181, "at_least", "stale", "high"),
    ],
)
def test_the_age_warns_first_and_is_drift_in_its_last_week(days: int, bound: Any, status: str, severity: str) -> None:
    age = items(observed(since=Since(NOW - timedelta(days=days), bound, "because")))["amazon_app/secret_age"]
    assert (age.status, age.severity, age.action) == (status, severity, "none")
    assert ("at least" in age.reason) == (bound == "at_least")


def test_an_age_that_cannot_be_told_is_unknown_unless_nobody_asked() -> None:
    unknown = items(observed(since=Since(why="A key-value engine of version 1 keeps no times")))[
        "amazon_app/secret_age"
    ]
    assert (unknown.status, unknown.severity) == ("unknown", "low")
    assert "client_secret_since" in unknown.hint
    left_out = items(observed(since=Since(None, "not_asked", "Keys only")))["amazon_app/secret_age"]
    assert left_out.status == "ignored"


KEYS_READ = replace(PRESENT, data={}, raw={}, depth="keys", names=(*RIGHT, "note"))


def test_with_keys_only_a_complete_document_is_green_for_what_was_asked() -> None:
    found = items(observed(KEYS_READ, wish=Wish()))
    assert found["amazon_app/document"].status == "in_sync"
    assert found["amazon_app/document"].reason == "Keys only: values were not compared."
    assert found["amazon_app/values"].status == "ignored"
    assert verdict(tuple(found.values())) == "in_sync"


def test_with_keys_only_missing_keys_and_objects_are_seen() -> None:
    lacking = replace(KEYS_READ, names=tuple(name for name in RIGHT if name != "region"))
    item = document_item(observed(lacking, wish=Wish()))
    assert (item.status, item.action) == ("missing", "update")
    assert item.before["region"] == "missing"  # type: ignore[index]
    item = document_item(observed(replace(KEYS_READ, objects=frozenset({"region"})), wish=Wish()))
    assert (item.status, item.before["region"]) == ("drifted", "not a string")  # type: ignore[index]


def test_keys_that_cannot_be_told_are_unknown_and_never_green() -> None:
    found = items(observed(replace(KEYS_READ, names=None), wish=Wish()))
    assert found["amazon_app/document"].status == "unknown"
    assert verdict(tuple(found.values())) == "incomplete"


@pytest.mark.parametrize("value", [7, True, {"a": "b"}, ["x"]])
def test_a_value_that_is_no_string_is_not_called_missing(value: Any) -> None:
    item = document_item(observed(holding(region=value)))
    assert (item.status, item.severity, item.action) == ("drifted", "critical", "update")
    assert "no strings: region" in item.reason


def test_without_a_client_secret_its_age_waits_for_the_document() -> None:
    absent = replace(PRESENT, state="absent", raw={}, names=(), created_time=None)
    age = items(observed(absent))["amazon_app/secret_age"]
    assert (age.status, age.action, age.depends_on) == ("blocked", "none", ("amazon_app/document",))


@given(st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)))
def test_a_servers_time_is_read_to_the_second(moment: datetime) -> None:
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.") + "123456789Z"
    assert instant(text) == moment.replace(microsecond=0)
    assert instant((moment + timedelta(0)).strftime("%Y-%m-%dT%H:%M:%S")) is None, "a time without its zone is none"


@pytest.mark.parametrize("keys", [{"client_secret": "client_id"}, {"region": ""}])
def test_two_values_under_one_key_are_refused_before_any_request(keys: dict[str, str]) -> None:
    with pytest.raises(BadInputError, match="document_keys"):
        from_options({"document_keys": {**KEYS, **keys}}, lambda secrets: None, check_mode=True)


@pytest.mark.parametrize("since", ["last summer", "2026-13-01", "2026-01-31T09:30:00"])
def test_a_stated_day_that_is_none_is_refused_before_any_request(since: str) -> None:
    with pytest.raises(BadInputError, match="client_secret_since"):
        from_options({"document_keys": KEYS, "client_secret_since": since}, lambda secrets: None, check_mode=True)
