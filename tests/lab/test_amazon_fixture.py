# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orders of ecomlg-001: the report's numbers, the known rows, and sums that add up."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lab.amazon import fixture
from lab.amazon.generator import change, synthetic_orders
from lab.amazon.oracle import rows_of

START = datetime(2025, 10, 14, 12, 0, tzinfo=UTC)
END = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)


def test_there_are_94_orders_with_all_their_items_and_six_are_cancelled() -> None:
    orders, items = fixture.expected_rows()
    assert len(orders) == fixture.ORDER_COUNT == 94
    assert len(items) == fixture.ITEM_COUNT
    assert {row["externalOrderId"] for row in items} == {row["externalOrderId"] for row in orders}
    statuses = Counter(row["orderStatus"] for row in orders)
    assert statuses["CANCELLED"] == fixture.CANCELLED_COUNT == 6
    assert set(statuses) == {"SHIPPED", "CANCELLED", "UNSHIPPED", "PARTIALLY_SHIPPED", "PENDING"}
    assert statuses["SHIPPED"] > 70


def test_all_orders_lie_in_the_90_days_of_the_report() -> None:
    orders, _items = fixture.expected_rows()
    assert fixture.SINCE == START
    assert fixture.UNTIL == END
    for row in orders:
        assert fixture.SINCE <= row["orderDate"] <= row["lastUpdatedAt"] < fixture.UNTIL
        assert row["orderDate"].tzinfo is UTC


def test_known_rows_are_the_reports_and_nothing_lies_between_them() -> None:
    orders, _items = fixture.expected_rows()
    found = {row["externalOrderId"]: row for row in orders}
    known = fixture.known_rows()
    for row in known:
        assert {name: found[row["externalOrderId"]][name] for name in row} == row
    assert [str(row["totalAmount"]) for row in known] == ["391.84", "441.5", "71.46", "1229.91", "83.1"]
    between = [row for row in orders if known[-1]["orderDate"] <= row["orderDate"] <= known[0]["orderDate"]]
    assert len(between) == 5


def test_cancelled_orders_have_only_zero_quantities_and_some_have_a_total() -> None:
    orders, items = fixture.expected_rows()
    cancelled = {row["externalOrderId"]: row for row in orders if row["orderStatus"] == "CANCELLED"}
    lines = [row for row in items if row["lineStatus"] == "CANCELLED_ZERO_QUANTITY"]
    assert {row["externalOrderId"] for row in lines} == set(cancelled)
    assert len(lines) == fixture.ZERO_QUANTITY_ITEM_COUNT
    assert all(row["quantityOrdered"] == row["quantityFulfilled"] == 0 for row in lines)
    active = [row for row in items if row["externalOrderId"] in cancelled and row["lineStatus"] == "ACTIVE"]
    assert active == []
    totals = [row["totalAmount"] for row in cancelled.values()]
    assert totals.count(None) == 3
    assert Decimal("0.00") in totals
    assert {row["unitPrice"] is None for row in lines} == {True, False}
    assert {row["lineTotal"] for row in lines} == {None, Decimal("0.00")}


def test_order_without_a_total_has_no_currency_and_no_basis() -> None:
    orders, items = fixture.expected_rows()
    for row in orders:
        present = row["totalAmount"] is not None
        assert row["currency"] == ("EUR" if present else None)
        assert row["amountBasis"] == ("GRAND_TOTAL" if present else None)
    pending = {row["externalOrderId"] for row in orders if row["orderStatus"] == "PENDING"}
    assert len(pending) == 3
    for row in items:
        if row["externalOrderId"] in pending:
            assert row["unitPrice"] is row["lineTotal"] is row["currency"] is None
            assert row["quantityOrdered"] > 0


def shipping(order: dict[str, Any]) -> Decimal:
    parts = [part for item in order["orderItems"] for part in item["proceeds"]["breakdowns"]]
    return sum((Decimal(part["subtotal"]["amount"]) for part in parts if part["type"] == "SHIPPING"), Decimal(0))


