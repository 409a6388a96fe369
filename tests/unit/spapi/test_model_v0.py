# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders of v0 in the product's words, and lists of lines that have several pages."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import Answer
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import (
    CANCELLED_ZERO_QUANTITY,
    ORDER_TOTAL,
    Order,
    Rejected,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model_v0 import parse_v0_order, status_word
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.source_v0 import MOST_ITEM_PAGES, V0Source
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Page, Place, Task

FRANCE = "A13V1IB3VIYZZH"
ORDER: dict[str, Any] = {
    "AmazonOrderId": "407-8949262-6149120",
    "PurchaseDate": "2025-11-22T12:00:24Z",
    "LastUpdateDate": "2025-11-23T12:00:24Z",
    "OrderStatus": "PartiallyShipped",
    "FulfillmentChannel": "AFN",
    "MarketplaceId": FRANCE,
    "OrderTotal": {"Amount": "391.84", "CurrencyCode": "EUR"},
    "BuyerInfo": {"BuyerName": "CANARY"},
    "ShippingAddress": {"City": "CANARY"},
}
LINE: dict[str, Any] = {
    "OrderItemId": "1",
    "SellerSKU": "S",
    "ASIN": "B0",
    "Title": "Poêle",
    "QuantityOrdered": 2,
    "QuantityShipped": 1,
    "ItemPrice": {"Amount": "379.90", "CurrencyCode": "EUR"},
    "BuyerInfo": {"GiftMessageText": "CANARY"},
}


def without(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: copy.deepcopy(value) for key, value in raw.items() if key != name}


def test_an_order_of_v0_has_the_same_fields_under_the_same_names() -> None:
    order = parse_v0_order(ORDER, [LINE], "page 1 row 1")
    assert isinstance(order, Order)
    assert (order.totalAmount, order.currency, order.amountBasis) == (Decimal("391.84"), "EUR", ORDER_TOTAL)
    assert (order.orderStatus, order.fulfillmentChannel, order.orderRef) == ("PARTIALLY_SHIPPED", "AMAZON", "#149120")
    assert order.orderDate == datetime(2025, 11, 22, 12, 0, 24, tzinfo=UTC)
    (item,) = order.items
    assert (item.quantityOrdered, item.quantityFulfilled, item.lineTotal, item.unitPrice) == (
        2,
        1,
        Decimal("379.90"),
        None,
    )
    assert "CANARY" not in repr(order)


def test_a_pending_order_has_no_total_and_not_zero() -> None:
    order = parse_v0_order(without(ORDER, "OrderTotal"), [without(LINE, "ItemPrice")], "page 1 row 1")
    assert isinstance(order, Order)
    assert (order.totalAmount, order.currency, order.amountBasis) == (None, None, None)
    assert order.items[0].lineTotal is None


def test_a_cancelled_line_of_quantity_zero_is_kept() -> None:
    order = parse_v0_order(ORDER, [{**LINE, "QuantityOrdered": 0}], "page 1 row 1")
    assert isinstance(order, Order)
    assert order.items[0].lineStatus == CANCELLED_ZERO_QUANTITY


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Canceled", "CANCELLED"),
        ("Shipped", "SHIPPED"),
        ("PendingAvailability", "PENDING_AVAILABILITY"),
        ("InvoiceUnconfirmed", "INVOICE_UNCONFIRMED"),
        ("SHIPPED", "SHIPPED"),
    ],
)
def test_statuses_of_v0_become_those_of_the_newer_api(word: str, status: str) -> None:
    assert status_word(word) == status


@pytest.mark.parametrize(("word", "channel"), [("MFN", "MERCHANT"), ("afn", "AMAZON"), ("", None), (None, None)])
def test_channels_of_v0_become_those_of_the_newer_api(word: str | None, channel: str | None) -> None:
    order = parse_v0_order({**ORDER, "FulfillmentChannel": word}, [LINE], "page 1 row 1")
    assert isinstance(order, Order)
    assert order.fulfillmentChannel == channel


