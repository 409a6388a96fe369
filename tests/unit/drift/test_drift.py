# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import (
    Fingerprints,
    Item,
    Status,
    applied,
    pending,
    verdict,
)


def item(status: Status, action: str = "none", name: str = "a/b") -> Item:
    return Item(id=name, address="x", check="a", severity="high", status=status, action=action)  # type: ignore[arg-type]


def test_nothing_looked_at_is_incomplete_not_green() -> None:
    assert verdict([]) == "incomplete"


@pytest.mark.parametrize("status", ["unknown", "blocked"])
def test_what_could_not_be_checked_is_never_green(status: Status) -> None:
    assert verdict([item("in_sync"), item(status), item("missing")]) == "incomplete"


def test_what_waits_for_an_item_that_will_be_repaired_is_drift_and_for_any_other_incomplete() -> None:
    waiting = replace(item("blocked", name="a/2"), depends_on=("a/1",))
    assert verdict([item("missing", "create", "a/1"), waiting]) == "drift"
    assert verdict([item("in_sync", "none", "a/1"), waiting]) == "incomplete"
    assert verdict([item("insecure", "none", "a/1"), waiting]) == "incomplete"
    assert verdict([waiting]) == "incomplete"


def test_an_error_outweighs_everything() -> None:
    assert verdict([item("unknown"), item("error"), item("in_sync")]) == "error"


@pytest.mark.parametrize(
    "status", ["missing", "empty", "drifted", "forbidden_present", "soft_deleted", "stale", "insecure", "expiring"]
)
def test_every_difference_is_drift(status: Status) -> None:
    assert verdict([item("in_sync"), item(status)]) == "drift"


def test_ignored_items_do_not_spoil_a_green_verdict() -> None:
    assert verdict([item("in_sync"), item("ignored")]) == "in_sync"


def test_consent_is_the_sellers_and_not_pending_for_us() -> None:
    items = (item("missing", "create", "a/1"), item("missing", "reauthorize", "a/2"), item("in_sync", "none", "a/3"))
    assert [one.id for one in pending(items)] == ["a/1"]
    assert [one.status for one in applied(items)] == ["in_sync", "missing", "in_sync"]


def test_a_fingerprint_shows_equality_within_a_run_and_nothing_between_runs() -> None:
    first, second = Fingerprints(), Fingerprints()
    assert first.of("secret") == first.of("secret") != first.of("other")
    assert first.of("secret") != second.of("secret")


def test_a_fingerprint_holds_no_length_prefix_or_plain_hash() -> None:
    secret = "s.CANARYabcdef"
    shown = Fingerprints().of(secret)
    assert len(shown) == len(Fingerprints().of("x" * 500))
    for form in (
        secret[:4],
        hashlib.sha256(secret.encode()).hexdigest()[:12],
        base64.b64encode(secret.encode()).decode(),
    ):
        assert form not in shown


def test_missing_and_empty_are_told_apart() -> None:
    assert Fingerprints().of(None) == "missing"
    assert Fingerprints().of("") == Fingerprints().of(" \n") == "empty"