@pytest.mark.parametrize("world", ["fixture", "synthetic"])
def test_unit_prices_times_quantities_and_shipping_make_the_total(world: str) -> None:
    orders = fixture.orders() if world == "fixture" else synthetic_orders(300, 5, START, END)
    checked = 0
    for order in orders:
        if order["fulfillment"]["fulfillmentStatus"] in ("CANCELLED", "PENDING"):
            continue
        active = [item for item in order["orderItems"] if item["quantityOrdered"]]
        goods = Decimal(0)
        for item in active:
            line = Decimal(item["product"]["price"]["unitPrice"]["amount"]) * item["quantityOrdered"]
            subtotals = {part["type"]: part["subtotal"]["amount"] for part in item["proceeds"]["breakdowns"]}
            assert Decimal(subtotals["ITEM"]) == line
            goods += line
        total = Decimal(order["proceeds"]["grandTotal"]["amount"])
        assert goods + shipping({"orderItems": active}) == total
        checked += 1
    assert checked > 80


def test_quantities_fulfilled_agree_with_the_status() -> None:
    for order in fixture.orders():
        done = [item["fulfillment"]["quantityFulfilled"] for item in order["orderItems"]]
        left = [item["fulfillment"]["quantityUnfulfilled"] for item in order["orderItems"]]
        ordered = [item["quantityOrdered"] for item in order["orderItems"]]
        assert [a + b for a, b in zip(done, left, strict=True)] == ordered
        status = order["fulfillment"]["fulfillmentStatus"]
        assert (sum(done) > 0) == (status in ("SHIPPED", "PARTIALLY_SHIPPED"))
        assert (sum(left) > 0) == (status in ("UNSHIPPED", "PENDING", "PARTIALLY_SHIPPED"))


def test_everything_about_a_buyer_is_made_up_and_marked() -> None:
    marked = json.dumps(fixture.orders(), ensure_ascii=False).count(fixture.CANARY)
    assert marked > 94 * 5
    for order in fixture.orders():
        texts = [*order["buyer"].values(), order["recipient"]["deliveryAddress"]["name"]]
        assert all(fixture.CANARY in text for text in texts)
    orders, items = fixture.expected_rows()
    assert fixture.CANARY not in str((orders, items))
    items_json = [item for order in fixture.orders() for item in order["orderItems"]]
    assert any(fixture.CANARY in json.dumps(item["fulfillment"]) for item in items_json)
    assert any(fixture.CANARY in json.dumps(item["product"]) for item in items_json)


def test_titles_have_accents() -> None:
    _orders, items = fixture.expected_rows()
    assert any("é" in row["title"] for row in items)


def test_reference_is_a_hash_and_the_last_six_digits() -> None:
    orders, _items = fixture.expected_rows()
    assert all(row["orderRef"] == "#" + row["externalOrderId"][-6:] for row in orders)


def test_same_arguments_make_the_same_orders_and_seeds_share_no_id() -> None:
    first = synthetic_orders(250, 7, START, END)
    assert first == synthetic_orders(250, 7, START, END)
    ids = {order["orderId"] for order in first}
    assert len(ids) == 250
    assert not ids & {order["orderId"] for order in synthetic_orders(250, 8, START, END)}
    assert not ids & {order["orderId"] for order in fixture.orders()}
    items = [item["orderItemId"] for order in first for item in order["orderItems"]]
    assert len(items) == len(set(items))
    assert all(START <= datetime.fromisoformat(order["createdTime"]) <= END for order in first)


def test_synthetic_orders_hold_a_cancelled_line_beside_a_shipped_one() -> None:
    _orders, items = rows_of(synthetic_orders(250, 7, START, END), "t")
    by_order: dict[str, set[str]] = {}
    for row in items:
        by_order.setdefault(row["externalOrderId"], set()).add(row["lineStatus"])
    assert {"ACTIVE", "CANCELLED_ZERO_QUANTITY"} in by_order.values()


def test_pending_order_that_ships_gets_its_prices_and_a_later_update() -> None:
    pending = next(row for row in fixture.orders() if row["fulfillment"]["fulfillmentStatus"] == "PENDING")
    at = END + timedelta(days=1)
    shipped = change(pending, status="SHIPPED", at=at)
    (row,), items = rows_of([shipped], "t")
    assert (row["orderStatus"], row["lastUpdatedAt"]) == ("SHIPPED", at)
    assert row["totalAmount"] >= sum(item["lineTotal"] for item in items) > 0
    assert [item["orderItemId"] for item in shipped["orderItems"]] == [
        item["orderItemId"] for item in pending["orderItems"]
    ]
    (row,), items = rows_of([change(shipped, status="CANCELLED", at=at)], "t")
    assert row["totalAmount"] is None
    assert {item["lineStatus"] for item in items} == {"CANCELLED_ZERO_QUANTITY"}
