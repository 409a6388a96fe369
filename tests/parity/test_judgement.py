# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof can fail: what it compares with, and that each kind of difference is seen. Without any server."""

from __future__ import annotations

from typing import Any

import pytest

from lab import pieces
from tests.parity import combinations
from tests.parity.combinations import BESIDE, ITEMS, THINGS, everything, sample
from tests.parity.difference import RESTART, SECRET, SUPERSEDED, between
from tests.parity.playbook import Call
from tests.parity.proof import applied, predicted, waiting

DEPLOYMENT = "kubernetes/deployments/keybuzz-backend-dev/keybuzz-backend"
TEMPLATE = f"{DEPLOYMENT}#template"
MARKS = f"{TEMPLATE}/annotations/amazon.keybuzz.io"
ROLLED = {f"{DEPLOYMENT}#generation": "1", "kubernetes/replicasets/keybuzz-backend-dev#newest": "a"}
AGAIN = {f"{DEPLOYMENT}#generation": "2", "kubernetes/replicasets/keybuzz-backend-dev#newest": "b"}


def call(*items: dict[str, Any], remaining: tuple[dict[str, Any], ...] = (), changed: bool = True) -> Call:
    result = {"drift": list(items), "remaining": list(remaining), "changed": changed}
    return Call("First look", "Token", "vault_token_secret", {}, True, result)


def item(name: str, action: str = "update", *depends_on: str) -> dict[str, Any]:
    return {"id": name, "action": action, "depends_on": list(depends_on)}


def test_every_subset_is_there_once_and_every_way_and_item_is_in_one() -> None:
    complete = everything(1)
    assert [one.number for one in complete] == list(range(256))
    assert (
        {piece for one in complete for piece in one.pieces}
        == set(ITEMS)
        == {p for ways in THINGS for p in ways} | {*BESIDE}
    )
    assert {piece.name for piece in pieces.EVERY} == set(ITEMS)


def test_a_sample_has_none_all_and_each_single_way_and_depends_on_its_seed() -> None:
    drawn = sample(17, 40)
    assert len(drawn) == 40
    assert {one.pieces for one in drawn} >= {(), *((piece,) for piece in ITEMS)}
    assert {piece for one in drawn if one.number == 255 for piece in one.pieces} == set(ITEMS)
    assert drawn == sample(17, 40) != sample(18, 40)
    for one in combinations.everything(3):
        pieces.chosen(one.pieces)


@pytest.mark.parametrize(
    ("address", "answers"),
    [
        ("vault/policy/keybuzz-backend-dev", "vault_token/policy"),
        ("vault/kv/keybuzz/amazon_spapi/app#versions", "amazon_app/document"),
        ("postgres/orders", "amazon_orders/ecomlg-001/window"),
        ("kubernetes/secrets/keybuzz-backend-dev/vault-token#data/VAULT_TOKEN", SECRET),
    ],
)
def test_a_change_has_the_item_that_answers_for_it(address: str, answers: str) -> None:
    assert between({address: "1"}, {address: "2"}).items == {answers}


@pytest.mark.parametrize(
    "address",
    [
        "vault/policy/keybuzz-repair",
        "vault/kv/keybuzz/other#data",
        "vault/token/root/1",
        "kubernetes/secrets/keybuzz-api-dev/vault-token#data/VAULT_TOKEN",
        f"{TEMPLATE}/rest",
        f"{TEMPLATE}/keybuzz-backend/order/env",
        f"{DEPLOYMENT}#generation",
        "postgres/tenants/switaa-002",
    ],
)
def test_a_change_that_nothing_answers_for_is_seen(address: str) -> None:
    assert address in between({}, {address: "1"}).unexplained


def test_a_new_token_is_the_secrets_and_a_revoked_one_is_the_superseded() -> None:
    made, gone = "vault/token/keybuzz-backend-dev/new", "vault/token/keybuzz-backend-dev/old"
    assert between({gone: "1"}, {made: "1"}).items == {SECRET, SUPERSEDED}


def test_a_changed_mark_is_a_restart_only_where_it_is_the_reason() -> None:
    address = f"{TEMPLATE}/keybuzz-backend/env/VAULT_ADDR"
    first = between(ROLLED, {**AGAIN, address: "1", f"{MARKS}/restart-for": "1"})
    assert first.items == {"backend_access/env/VAULT_ADDR"}
    alone = between({**ROLLED, f"{MARKS}/config-checksum": "1"}, {**AGAIN, f"{MARKS}/config-checksum": "2"})
    assert alone.items == {RESTART}
    changed = between({**ROLLED, f"{MARKS}/restart-for": "1"}, {**AGAIN, f"{MARKS}/restart-for": "2"})
    assert changed.items == {RESTART}


def test_a_template_that_changed_without_a_rollout_is_seen() -> None:
    address = f"{TEMPLATE}/keybuzz-backend/env/VAULT_ADDR"
    assert between(ROLLED, {**ROLLED, address: "1"}).unexplained


def test_what_waits_for_predicted_items_alone_is_possible_and_what_waits_for_others_is_not() -> None:
    look = [call(item("a"), item("b", "none", "a"), item("c", "none", "b"), item("d", "none", "x"), item("e", "none"))]
    assert predicted(look) == {"a"}
    assert waiting(look) == {"b", "c"}


def test_what_was_pending_and_is_not_any_more_was_applied() -> None:
    assert applied([call(item("a"), item("b"), remaining=(item("b"),))]) == {"a"}
    with pytest.raises(AssertionError, match="changed does not say"):
        applied([call(item("a"), changed=False)])
