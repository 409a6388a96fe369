# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Normalising orders: what is kept, what is refused, what is never looked at."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import (
    CANCELLED_ZERO_QUANTITY,
    Order,
    Rejected,
    parse_order,
)

from lab.amazon import fixture

RAW: dict[str, Any] = {
    "orderId": "407-8949262-6149120",
    "createdTime": "2025-11-22T13:00:24.500+01:00",
    "lastUpdatedTime": "2025-11-23T12:00:24Z",
    "salesChannel": {"channelName": "AMAZON", "marketplaceId": "A13V1IB3VIYZZH"},
    "buyer": {"buyerName": "CANARY"},
    "proceeds": {"grandTotal": {"amount": "391.84", "currencyCode": "EUR"}},
    "fulfillment": {"fulfillmentStatus": "Shipped", "fulfilledBy": "MERCHANT"},
    "orderItems": [
        {
            "orderItemId": "1",
            "quantityOrdered": 2,
            "product": {
                "sellerSku": "S",
                "price": {"unitPrice": {"amount": "189.950", "currencyCode": "EUR"}},
                "customization": {"customizedUrl": "https://CANARY"},
            },
            "fulfillment": {"quantityFulfilled": 2, "packing": {"giftOption": {"giftMessage": "CANARY"}}},
        }
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(RAW)
    *parents, last = path.split(".")
    place: Any = raw
    for name in parents:
        place = place[int(name)] if name.isdigit() else place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return raw


def parsed(raw: Any) -> Order:
    order = parse_order(raw, "page 1 row 1")
    assert isinstance(order, Order), order
    return order


def test_times_are_utc_money_is_exact_and_the_status_is_upper_case() -> None:
    order = parsed(RAW)
    assert order.orderDate == datetime(2025, 11, 22, 12, 0, 24, 500000, tzinfo=UTC)
    assert order.totalAmount == Decimal("391.84")
    assert order.orderStatus == "SHIPPED"
    assert order.orderRef == "#149120"
    assert str(order.items[0].unitPrice) == "189.950"
    assert order.items[0].lineTotal is None


def test_nothing_of_the_buyer_survives() -> None:
    assert "CANARY" not in repr(parsed(RAW))
    assert all(fixture.CANARY not in repr(parse_order(raw, "")) for raw in fixture.orders())


def test_every_order_of_the_fixture_can_be_stored() -> None:
    assert all(isinstance(parse_order(raw, ""), Order) for raw in fixture.orders())


def test_an_order_without_a_total_has_no_amount_currency_or_basis() -> None:
    order = parsed(changed("proceeds", None))
    assert (order.totalAmount, order.currency, order.amountBasis) == (None, None, None)


def test_a_line_of_quantity_zero_is_kept_under_its_own_status() -> None:
    assert parsed(changed("orderItems.0.quantityOrdered", 0)).items[0].lineStatus == CANCELLED_ZERO_QUANTITY


def test_an_unknown_status_or_field_is_no_reason_to_lose_an_order() -> None:
    assert parsed({**changed("fulfillment.fulfillmentStatus", "TELEPORTED"), "new": 1}).orderStatus == "TELEPORTED"


def test_the_same_line_twice_is_one_line() -> None:
    raw = changed("orderItems", RAW["orderItems"] * 2)
    assert len(parsed(raw).items) == 1


@pytest.mark.parametrize(
    ("path", "value", "reason", "field"),
    [
        ("orderItems", None, "missing", "orderItems"),
        ("createdTime", "yesterday", "wrong_value", "createdTime"),
        ("createdTime", "2025-11-22T12:00:24", "wrong_value", "createdTime"),
        ("lastUpdatedTime", None, "missing", "lastUpdatedTime"),
        ("fulfillment", None, "missing", "fulfillment"),
        ("proceeds.grandTotal.amount", 391.84, "wrong_type", "proceeds.grandTotal.amount"),
        ("proceeds.grandTotal.amount", "NaN", "wrong_value", "proceeds.grandTotal.amount"),
        ("proceeds.grandTotal.amount", "1e999999", "wrong_value", "proceeds.grandTotal.amount"),
        ("proceeds.grandTotal.currencyCode", None, "missing", "proceeds.grandTotal.currencyCode"),
        ("orderItems.0.product.title", "a\x00b", "unstorable_character", "orderItems.product.title"),
        ("orderItems.0.product.title", "\ud800", "unstorable_character", "orderItems.product.title"),
        ("orderItems.0.quantityOrdered", "2", "wrong_type", "orderItems.quantityOrdered"),
        ("orderItems.0.quantityOrdered", True, "wrong_type", "orderItems.quantityOrdered"),
        ("orderItems.0.quantityOrdered", -1, "wrong_value", "orderItems.quantityOrdered"),
        ("orderItems.0.product", None, "missing", "orderItems.product"),
    ],
)
def test_what_cannot_be_stored_is_rejected_by_reason_and_field(path: str, value: Any, reason: str, field: str) -> None:
    rejected = parse_order(changed(path, value), "page 1 row 1")
    assert isinstance(rejected, Rejected)
    assert (rejected.order_id, rejected.reason, rejected.field) == (RAW["orderId"], reason, field)


def test_two_lines_of_one_id_that_differ_reject_the_order_with_both() -> None:
    other = copy.deepcopy(RAW["orderItems"][0])
    other["quantityOrdered"] = 3
    rejected = parse_order(changed("orderItems", [RAW["orderItems"][0], other]), "")
    assert rejected == Rejected(RAW["orderId"], "conflicting_items", "orderItems.orderItemId", 2)


@pytest.mark.parametrize("raw", [None, 7, [], "x", {}, {"orderId": ""}])
def test_a_row_without_an_id_is_named_by_its_place(raw: Any) -> None:
    rejected = parse_order(raw, "page 3 row 17")
    assert isinstance(rejected, Rejected)
    assert rejected.order_id == ""
    assert rejected.field.startswith("page 3 row 17: ")
