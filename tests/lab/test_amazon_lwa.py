# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Login with Amazon and the consent page: who gets in, and in which words the others are refused."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.lab.amazon_caller import PARTICIPATIONS, Caller, error_of

REVOKED = (
    "The request has an invalid grant parameter : refresh_token. User may have revoked or didn't grant the permission."
)
BAD_CODE = "The request has an invalid grant parameter : code"


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    document = answer.json()
    assert set(document) == {"error", "error_description"}
    return answer.status_code, document["error"], document["error_description"]


def test_refresh_grant_returns_an_hour_of_access_and_the_submitted_refresh_token(caller: Caller) -> None:
    answer = caller.refresh()
    assert answer.status_code == 200
    document = answer.json()
    assert document.pop("access_token").startswith("Atza|")
    assert document == {
        "token_type": "bearer",
        "expires_in": 3600,
        "refresh_token": caller.simulator.refresh_tokens["ecomlg-001"],
    }


def test_access_token_dies_after_an_hour_of_the_simulators_clock(caller: Caller) -> None:
    assert caller.get(PARTICIPATIONS).status_code == 200
    caller.simulator.admin.clock(advance=3599)
    assert caller.get(PARTICIPATIONS).status_code == 200
    caller.simulator.admin.clock(advance=2)
    answer = caller.get(PARTICIPATIONS)
    assert error_of(answer) == (403, "Unauthorized", "Access to requested resource is denied.")
    assert answer.json()["errors"][0]["details"] == "The access token you provided has expired."


def test_client_credentials_prove_the_application_without_any_seller(caller: Caller) -> None:
    answer = caller.lwa(grant_type="client_credentials", scope="sellingpartnerapi::notifications")
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()
    headers = {"x-amz-access-token": answer.json()["access_token"]}
    assert caller.http.get(PARTICIPATIONS, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"refresh_token": "Atzr|other"}, (400, "invalid_grant", REVOKED)),
        ({"client_secret": "wrong"}, (401, "invalid_client", "Client authentication failed")),
        ({"client_id": "wrong"}, (401, "invalid_client", "Client authentication failed")),
        (
            {"refresh_token": ""},
            (400, "invalid_request", "The request is missing a required parameter : refresh_token"),
        ),
        (
            {"grant_type": ""},
            (400, "invalid_request", "The request is missing a required parameter : grant_type"),
        ),
        (
            {"grant_type": "password"},
            (
                400,
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server",
            ),
        ),
        (
            {"grant_type": "client_credentials", "scope": "profile"},
            (400, "invalid_scope", "The request has an invalid scope"),
        ),
        (
            {"grant_type": "client_credentials"},
            (400, "invalid_request", "The request is missing a required parameter : scope"),
        ),
        ({"grant_type": "authorization_code", "code": "unknown"}, (400, "invalid_grant", BAD_CODE)),
    ],
)
def test_each_wrong_form_has_its_own_error(
    caller: Caller, form: dict[str, str], expected: tuple[int, str, str]
) -> None:
    good = {"grant_type": "refresh_token", "refresh_token": caller.simulator.refresh_tokens["ecomlg-001"]}
    assert refused(caller.lwa(**{**good, **form})) == expected


def test_credentials_outside_the_form_body_do_not_count(caller: Caller) -> None:
    basic = (caller.simulator.client_id, caller.simulator.client_secret)
    answer = caller.http.post("/auth/o2/token", data={"grant_type": "client_credentials"}, auth=basic)
    assert refused(answer)[:2] == (400, "invalid_request")
    answer = caller.http.post("/auth/o2/token", json={**caller.credentials(), "grant_type": "refresh_token"})
    assert refused(answer)[:2] == (400, "invalid_request")


def test_withdrawn_consent_is_invalid_grant_at_lwa_and_403_at_the_api(caller: Caller) -> None:
    caller.headers()
    caller.simulator.admin.seller("ecomlg-001", revoked=True)
    assert refused(caller.refresh()) == (400, "invalid_grant", REVOKED)
    assert caller.get(PARTICIPATIONS).status_code == 403


