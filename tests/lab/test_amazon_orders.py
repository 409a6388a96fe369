# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders 2026-01-01: every rule of a request, and what of an order it brings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.amazon.clock import iso
from lab.amazon.fixture import orders
from lab.amazon.orders_2026 import DATA_SETS, ITEM_FIELDS, ORDER_FIELDS
from tests.lab.amazon_caller import PARTICIPATIONS, SEARCH, SINCE, UNTIL, Caller, error_of
from tests.lab.amazon_process import FRANCE

BAD_TOKEN = (
    "The paginationToken you have submitted is not valid. All parameters must match the original request "
    "except maxResultsPerPage."
)
TOO_RECENT = (
    "The input you have submitted is not valid. Note that the error may be due to a systematic delay in data "
    "retrieval. The most updated data is 2 minutes after an order is created or last updated. If you set the "
    "CreatedBefore or LastUpdatedBefore parameters, please provide a date that is at least 2 minutes before "
    "current time and try again."
)


@pytest.mark.parametrize(
    "query",
    [
        {"createdAfter": None, "createdBefore": None},
        {"lastUpdatedAfter": SINCE},
        {"lastUpdatedBefore": UNTIL},
        {"createdAfter": None, "lastUpdatedAfter": SINCE},
        {"createdAfter": "yesterday"},
        {"createdAfter": "2025-10-14"},
        {"createdAfter": "2025-10-14T12:00:00"},
        {"createdAfter": ""},
        {"createdBefore": "2025-10-14T11:59:59Z"},
        {"maxResultsPerPage": 0},
        {"maxResultsPerPage": 101},
        {"maxResultsPerPage": "ten"},
        {"marketplaceIds": "A13V1IB3VIYZZX"},
        {"marketplaceIds": ",".join([FRANCE] * 51)},
        {"fulfillmentStatuses": "Shipped"},
        {"fulfillmentStatuses": "SHIPPED,"},
        {"fulfilledBy": "AFN"},
        {"includedData": "PROCEEDS,ADDRESS"},
    ],
)
def test_request_that_breaks_a_rule_is_invalid_input(caller: Caller, query: dict[str, Any]) -> None:
    assert error_of(caller.search(**query))[:2] == (400, "InvalidInput")


def test_end_less_than_two_minutes_ago_is_refused_in_amazons_words(caller: Caller) -> None:
    now = datetime.now(UTC)
    assert error_of(caller.search(createdBefore=iso(now - timedelta(seconds=100)))) == (
        400,
        "InvalidInput",
        TOO_RECENT,
    )
    assert caller.search(createdBefore=iso(now - timedelta(seconds=125))).status_code == 200
    assert error_of(caller.search(createdAfter=iso(now), createdBefore=None))[2] == TOO_RECENT


def test_two_minutes_are_those_of_the_simulators_clock(caller: Caller) -> None:
    report_noon = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
    caller.simulator.admin.clock(offset=(report_noon - datetime.now(UTC)).total_seconds())
    caller = Caller(caller.simulator)
    assert error_of(caller.search())[2] == TOO_RECENT
    caller.simulator.admin.clock(advance=120)
    assert caller.search().status_code == 200


def test_omitted_end_is_set_two_minutes_ago_and_returned(caller: Caller) -> None:
    before = caller.search(createdBefore=None).json()["createdBefore"]
    age = datetime.now(UTC) - datetime.fromisoformat(before)
    assert timedelta(seconds=119) < age < timedelta(seconds=130)
    updated = caller.search(createdAfter=None, createdBefore=None, lastUpdatedAfter=SINCE).json()
    assert "lastUpdatedBefore" in updated
    assert "createdBefore" not in updated


def test_both_ends_of_the_window_belong_to_it(caller: Caller) -> None:
    known = caller.search(createdAfter="2025-11-21T08:14:22Z", createdBefore="2025-11-22T12:00:24+00:00").json()
    ids = [order["orderId"] for order in known["orders"]]
    assert ids[0] == "404-2784976-3968305"
    assert ids[-1] == "407-8949262-6149120"
    assert len(ids) == 5


