# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders v0: the payload wrapper, the older words, and no data of buyers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lab.amazon.fixture import CANARY, orders
from tests.lab.amazon_caller import SINCE, UNTIL, Caller, error_of
from tests.lab.amazon_process import FRANCE

ORDERS = "/orders/v0/orders"


def listed(caller: Caller, **query: Any) -> Any:
    asked = {"CreatedAfter": SINCE, "CreatedBefore": UNTIL, "MarketplaceIds": FRANCE, **query}
    return caller.get(ORDERS, **{name: value for name, value in asked.items() if value is not None})


def test_next_token_leads_through_all_orders_with_the_first_pages_filters(caller: Caller) -> None:
    payload = listed(caller, MaxResultsPerPage=40).json()["payload"]
    rows = payload["Orders"]
    pages = 1
    while "NextToken" in payload:
        payload = caller.get(
            ORDERS, MarketplaceIds=FRANCE, NextToken=payload["NextToken"], MaxResultsPerPage=40
        ).json()["payload"]
        rows += payload["Orders"]
        pages += 1
    assert pages == 3
    assert [row["AmazonOrderId"] for row in rows] == [order["orderId"] for order in orders()]


def test_statuses_and_channels_have_the_older_words(caller: Caller) -> None:
    rows = listed(caller).json()["payload"]["Orders"]
    statuses = [row["OrderStatus"] for row in rows]
    assert statuses.count("Canceled") == 6
    assert set(statuses) == {"Shipped", "Canceled", "Pending", "Unshipped", "PartiallyShipped"}
    assert {row["FulfillmentChannel"] for row in rows} == {"AFN", "MFN"}
    cancelled = listed(caller, OrderStatuses="Canceled").json()["payload"]["Orders"]
    assert len(cancelled) == 6
    assert {"OrderTotal" in row for row in cancelled} == {True, False}


def test_pending_order_has_neither_total_nor_prices(caller: Caller) -> None:
    for row in listed(caller, OrderStatuses="Pending").json()["payload"]["Orders"]:
        assert "OrderTotal" not in row
        items = caller.get(f"{ORDERS}/{row['AmazonOrderId']}/orderItems").json()["payload"]["OrderItems"]
        assert all("ItemPrice" not in item and item["QuantityOrdered"] > 0 for item in items)


def test_item_price_is_the_total_of_the_line(caller: Caller) -> None:
    payload = caller.get(f"{ORDERS}/171-3125066-7920325/orderItems").json()["payload"]
    assert payload["AmazonOrderId"] == "171-3125066-7920325"
    (item,) = payload["OrderItems"]
    assert (item["QuantityOrdered"], item["ItemPrice"]["Amount"]) == (3, "1199.97")
    assert item["ShippingPrice"]["Amount"] == "29.94"
    total = caller.get(f"{ORDERS}/171-3125066-7920325").json()["payload"]["OrderTotal"]
    assert Decimal(total["Amount"]) == Decimal("1229.91")


def test_nothing_of_a_buyer_comes_without_a_restricted_data_token(caller: Caller) -> None:
    text = listed(caller).text
    for order in orders()[:15]:
        text += caller.get(f"{ORDERS}/{order['orderId']}/orderItems").text
    assert CANARY not in text


@pytest.mark.parametrize(
    "query",
    [
        {"MarketplaceIds": None},
        {"CreatedAfter": None, "CreatedBefore": None},
        {"LastUpdatedAfter": SINCE},
        {"CreatedAfter": None, "LastUpdatedAfter": SINCE},
        {"OrderStatuses": "SHIPPED"},
        {"FulfillmentChannels": "AMAZON"},
        {"MaxResultsPerPage": 101},
        {"NextToken": "other"},
        {"AmazonOrderIds": "12"},
    ],
)
def test_request_that_breaks_a_rule_is_invalid_input(caller: Caller, query: dict[str, Any]) -> None:
    assert error_of(listed(caller, **query))[:2] == (400, "InvalidInput")


def test_orders_are_found_by_id(caller: Caller) -> None:
    ids = ["407-8949262-6149120", "171-3125066-7920325"]
    rows = caller.get(ORDERS, MarketplaceIds=FRANCE, AmazonOrderIds=",".join(ids)).json()["payload"]["Orders"]
    assert [row["AmazonOrderId"] for row in rows] == ids
    assert error_of(caller.get(f"{ORDERS}/000-0000000-0000000/orderItems"))[:2] == (404, "NotFound")