def exchange(caller: Caller, code: str, **form: str) -> httpx.Response:
    full = {"grant_type": "authorization_code", "code": code, "redirect_uri": caller.simulator.redirect_uri}
    return caller.lwa(**{**full, **form})


def test_code_becomes_a_working_refresh_token_once(caller: Caller) -> None:
    consent = caller.simulator.admin.consent("switaa-002", state="s")
    assert consent["selling_partner_id"] == "A2SWITAA00002X"
    first = exchange(caller, consent["code"])
    assert first.status_code == 200
    token = first.json()["refresh_token"]
    assert token.startswith("Atzr|")
    assert caller.lwa(grant_type="refresh_token", refresh_token=token).status_code == 200
    assert refused(exchange(caller, consent["code"])) == (400, "invalid_grant", BAD_CODE)
    issued = caller.simulator.admin.issued()
    assert token in issued["refresh_tokens"]
    assert consent["code"] in issued["codes"]


def test_code_dies_after_five_minutes(caller: Caller) -> None:
    consent = caller.simulator.admin.consent("switaa-002")
    caller.simulator.admin.clock(advance=301)
    assert refused(exchange(caller, consent["code"])) == (400, "invalid_grant", BAD_CODE)


def test_code_needs_the_redirect_uri_it_was_asked_with(caller: Caller) -> None:
    admin = caller.simulator.admin
    code = admin.consent("switaa-002")["code"]
    assert refused(exchange(caller, code, redirect_uri="https://elsewhere.example/")) == (
        400,
        "invalid_grant",
        BAD_CODE,
    )
    given = admin.consent("switaa-002", redirect_uri=caller.simulator.redirect_uri)["code"]
    assert refused(exchange(caller, given, redirect_uri=""))[1] == "invalid_grant"


def test_consent_page_sends_the_seller_back_with_state_and_code(caller: Caller) -> None:
    state = 'a"<b>&c'
    page = caller.http.get(
        "/apps/authorize/consent",
        params={"application_id": caller.simulator.application_id, "state": state, "version": "beta"},
    )
    assert page.status_code == 200
    assert page.headers["referrer-policy"] == "no-referrer"
    assert state not in page.text
    assert re.search(r'<button name="selling_partner_id" value="A12BCIS2R7HD4D">', page.text)
    answer = caller.http.post(
        "/apps/authorize/consent",
        data={
            "application_id": caller.simulator.application_id,
            "state": state,
            "selling_partner_id": "A12BCIS2R7HD4D",
        },
    )
    assert answer.status_code == 302
    target = urlsplit(answer.headers["location"])
    assert target._replace(query="").geturl() == caller.simulator.redirect_uri
    query = parse_qs(target.query)
    assert query["state"] == [state]
    assert query["selling_partner_id"] == ["A12BCIS2R7HD4D"]
    assert exchange(caller, query["spapi_oauth_code"][0]).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"application_id": "amzn1.sellerapps.app.other"},
        {"state": ""},
        {"redirect_uri": "https://elsewhere.example/"},
        {"version": "alpha"},
    ],
)
def test_consent_page_refuses_a_wrong_request(caller: Caller, wrong: dict[str, str]) -> None:
    asked = {"application_id": caller.simulator.application_id, "state": "s", **wrong}
    assert caller.http.get("/apps/authorize/consent", params=asked).status_code == 400


def test_request_log_holds_no_secret(caller: Caller, tmp_path: Path) -> None:
    caller.refresh()
    exchange(caller, caller.simulator.admin.consent("switaa-002", state="statevalue")["code"])
    caller.http.get("/apps/authorize/consent", params={"application_id": "x", "state": "statevalue"})
    issued = caller.simulator.admin.issued()
    secrets = [caller.simulator.client_secret, *caller.simulator.refresh_tokens.values(), "statevalue"]
    secrets += [value for values in issued.values() for value in values]
    written = caller.simulator.log.read_text() + str(caller.simulator.admin.requests())
    assert '"operation": "token"' in written
    assert not [secret for secret in secrets if secret in written or secret.replace("\\", "\\\\") in written]
