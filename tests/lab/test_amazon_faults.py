# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault by name: what a client sees of it, and that it ends after its count."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from lab.amazon.faults import (
    API_FAULTS,
    DOCUMENT_FAULTS,
    EDGE_FAULTS,
    LWA_FAULTS,
    NAMES,
    NETWORK_FAULTS,
    REPORT_FAULTS,
    SEARCH_FAULTS,
)
from lab.errors import LabError
from tests.lab.amazon_caller import PARTICIPATIONS, Caller, error_of
from tests.lab.amazon_process import Simulator, running_simulator


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("amazon")) as running:
        yield running


@pytest.fixture
def caller(simulator: Simulator) -> Caller:
    simulator.admin.reset()
    caller = Caller(simulator)
    caller.headers()
    return caller


def is_page(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def is_error(status: int, code: str) -> Callable[[httpx.Response], None]:
    def check(answer: httpx.Response) -> None:
        assert error_of(answer)[:2] == (status, code)
        assert ("x-amzn-ratelimit-limit" in answer.headers) is False

    return check


def is_lwa_error(status: int, code: str) -> Callable[[httpx.Response], None]:
    def check(answer: httpx.Response) -> None:
        assert (answer.status_code, answer.json()["error"]) == (status, code)

    return check


def is_truncated(answer: httpx.Response) -> None:
    assert answer.status_code == 200
    assert answer.text.startswith('{"orders": [')
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def is_without_orders(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()) == (200, {})


def is_lwa_truncated(answer: httpx.Response) -> None:
    assert answer.status_code == 200
    assert answer.text.startswith('{"access_token": "')
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def is_retry_after(answer: httpx.Response) -> None:
    is_error(429, "QuotaExceeded")(answer)
    assert answer.headers["retry-after"] == "1"


def is_gateway_timeout(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()) == (504, {"message": "Endpoint request timed out"})


OUTCOMES: dict[str, Callable[[httpx.Response], None]] = {
    "throttle-storm": is_error(429, "QuotaExceeded"),
    "forbidden-403": is_error(403, "Unauthorized"),
    "internal-500": is_error(500, "InternalFailure"),
    "http-401": is_error(401, "Unauthorized"),
    "wrong-400": is_error(400, "InvalidInput"),
    "html-503": lambda answer: is_page(answer, 503),
    "html-429": lambda answer: is_page(answer, 429),
    "lwa-503-html": lambda answer: is_page(answer, 503),
    "revoked-token": is_lwa_error(400, "invalid_grant"),
    "invalid-client": is_lwa_error(401, "invalid_client"),
    "unauthorized-client": is_lwa_error(400, "unauthorized_client"),
    "truncated-200": is_truncated,
    "missing-payload-key": is_without_orders,
    "lwa-truncated": is_lwa_truncated,
    "lwa-429": is_lwa_error(429, "temporarily_unavailable"),
    "lwa-500-json": is_lwa_error(500, "server_error"),
    "quota-429-with-retry-after": is_retry_after,
    "gateway-504": is_gateway_timeout,
    "not-json-200": lambda answer: is_page(answer, 200),
    "http-413": is_error(413, "RequestTooLarge"),
}
# These have a test of their own below.
SPECIAL = {"slow", "reset", "repeated-page", "duplicate-rows", "lwa-slow"}
# These in test_amazon_search_faults and test_amazon_report_faults.
ELSEWHERE = {*SEARCH_FAULTS, *REPORT_FAULTS, *DOCUMENT_FAULTS}


def test_every_fault_has_its_test() -> None:
    assert set(OUTCOMES) | SPECIAL | ELSEWHERE == set(NAMES)


@pytest.mark.parametrize("name", sorted(OUTCOMES))
def test_fault_has_its_outcome_twice_and_then_amazon_answers_again(caller: Caller, name: str) -> None:
    call = caller.refresh if name in LWA_FAULTS else caller.search
    caller.simulator.admin.inject(name, 2)
    for _ in range(2):
        OUTCOMES[name](call())
    assert call().status_code == 200
    operation = "token" if name in LWA_FAULTS else "searchOrders"
    faults = [entry["fault"] for entry in caller.simulator.admin.requests(operation)]
    assert faults[-3:] == [name, name, None]


@pytest.mark.parametrize("name", API_FAULTS + EDGE_FAULTS + NETWORK_FAULTS)
def test_fault_of_the_api_leaves_lwa_alone_unless_it_is_named(caller: Caller, name: str) -> None:
    caller.simulator.admin.inject(name)
    assert caller.refresh().status_code == 200
    caller.simulator.admin.clear()
    if name == "html-503":
        caller.simulator.admin.inject(name, operation="token")
        is_page(caller.refresh(), 503)
        assert caller.search().status_code == 200


def test_slow_answer_comes_after_its_seconds(caller: Caller) -> None:
    caller.simulator.admin.inject("slow", seconds=0.4)
    begin = time.monotonic()
    assert caller.search().status_code == 200
    assert time.monotonic() - begin >= 0.4
    caller.simulator.admin.inject("slow", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        caller.http.get(PARTICIPATIONS, headers=caller.headers(), timeout=0.2)
    assert caller.get(PARTICIPATIONS).status_code == 200


def test_slow_lwa_comes_after_its_seconds_and_the_api_does_not_wait(caller: Caller) -> None:
    caller.simulator.admin.inject("lwa-slow", seconds=0.3)
    assert caller.search().elapsed.total_seconds() < 0.3
    assert caller.refresh().elapsed.total_seconds() >= 0.3
    assert caller.refresh().elapsed.total_seconds() < 0.3


def test_retry_after_is_the_faults_seconds(caller: Caller) -> None:
    caller.simulator.admin.inject("quota-429-with-retry-after", seconds=7)
    assert caller.search().headers["retry-after"] == "7"


def test_reset_cuts_the_connection_without_an_answer(caller: Caller) -> None:
    caller.simulator.admin.inject("reset")
    with pytest.raises(httpx.TransportError):
        caller.search()
    assert caller.search().status_code == 200
    assert [entry["status"] for entry in caller.simulator.admin.requests("searchOrders")] == [0, 200]


def ids(answer: httpx.Response) -> list[str]:
    return [order["orderId"] for order in answer.json()["orders"]]


def test_repeated_page_gives_the_same_rows_and_the_same_token_again(caller: Caller) -> None:
    first = caller.search(maxResultsPerPage=40)
    token = first.json()["pagination"]["nextToken"]
    caller.simulator.admin.inject("repeated-page")
    again = caller.search(maxResultsPerPage=40, paginationToken=token)
    assert again.json()["pagination"]["nextToken"] == token
    after = caller.search(maxResultsPerPage=40, paginationToken=token)
    assert ids(after) == ids(again)
    assert after.json()["pagination"]["nextToken"] != token


def test_repeated_first_page_leads_to_itself_once(caller: Caller) -> None:
    caller.simulator.admin.inject("repeated-page")
    first = caller.search()
    second = caller.search(paginationToken=first.json()["pagination"]["nextToken"])
    assert ids(first) == ids(second)
    assert "pagination" not in second.json()


def test_duplicate_rows_stand_on_both_sides_of_a_page_break(caller: Caller) -> None:
    first = caller.search(maxResultsPerPage=40)
    caller.simulator.admin.inject("duplicate-rows")
    second = caller.search(maxResultsPerPage=40, paginationToken=first.json()["pagination"]["nextToken"])
    third = caller.search(maxResultsPerPage=40, paginationToken=second.json()["pagination"]["nextToken"])
    assert ids(second)[:2] == ids(first)[-2:]
    rows = ids(first) + ids(second) + ids(third)
    assert len(rows) == 96
    assert len(set(rows)) == 94


def test_duplicate_rows_of_a_single_page_stand_on_it_twice(caller: Caller) -> None:
    caller.simulator.admin.inject("duplicate-rows")
    rows = ids(caller.search())
    assert len(rows) == 96
    assert len(set(rows)) == 94


def test_fault_can_wait_for_a_later_page_and_for_one_tenant(caller: Caller) -> None:
    other = Caller(caller.simulator, "switaa-002")
    caller.simulator.admin.inject("internal-500", operation="searchOrders", tenant="ecomlg-001", skip=2)
    assert [who.search().status_code for who in (caller, other, other, caller, other, caller, caller)] == [
        200,
        200,
        200,
        200,
        200,
        500,
        200,
    ]


def test_fault_without_a_count_stays_until_it_is_cleared(caller: Caller) -> None:
    caller.simulator.admin.inject("throttle-storm", None)
    assert {caller.search().status_code for _ in range(25)} == {429}
    caller.simulator.admin.clear()
    # A storm takes nothing from the bucket.
    assert caller.search().status_code == 200


def test_unknown_fault_is_refused_with_the_known_ones(caller: Caller) -> None:
    with pytest.raises(LabError, match=r"unknown fault 'rain'; known: .*throttle-storm"):
        caller.simulator.admin.inject("rain")