@pytest.mark.parametrize(
    ("order", "lines", "reason", "field"),
    [
        (None, [], "missing", "page 1 row 1: order"),
        ([], [], "wrong_type", "page 1 row 1: order"),
        (without(ORDER, "AmazonOrderId"), [], "missing", "page 1 row 1: AmazonOrderId"),
        ({**ORDER, "AmazonOrderId": 7}, [], "wrong_type", "page 1 row 1: AmazonOrderId"),
        (without(ORDER, "MarketplaceId"), [LINE], "missing", "MarketplaceId"),
        ({**ORDER, "LastUpdateDate": "soon"}, [LINE], "wrong_value", "LastUpdateDate"),
        ({**ORDER, "OrderTotal": {"Amount": "1"}}, [LINE], "missing", "OrderTotal.CurrencyCode"),
        ({**ORDER, "OrderTotal": {"Amount": 1.5, "CurrencyCode": "EUR"}}, [LINE], "wrong_type", "OrderTotal.Amount"),
        (ORDER, [None], "missing", "OrderItems"),
        (ORDER, [without(LINE, "QuantityOrdered")], "missing", "OrderItems.QuantityOrdered"),
        (ORDER, [{**LINE, "QuantityOrdered": -1}], "wrong_value", "OrderItems.QuantityOrdered"),
        (ORDER, [LINE, {**LINE, "Title": "other"}], "conflicting_items", "OrderItems.OrderItemId"),
        (ORDER, [{**LINE, "Title": "a\x00b"}], "unstorable_character", "OrderItems.Title"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_field(order: Any, lines: list[Any], reason: str, field: str) -> None:
    row = parse_v0_order(order, lines, "page 1 row 1")
    assert isinstance(row, Rejected)
    assert (row.reason, row.field, row.lines) == (reason, field, len(lines))


class Pages:
    """Answers of v0 as given: the simulator never splits the lines of an order into pages."""

    endpoint = "https://api.example"

    def __init__(self, *lists: dict[str, Any]) -> None:
        self._lists = iter(lists)
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def get(self, operation: str, path: str, params: Mapping[str, str], *, payload_key: str) -> Answer:
        assert payload_key == "payload"
        self.asked.append((operation, path, dict(params)))
        if operation == "getOrders":
            return Answer({"payload": {"Orders": [ORDER]}}, None)
        return Answer({"payload": next(self._lists)}, None)

    def post(self, operation: str, path: str, body: Mapping[str, Any], *, payload_key: str) -> Answer:
        raise AssertionError("v0 is only read")

    def download(self, url: str) -> AbstractContextManager[tuple[Mapping[str, str], Iterator[bytes]]]:
        raise AssertionError("v0 has no documents")

    def pause(self, seconds: float, why: str) -> None:
        raise AssertionError("v0 waits for nothing of its own")


def read(pages: Pages, place: Place = Place()) -> list[Page]:  # noqa: B008 - frozen
    source = V0Source()
    task = Task(FRANCE, datetime(2025, 10, 14, tzinfo=UTC), datetime(2026, 1, 12, tzinfo=UTC))
    return list(source.read(source.query(task), place, pages, page_size=100))


def test_all_pages_of_an_orders_lines_are_read() -> None:
    pages = Pages(
        {"OrderItems": [LINE], "NextToken": "a/+ ="},
        {"OrderItems": [{**LINE, "OrderItemId": "2"}], "NextToken": "b"},
        {"OrderItems": [{**LINE, "OrderItemId": "3"}]},
    )
    (page,) = read(pages)
    assert [item.externalItemId for item in page.orders[0].items] == ["1", "2", "3"]
    assert page.last
    assert page.weaker
    path = "/orders/v0/orders/407-8949262-6149120/orderItems"
    assert pages.asked[1:] == [
        ("getOrderItems", path, {}),
        ("getOrderItems", path, {"NextToken": "a/+ ="}),
        ("getOrderItems", path, {"NextToken": "b"}),
    ]


def test_a_reading_goes_on_with_the_token_and_the_same_filters() -> None:
    pages = Pages({"OrderItems": [LINE]})
    read(pages, Place("token", 3))
    assert pages.asked[0][2] == {
        "MarketplaceIds": FRANCE,
        "CreatedAfter": "2025-10-14T00:00:00Z",
        "CreatedBefore": "2026-01-12T00:00:00Z",
        "MaxResultsPerPage": "100",
        "NextToken": "token",
    }


def test_a_token_of_lines_that_repeats_is_an_error_and_not_an_endless_loop() -> None:
    pages = Pages(*({"OrderItems": [LINE], "NextToken": "same"} for _ in range(5)))
    with pytest.raises(UnexpectedAnswerError, match="list of them does not end") as caught:
        read(pages)
    assert len(pages.asked) == 3
    assert "same" not in str(caught.value)


def test_lines_without_an_end_are_given_up() -> None:
    pages = Pages(*({"OrderItems": [LINE], "NextToken": str(at)} for at in range(MOST_ITEM_PAGES + 5)))
    with pytest.raises(UnexpectedAnswerError, match="does not end"):
        read(pages)
    assert len(pages.asked) == 1 + MOST_ITEM_PAGES


@pytest.mark.parametrize(
    "answer", [[], None, {}, {"OrderItems": None}, {"OrderItems": {}}, {"OrderItems": [], "NextToken": 7}]
)
def test_another_frame_is_an_error_and_not_an_order_without_lines(answer: Any) -> None:
    with pytest.raises(UnexpectedAnswerError, match="its frame is not that of the Orders API v0"):
        read(Pages(answer))
