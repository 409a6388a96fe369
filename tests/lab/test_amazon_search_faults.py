# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of searchOrders that are valid and yet not what one expects, each by its fault's name."""

from __future__ import annotations

from typing import Any

import pytest

from lab.amazon.faults import LATER_PAGE_FAULTS, SEARCH_FAULTS
from tests.lab.amazon_caller import SINCE, Caller, error_of

DATA = "PROCEEDS,FULFILLMENT,CANCELLATION"
TESTED = {
    "expired-page-token",
    "moved-between-pages",
    "out-of-order",
    "missing-total",
    "unknown-status",
    "unknown-fields",
}


def page(caller: Caller, **query: Any) -> dict[str, Any]:
    document: dict[str, Any] = caller.search(includedData=DATA, **query).json()
    return document


def ids(document: dict[str, Any]) -> list[str]:
    return [order["orderId"] for order in document["orders"]]


def test_every_search_fault_has_its_test() -> None:
    assert set(SEARCH_FAULTS) == TESTED


def test_page_token_can_expire_early_and_is_good_again_after_that(caller: Caller) -> None:
    token = page(caller, maxResultsPerPage=40)["pagination"]["nextToken"]
    caller.simulator.admin.inject("expired-page-token")
    refused = caller.search(includedData=DATA, maxResultsPerPage=40, paginationToken=token)
    assert error_of(refused)[:2] == (400, "InvalidInput")
    assert "paginationToken" in error_of(refused)[2]
    assert len(page(caller, maxResultsPerPage=40, paginationToken=token)["orders"]) == 40


@pytest.mark.parametrize("family", ["created", "lastUpdated"])
def test_order_of_an_earlier_page_comes_again_newer_and_in_another_status(caller: Caller, family: str) -> None:
    query = {"lastUpdatedAfter": SINCE, "createdAfter": None, "createdBefore": None} if family != "created" else {}
    first = page(caller, maxResultsPerPage=40, **query)
    caller.simulator.admin.inject("moved-between-pages")
    token = first["pagination"]["nextToken"]
    second = page(caller, maxResultsPerPage=40, paginationToken=token, **query)
    assert len(second["orders"]) <= 40
    (moved,) = set(ids(first)) & set(ids(second))
    before, after = (next(one for one in rows["orders"] if one["orderId"] == moved) for rows in (first, second))
    assert after["lastUpdatedTime"] > before["lastUpdatedTime"]
    assert after["fulfillment"]["fulfillmentStatus"] != before["fulfillment"]["fulfillmentStatus"]
    # It stays as it has become.
    (kept,) = [one for one in caller.simulator.admin.orders("ecomlg-001") if one["orderId"] == moved]
    assert kept["lastUpdatedTime"] == after["lastUpdatedTime"]
    rows = [first, second]
    while "pagination" in rows[-1]:
        token = rows[-1]["pagination"]["nextToken"]
        rows.append(page(caller, maxResultsPerPage=40, paginationToken=token, **query))
    assert len({order_id for document in rows for order_id in ids(document)}) == 94


@pytest.mark.parametrize("name", LATER_PAGE_FAULTS)
def test_fault_of_a_later_page_waits_for_one(caller: Caller, name: str) -> None:
    caller.simulator.admin.inject(name)
    first = page(caller, maxResultsPerPage=90)
    assert len(caller.simulator.admin.state()["faults"]) == 1
    caller.search(includedData=DATA, maxResultsPerPage=90, paginationToken=first["pagination"]["nextToken"])
    assert caller.simulator.admin.state()["faults"] == []


def test_rows_of_a_page_can_be_out_of_order(caller: Caller) -> None:
    expected = page(caller, maxResultsPerPage=40)
    caller.simulator.admin.inject("out-of-order")
    found = page(caller, maxResultsPerPage=40)
    assert ids(found) != ids(expected)
    assert sorted(ids(found)) == sorted(ids(expected))


def test_totals_can_be_missing(caller: Caller) -> None:
    caller.simulator.admin.inject("missing-total")
    assert not any("grandTotal" in order.get("proceeds", {}) for order in page(caller)["orders"])
    assert any("grandTotal" in order.get("proceeds", {}) for order in page(caller)["orders"])


def test_status_can_be_one_that_no_model_has(caller: Caller) -> None:
    caller.simulator.admin.inject("unknown-status")
    statuses = [order["fulfillment"]["fulfillmentStatus"] for order in page(caller)["orders"]]
    assert 0 < statuses.count("AWAITING_DRONE") < len(statuses)


def test_fields_can_be_ones_that_no_model_has(caller: Caller) -> None:
    expected = page(caller)
    caller.simulator.admin.inject("unknown-fields")
    found = page(caller)
    for order in found["orders"]:
        assert order.pop("loyalty")["tier"] == "GOLD"
        assert order.pop("salesRegion") is None
        for item in order["orderItems"]:
            assert item.pop("carbonFootprint")
            assert item["product"].pop("colour")
    assert found["orders"] == expected["orders"]
