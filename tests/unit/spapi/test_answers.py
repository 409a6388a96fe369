# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer means: LWA's and the Selling Partner API's, one exception each, and never a word of the body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import lwa, marketplaces, source_search
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import (
    AccessRefused,
    Answer,
    BadRequest,
    PageTokenRefused,
    Throttled,
    TooRecent,
    Unavailable,
    read_answer,
)

CANARY = "CANARY-secret-in-a-body"


def api(status: int, body: Any, headers: dict[str, str] | None = None) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer("asking", "https://a/b", status=status, headers=headers or {}, body=raw, payload_key="orders")


def errors(code: str, message: str = CANARY) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message, "details": CANARY}]}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"orders": [{"orderId"', Unavailable),
        (200, {}, Unavailable),
        (200, [], Unavailable),
        (200, b"", Unavailable),
        (200, {"orders": [], **errors("InternalFailure")}, Unavailable),
        (302, b"", Unavailable),
        (429, b"<html>CANARY</html>", Throttled),
        (429, {"message": CANARY}, Throttled),
        (429, errors("QuotaExceeded"), Throttled),
        (503, b"<html>CANARY</html>", Unavailable),
        (500, errors("InternalFailure"), Unavailable),
        (401, errors("Unauthorized"), AccessRefused),
        (403, {"errors": {"code": "Unauthorized"}}, AccessRefused),
        (400, errors("InvalidInput", "The paginationToken you have submitted is not valid."), PageTokenRefused),
        (400, errors("InvalidInput", "The most updated data is 2 minutes after an order is created"), TooRecent),
        (400, errors("InvalidInput"), BadRequest),
        (404, b"nothing", BadRequest),
    ],
)
def test_each_bad_answer_is_one_failure_and_never_an_empty_page(status: int, body: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        api(status, body)
    assert type(caught.value) is kind
    assert "CANARY" not in str(caught.value)


def test_an_error_code_that_is_not_amazons_is_not_shown() -> None:
    with pytest.raises(BadRequest) as caught:
        api(400, errors(CANARY))
    assert CANARY not in str(caught.value)


def test_the_rate_is_taken_from_a_good_answer() -> None:
    assert api(200, {"orders": []}, {"x-amzn-RateLimit-Limit": "0.0056"}).rate == 0.0056


@pytest.mark.parametrize(
    "payload",
    [{"orders": {}}, {"orders": [], "pagination": []}, {"orders": [], "pagination": {"nextToken": 7}}],
)
def test_a_page_whose_frame_is_wrong_is_not_read(payload: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedAnswerError):
        source_search.read_page("https://a", Answer(payload, None), 1)


def test_every_row_of_a_page_is_an_order_or_rejected() -> None:
    page = source_search.read_page("https://a", Answer({"orders": [None, {"orderId": "x"}, 3]}, None), 2)
    assert (page.fetched, len(page.orders), len(page.rejected), page.next_token) == (3, 0, 3, None)


def grant(status: int, body: Any, grant_type: str = "refresh_token") -> lwa.AccessToken:
    client = lwa.LwaClient("https://127.0.0.1:1/auth/o2/token")
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client._read("asking", grant_type, status, raw)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": "invalid_client", "error_description": CANARY}, lwa.InvalidClient),
        (400, {"error": "invalid_grant", "error_description": CANARY}, lwa.InvalidGrant),
        (400, {"error": "unauthorized_client"}, lwa.UnauthorizedClient),
        (400, {"error": "invalid_scope"}, lwa.InvalidScope),
        (400, {"error": "invalid_request"}, lwa.LwaRefused),
        (400, {"error": CANARY}, lwa.LwaRefused),
        (400, {"error": "server_error"}, lwa.LwaUnavailable),
        (503, {"error": CANARY}, lwa.LwaUnavailable),
        (503, b"<html>CANARY", lwa.LwaUnavailable),
        (200, b'{"access_token": "Atza|CANARY', lwa.LwaUnavailable),
        (200, [], lwa.LwaUnavailable),
        (200, {"access_token": "", "expires_in": 3600}, lwa.LwaUnavailable),
        (200, {"access_token": CANARY, "expires_in": True}, lwa.LwaUnavailable),
        (200, {"access_token": CANARY}, lwa.LwaUnavailable),
        (200, {"expires_in": 3600}, lwa.LwaUnavailable),
    ],
)
def test_each_answer_of_lwa_has_one_meaning(status: int, body: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        grant(status, body)
    assert type(caught.value) is kind
    assert "CANARY" not in str(caught.value)


def test_a_token_does_not_show_itself() -> None:
    token = grant(200, {"access_token": CANARY, "expires_in": 3600, "refresh_token": CANARY})
    assert (token.value, token.expires_in) == (CANARY, 3600)
    assert CANARY not in repr(token)


def test_an_authorization_code_is_never_tried_twice() -> None:
    pauses: list[float] = []
    client = lwa.LwaClient("https://127.0.0.1:1/auth/o2/token", timeout=1, sleep=pauses.append)
    with pytest.raises(lwa.LwaUnavailable):
        client.exchange_code("id", CANARY, "code")
    assert pauses == []
    with pytest.raises(lwa.LwaUnavailable, match="no connection"):
        client.refresh("id", CANARY, CANARY)
    assert len(pauses) == lwa.TRIES - 1


@pytest.mark.parametrize("url", ["http://api.amazon.com/auth/o2/token", "https://u:p@host/", "api.amazon.com", ""])
def test_credentials_go_to_https_only(url: str) -> None:
    with pytest.raises(BadInputError, match="amazon_lwa_url"):
        lwa.LwaClient(url)


def test_all_23_marketplaces_have_an_area_and_a_place_to_log_in() -> None:
    assert len(marketplaces.MARKETPLACES) == 23
    assert marketplaces.endpoint_of("A13V1IB3VIYZZH") == "https://sellingpartnerapi-eu.amazon.com"
    assert marketplaces.area_of("us-west-2") == marketplaces.area_of("FE") == "fe"
    with pytest.raises(BadInputError):
        marketplaces.marketplace("FR")
