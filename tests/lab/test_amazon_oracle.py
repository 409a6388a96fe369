# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oracle of each source against what the simulator sends by that source, and its rules on single orders."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from lab.amazon import fixture
from lab.amazon.generator import synthetic_orders
from lab.amazon.oracle import rows_of
from tests.lab.amazon_caller import SINCE, UNTIL, Caller
from tests.lab.amazon_process import FRANCE

TENANT = "ecomlg-001"
V0 = "/orders/v0/orders"
STATUSES = {
    "Pending": "PENDING",
    "Unshipped": "UNSHIPPED",
    "PartiallyShipped": "PARTIALLY_SHIPPED",
    "Shipped": "SHIPPED",
    "Canceled": "CANCELLED",
}


def order(status: str) -> dict[str, Any]:
    """A copy of the first order of the fixture in this status."""
    orders = fixture.orders()
    return copy.deepcopy(next(one for one in orders if one["fulfillment"]["fulfillmentStatus"] == status))


def rows(one: dict[str, Any], source: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    (row,), items = rows_of([one], TENANT, source)
    return row, items


def test_v0_rows_are_what_the_older_api_sends(caller: Caller) -> None:
    page = caller.get(V0, CreatedAfter=SINCE, CreatedBefore=UNTIL, MarketplaceIds=FRANCE).json()["payload"]["Orders"]
    orders, items = rows_of(fixture.orders(), TENANT, "v0")
    sent = {one["AmazonOrderId"]: one for one in page}
    assert len(sent) == len(orders) == 94
    for row in orders:
        one = sent[row["externalOrderId"]]
        total = one.get("OrderTotal")
        assert row["totalAmount"] == (Decimal(total["Amount"]) if total else None)
        assert (row["currency"], row["amountBasis"]) == (
            (total["CurrencyCode"], "ORDER_TOTAL") if total else (None,) * 2
        )
        assert row["orderStatus"] == STATUSES[one["OrderStatus"]]
        assert row["orderDate"] == datetime.fromisoformat(one["PurchaseDate"])
        assert row["lastUpdatedAt"] == datetime.fromisoformat(one["LastUpdateDate"])
        assert row["fulfillmentChannel"] == {"AFN": "AMAZON", "MFN": "MERCHANT"}[one["FulfillmentChannel"]]
    caller.simulator.admin.buckets("getOrderItems", burst=100)
    found = []
    for order_id in sent:
        payload = caller.get(f"{V0}/{order_id}/orderItems").json()["payload"]
        for line in payload["OrderItems"]:
            price = line.get("ItemPrice")
            zero = line["QuantityOrdered"] == 0
            found.append(
                {
                    "tenantId": TENANT,
                    "externalOrderId": order_id,
                    "externalItemId": line["OrderItemId"],
                    "sku": line["SellerSKU"],
                    "asin": line["ASIN"],
                    "title": line["Title"],
                    "quantityOrdered": line["QuantityOrdered"],
                    "quantityFulfilled": line["QuantityShipped"],
                    "unitPrice": None,
                    "lineTotal": Decimal(price["Amount"]) if price else None,
                    "currency": price["CurrencyCode"] if price else None,
                    "lineStatus": "CANCELLED_ZERO_QUANTITY" if zero else "ACTIVE",
                }
            )
    assert sorted(found, key=lambda row: (row["externalOrderId"], row["externalItemId"])) == items


def test_search_is_the_source_unless_another_is_named() -> None:
    assert rows_of(fixture.orders(), TENANT) == rows_of(fixture.orders(), TENANT, "search")
    assert rows_of(fixture.orders(), TENANT) == fixture.expected_rows()


def test_report_sums_its_components_and_has_whole_seconds() -> None:
    one = next(one for one in fixture.orders() if one["orderId"] == "407-8949262-6149120")
    row, (item,) = rows(one, "report")
    assert (row["totalAmount"], row["amountBasis"], row["currency"]) == (Decimal("391.84"), "REPORT_COMPONENTS", "EUR")
    assert row["lastUpdatedAt"].microsecond == 0
    assert rows(one, "search")[0]["lastUpdatedAt"].microsecond > 0
    assert (item["lineTotal"], item["unitPrice"], item["quantityFulfilled"]) == (Decimal("379.90"), None, None)


@pytest.mark.parametrize("status", ["PENDING", "CANCELLED"])
def test_pending_and_cancelled_orders_of_a_report_have_no_money(status: str) -> None:
    row, items = rows(order(status), "report")
    assert (row["totalAmount"], row["currency"], row["amountBasis"]) == (None, None, None)
    assert {(item["lineTotal"], item["currency"]) for item in items} == {(None, None)}


def test_cancelled_line_with_a_quantity_is_cancelled_in_a_report() -> None:
    one = order("CANCELLED")
    one["orderItems"][0]["quantityOrdered"] = 2
    assert rows(one, "report")[1][0]["lineStatus"] == "CANCELLED"
    one["orderItems"][0]["quantityOrdered"] = 0
    assert rows(one, "report")[1][0]["lineStatus"] == "CANCELLED_ZERO_QUANTITY"


def test_sources_agree_on_all_but_money_and_fractions_of_seconds() -> None:
    start, end = datetime.fromisoformat(SINCE), datetime.fromisoformat(UNTIL)
    orders = synthetic_orders(400, 5, start, end)
    search, report, v0 = (rows_of(orders, TENANT, source) for source in ("search", "report", "v0"))
    money = {"totalAmount", "currency", "amountBasis", "lastUpdatedAt"}
    for one, other, older in zip(search[0], report[0], v0[0], strict=True):
        same = [{name: value for name, value in row.items() if name not in money} for row in (one, other, older)]
        assert same[0] == same[1] == same[2]
        # The generator's totals are goods and shipping.
        assert one["totalAmount"] == other["totalAmount"] == older["totalAmount"]
    assert Counter(row["amountBasis"] for row in v0[0]).keys() == {"ORDER_TOTAL", None}
