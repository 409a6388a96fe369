# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders of a report in the product's words: sums, statuses, marketplaces, and what is refused with its reason."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import marketplaces
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import (
    ACTIVE,
    CANCELLED,
    CANCELLED_ZERO_QUANTITY,
    REPORT_COMPONENTS,
    Order,
    Rejected,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model_report import elsewhere, parse_report_order
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.report_parts import (
    LONGEST,
    Part,
    parts_of,
    place_state,
    windows,
)
from hypothesis import given
from hypothesis import strategies as st

FRANCE = "A13V1IB3VIYZZH"
RAW: dict[str, Any] = {
    "AmazonOrderID": "407-8949262-6149120",
    "PurchaseDate": "2025-11-22T13:00:24+01:00",
    "LastUpdatedDate": "2025-11-23T12:00:24+00:00",
    "OrderStatus": "Shipped",
    "SalesChannel": "Amazon.fr",
    "FulfillmentChannel": "Merchant",
    "items": [
        {
            "AmazonOrderItemCode": "1",
            "SKU": "S",
            "ASIN": "B0",
            "ProductName": "Poêle",
            "ItemStatus": "Shipped",
            "Quantity": "2",
            "components": [("Principal", "379.90", "EUR"), ("Shipping", "11.94", "EUR")],
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


def parsed(raw: dict[str, Any]) -> Order:
    order = parse_report_order(raw, FRANCE, "order 1")
    assert isinstance(order, Order), order
    return order


def refused(raw: dict[str, Any]) -> Rejected:
    row = parse_report_order(raw, FRANCE, "order 1")
    assert isinstance(row, Rejected), row
    return row


def test_an_order_has_the_sum_of_its_components_and_a_line_has_its_goods() -> None:
    order = parsed(RAW)
    assert (order.totalAmount, order.currency, order.amountBasis) == (Decimal("391.84"), "EUR", REPORT_COMPONENTS)
    (item,) = order.items
    assert (item.lineTotal, item.currency, item.unitPrice, item.quantityFulfilled) == (
        Decimal("379.90"),
        "EUR",
        None,
        None,
    )
    assert (item.quantityOrdered, item.lineStatus, item.title) == (2, ACTIVE, "Poêle")
    assert (order.orderRef, order.marketplaceId, order.fulfillmentChannel) == ("#149120", FRANCE, "MERCHANT")
    assert order.orderDate == datetime(2025, 11, 22, 12, 0, 24, tzinfo=UTC)
    assert order.orderDate.tzinfo is UTC


def test_an_order_without_components_has_no_amount_and_not_zero() -> None:
    order = parsed(changed("items.0.components", []))
    assert (order.totalAmount, order.currency, order.amountBasis) == (None, None, None)
    assert (order.items[0].lineTotal, order.items[0].currency) == (None, None)
    assert parsed(changed("items", [])).totalAmount is None


def test_a_component_of_zero_is_an_amount() -> None:
    order = parsed(changed("items.0.components", [("Principal", "0.00", "EUR")]))
    assert (order.totalAmount, order.items[0].lineTotal) == (Decimal(0), Decimal(0))


def test_a_line_that_comes_twice_counts_once_in_lines_and_sum() -> None:
    order = parsed(changed("items", RAW["items"] * 2))
    assert (len(order.items), order.totalAmount) == (1, Decimal("391.84"))


def test_two_lines_of_one_code_that_differ_are_refused() -> None:
    other = {**RAW["items"][0], "Quantity": "3"}
    row = refused(changed("items", [*RAW["items"], other]))
    assert (row.reason, row.field, row.lines) == ("conflicting_items", "OrderItem.AmazonOrderItemCode", 2)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Shipped", "SHIPPED"),
        ("Shipped - Delivered to Buyer", "SHIPPED"),
        ("Shipped - Returned to Seller", "SHIPPED"),
        ("PartiallyShipped", "PARTIALLY_SHIPPED"),
        ("Partially Shipped", "PARTIALLY_SHIPPED"),
        ("Pending", "PENDING"),
        ("Pending - Waiting for Pick Up", "PENDING"),
        ("PendingAvailability", "PENDING_AVAILABILITY"),
        ("Cancelled", "CANCELLED"),
        ("Canceled", "CANCELLED"),
        ("Unshipped", "UNSHIPPED"),
        ("Unfulfillable", "UNFULFILLABLE"),
        ("InvoiceUnconfirmed", "INVOICE_UNCONFIRMED"),
        ("Awaiting drone - today", "AWAITING_DRONE_TODAY"),
        ("?", "?"),
    ],
)
def test_a_reports_words_become_the_statuses_of_the_other_sources(word: str, status: str) -> None:
    assert parsed(changed("OrderStatus", word)).orderStatus == status


@pytest.mark.parametrize(
    ("quantity", "word", "status"),
    [
        ("0", "Cancelled", CANCELLED_ZERO_QUANTITY),
        ("0", "Shipped", CANCELLED_ZERO_QUANTITY),
        ("1", "Cancelled", CANCELLED),
        ("1", "Unshipped", ACTIVE),
    ],
)
def test_a_line_of_quantity_zero_is_kept_under_its_reason(quantity: str, word: str, status: str) -> None:
    raw = changed("items.0.Quantity", quantity)
    raw["items"][0]["ItemStatus"] = word
    assert parsed(raw).items[0].lineStatus == status


@pytest.mark.parametrize(
    ("path", "value", "reason", "field"),
    [
        ("AmazonOrderID", None, "missing", "order 1: AmazonOrderID"),
        ("PurchaseDate", None, "missing", "PurchaseDate"),
        ("PurchaseDate", "2025-11-22T13:00:24", "wrong_value", "PurchaseDate"),
        ("PurchaseDate", "22.11.2025", "wrong_value", "PurchaseDate"),
        ("LastUpdatedDate", None, "missing", "LastUpdatedDate"),
        ("OrderStatus", None, "missing", "OrderStatus"),
        ("items.0.Quantity", None, "missing", "OrderItem.Quantity"),
        ("items.0.Quantity", "-1", "wrong_value", "OrderItem.Quantity"),
        ("items.0.Quantity", "2.0", "wrong_value", "OrderItem.Quantity"),
        ("items.0.Quantity", "3000000000", "wrong_value", "OrderItem.Quantity"),
        ("items.0.AmazonOrderItemCode", None, "missing", "OrderItem.AmazonOrderItemCode"),
        ("items.0.components", [("Principal", "1,5", "EUR")], "wrong_value", "OrderItem.ItemPrice.Component.Amount"),
        ("items.0.components", [("Principal", "NaN", "EUR")], "wrong_value", "OrderItem.ItemPrice.Component.Amount"),
        ("items.0.components", [("Principal", None, "EUR")], "missing", "OrderItem.ItemPrice.Component.Amount"),
        ("items.0.components", [("Principal", "1", "")], "missing", "OrderItem.ItemPrice.Component.Amount.currency"),
        (
            "items.0.components",
            [("Principal", "1", "EUR"), ("Shipping", "1", "SEK")],
            "wrong_value",
            "OrderItem.ItemPrice.Component.Amount.currency",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_field_and_without_its_content(
    path: str, value: Any, reason: str, field: str
) -> None:
    row = refused(changed(path, value))
    assert (row.reason, row.field, row.lines) == (reason, field, 1)
    assert row.order_id == ("" if path == "AmazonOrderID" else RAW["AmazonOrderID"])


@pytest.mark.parametrize("name", ["SKU", "ASIN", "ProductName"])
def test_what_may_be_absent_may_be_absent(name: str) -> None:
    assert len(parsed(changed(f"items.0.{name}", None)).items) == 1
    assert parsed(changed("FulfillmentChannel", None)).fulfillmentChannel is None


@pytest.mark.parametrize(
    ("channel", "other"),
    [("Amazon.fr", False), (" amazon.FR ", False), ("Amazon.it", True), ("Amazon.co.uk", True), ("Non-Amazon", False)],
)
def test_only_an_order_of_another_marketplace_is_elsewhere(channel: str, other: bool) -> None:
    assert elsewhere(changed("SalesChannel", channel), FRANCE) is other
    assert elsewhere(changed("SalesChannel", None), FRANCE) is False


def test_every_marketplace_has_its_sales_channel() -> None:
    named = {marketplaces.by_sales_channel(f"Amazon.{domain.removeprefix('amazon.')}") for domain in DOMAINS}
    assert named == set(marketplaces.MARKETPLACES)


DOMAINS = tuple(marketplaces._DOMAINS)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(MOMENTS, st.integers(1, 730 * 86_400))
def test_the_parts_of_a_window_cover_it_and_meet_and_none_is_longer_than_amazon_takes(
    after: datetime, seconds: int
) -> None:
    before = after + timedelta(seconds=seconds)
    parts = windows(after, before)
    assert (parts[0][0], parts[-1][1]) == (after, before)
    assert all(one[1] == other[0] for one, other in pairwise(parts))
    assert all(timedelta(0) < end - start <= LONGEST for start, end in parts)
    assert len(parts) == -(-seconds // int(LONGEST.total_seconds()))


def test_a_checkpoint_brings_the_parts_back_and_what_it_does_not_know_is_left_out() -> None:
    query = {"dataStartTime": "2025-10-14T12:00:00Z", "dataEndTime": "2026-01-12T12:00:00Z"}
    parts = parts_of(query, {})
    assert [(part.after, part.report, part.done, part.finished) for part in parts] == [
        ("2025-10-14T12:00:00Z", None, 0, False),
        ("2025-11-13T12:00:00Z", None, 0, False),
        ("2025-12-13T12:00:00Z", None, 0, False),
    ]
    kept = [Part("a", "b", "7", 3, True), *parts[1:]]
    assert parts_of(query, place_state(kept)) == kept
    state = {"parts": [{"after": "a", "before": "b", "of a later release": 1}]}
    assert parts_of(query, state) == [Part("a", "b")]