def test_changed_order_comes_back_by_its_last_update_only(caller: Caller) -> None:
    order_id = orders()[-1]["orderId"]
    at = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)
    caller.simulator.admin.change_order("ecomlg-001", order_id, "SHIPPED", at=at)
    answer = caller.search(
        createdAfter=None,
        createdBefore=None,
        lastUpdatedAfter="2026-01-31T00:00:00Z",
        includedData="FULFILLMENT,PROCEEDS",
    )
    (order,) = answer.json()["orders"]
    assert order["orderId"] == order_id
    assert order["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    assert order["proceeds"]["grandTotal"]["currencyCode"] == "EUR"
    assert caller.search(createdAfter="2026-01-31T00:00:00Z", createdBefore=None).json()["orders"] == []


def test_filters_by_status_channel_and_marketplace(caller: Caller) -> None:
    def found(**query: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = caller.search(includedData="FULFILLMENT", **query).json()["orders"]
        return rows

    assert len(found(fulfillmentStatuses="CANCELLED")) == 6
    both = found(fulfillmentStatuses="CANCELLED,PENDING")
    assert {order["fulfillment"]["fulfillmentStatus"] for order in both} == {"CANCELLED", "PENDING"}
    amazon, merchant = (len(found(fulfilledBy=channel)) for channel in ("AMAZON", "MERCHANT"))
    assert min(amazon, merchant) > 0
    assert amazon + merchant == 94
    assert found(marketplaceIds="APJ6JRA9NG5V4") == []
    assert len(found(marketplaceIds=None)) == 94


def test_marketplace_in_which_the_seller_does_not_sell_is_forbidden(caller: Caller) -> None:
    assert error_of(caller.search(marketplaceIds="ATVPDKIKX0DER"))[:2] == (403, "Unauthorized")
    caller.simulator.admin.seller("ecomlg-001", not_participating=[FRANCE])
    assert caller.search().status_code == 403


def test_pages_join_to_the_whole_and_the_last_has_no_pagination(caller: Caller) -> None:
    rows: list[str] = []
    token: str | None = None
    pages = 0
    while True:
        page = caller.search(maxResultsPerPage=30, paginationToken=token).json()
        rows += [order["orderId"] for order in page["orders"]]
        pages += 1
        if "pagination" not in page:
            break
        token = page["pagination"]["nextToken"]
    assert pages == 4
    assert rows == [order["orderId"] for order in orders()]


def test_full_last_page_has_no_pagination(caller: Caller) -> None:
    assert "pagination" not in caller.search(maxResultsPerPage=94).json()
    assert caller.search(maxResultsPerPage=93).json()["pagination"]["nextToken"]


def first_token(caller: Caller, **query: Any) -> str:
    return str(caller.search(maxResultsPerPage=50, **query).json()["pagination"]["nextToken"])


def test_token_takes_another_page_size_and_other_data_sets(caller: Caller) -> None:
    token = first_token(caller)
    answer = caller.search(paginationToken=token, maxResultsPerPage=7, includedData="PROCEEDS")
    assert len(answer.json()["orders"]) == 7


@pytest.mark.parametrize(
    "query",
    [
        {"createdAfter": "2025-10-14T12:00:01Z"},
        {"createdBefore": None},
        {"createdAfter": None, "createdBefore": None, "marketplaceIds": None},
        {"marketplaceIds": "APJ6JRA9NG5V4"},
        {"fulfilledBy": "AMAZON"},
        {"fulfillmentStatuses": "SHIPPED"},
    ],
)
def test_token_with_other_parameters_is_refused(caller: Caller, query: dict[str, Any]) -> None:
    token = first_token(caller)
    assert error_of(caller.search(paginationToken=token, **query)) == (400, "InvalidInput", BAD_TOKEN)


def test_token_lives_24_hours(caller: Caller) -> None:
    token = first_token(caller)
    caller.simulator.admin.clock(advance=24 * 3600 - 5)
    caller = Caller(caller.simulator)
    assert caller.search(paginationToken=token).status_code == 200
    caller.simulator.admin.clock(advance=10)
    assert error_of(caller.search(paginationToken=token)) == (400, "InvalidInput", BAD_TOKEN)


def test_token_of_nobody_and_of_another_seller_is_refused(caller: Caller) -> None:
    token = first_token(caller)
    other = Caller(caller.simulator, "switaa-002")
    for who, text in ((other, token), (caller, token[:-4]), (caller, "é"), (caller, "")):
        assert error_of(who.search(paginationToken=text))[2] == BAD_TOKEN


def test_token_keeps_the_end_that_the_first_page_set(caller: Caller) -> None:
    first = caller.search(createdBefore=None, maxResultsPerPage=50).json()
    token = first["pagination"]["nextToken"]
    caller.simulator.admin.clock(advance=600)
    second = caller.search(createdBefore=None, paginationToken=token).json()
    assert second["createdBefore"] == first["createdBefore"]


def fields_seen(order: dict[str, Any]) -> set[str]:
    return set(order) | {f"item.{name}" for item in order["orderItems"] for name in item}


@pytest.mark.parametrize("data_set", sorted(DATA_SETS))
def test_data_set_brings_its_fields_and_no_other(caller: Caller, data_set: str) -> None:
    gated = set(ORDER_FIELDS) | {f"item.{name}" for name in ITEM_FIELDS}
    expected = {name for name, source in ORDER_FIELDS.items() if source == data_set}
    expected |= {f"item.{name}" for name, source in ITEM_FIELDS.items() if source == data_set}
    seen: set[str] = set()
    for order in caller.search(includedData=data_set).json()["orders"]:
        seen |= fields_seen(order) & gated
    assert seen == expected


def test_unit_price_is_in_no_data_set(caller: Caller) -> None:
    rows = caller.search().json()["orders"]
    assert not set().union(*map(fields_seen, rows)) & (set(ORDER_FIELDS) | {f"item.{name}" for name in ITEM_FIELDS})
    assert rows[0]["orderItems"][0]["product"]["price"]["unitPrice"]["amount"]


def test_get_order_brings_one_order_gated_alike(caller: Caller) -> None:
    wanted = orders()[10]
    bare = caller.get(f"{SEARCH}/{wanted['orderId']}").json()["order"]
    assert bare["orderId"] == wanted["orderId"]
    assert "proceeds" not in bare
    full = caller.get(f"{SEARCH}/{wanted['orderId']}", includedData=",".join(DATA_SETS)).json()["order"]
    assert full == wanted
    assert error_of(caller.get(f"{SEARCH}/000-0000000-0000000"))[:2] == (404, "NotFound")


def test_participations_say_where_the_seller_sells(caller: Caller) -> None:
    caller.simulator.admin.seller("ecomlg-001", not_participating=["APJ6JRA9NG5V4"], suspended=[FRANCE])
    france, italy = caller.get(PARTICIPATIONS).json()["payload"]
    assert france["marketplace"]["id"] == FRANCE
    assert france["participation"] == {"isParticipating": True, "hasSuspendedListings": True}
    assert italy["participation"] == {"isParticipating": False, "hasSuspendedListings": False}


def test_access_is_refused_without_a_token_and_with_a_foreign_one(caller: Caller) -> None:
    bare = caller.http.get(SEARCH)
    assert error_of(bare) == (403, "Unauthorized", "Access to requested resource is denied.")
    assert bare.json()["errors"][0]["details"] == "Access token is missing in the request header."
    assert caller.http.get(SEARCH, headers={"x-amz-access-token": "Atza|other"}).status_code == 403


def test_user_agent_is_required(caller: Caller) -> None:
    for agent in ("", "x" * 501):
        answer = caller.http.get(SEARCH, headers={**caller.headers(), "user-agent": agent})
        assert error_of(answer)[:2] == (400, "InvalidInput")


def test_unknown_path_is_not_found_in_amazons_shape(caller: Caller) -> None:
    assert error_of(caller.get("/orders/2027-01-01/orders"))[:2] == (404, "NotFound")
    assert error_of(caller.http.post(SEARCH))[:2] == (404, "NotFound")


def test_request_log_names_time_operation_status_seller_and_parameters(caller: Caller) -> None:
    caller.search(includedData="PROCEEDS")
    (entry,) = caller.simulator.admin.requests("searchOrders")
    assert datetime.fromisoformat(entry["time"]).tzinfo is not None
    assert (entry["status"], entry["tenant"], entry["seller"], entry["rows"]) == (
        200,
        "ecomlg-001",
        "A12BCIS2R7HD4D",
        94,
    )
    assert entry["parameters"]["includedData"] == "PROCEEDS"
    caller.simulator.admin.clear_requests()
    assert caller.simulator.admin.requests() == []
    assert '"searchOrders"' in caller.simulator.log.read_text()
