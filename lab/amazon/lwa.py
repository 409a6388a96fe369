# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Login with Amazon: ``POST /auth/o2/token``.

Error codes, HTTP statuses and texts are those seen from Amazon: ``invalid_client`` is 401, all others 400.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.amazon.answers import Answer, json_answer
from lab.amazon.clock import Clock
from lab.amazon.config import Config, Seller

ACCESS_TOKEN_SECONDS = 3600
CODE_SECONDS = 300
SCOPES = ("sellingpartnerapi::notifications", "sellingpartnerapi::client_credential:rotation")

# error code -> HTTP status, text
ERRORS = {
    "invalid_client": (401, "Client authentication failed"),
    "unauthorized_client": (400, "Not authorized for requested operation"),
    "unsupported_grant_type": (400, "The authorization grant type is not supported by the authorization server"),
    "invalid_scope": (400, "The request has an invalid scope"),
    "refresh_token": (
        400,
        "The request has an invalid grant parameter : refresh_token. "
        "User may have revoked or didn't grant the permission.",
    ),
    "code": (400, "The request has an invalid grant parameter : code"),
}


@dataclass(frozen=True)
class AccessToken:
    """Whose calls a token makes; a token without a seller is good for grantless operations only."""

    seller: Seller | None
    expires: float


@dataclass
class _Code:
    seller: Seller
    expires: float
    redirect_uri: str
    redirect_was_given: bool


def _error(name: str, code: str = "") -> Answer:
    status, text = ERRORS[name]
    document = {"error": code or name, "error_description": text}
    return json_answer(document, status, error=document["error"])


def refuse(name: str) -> Answer:
    """The answer of one of ERRORS; ``refresh_token`` and ``code`` are the two kinds of invalid_grant."""
    return _error(name, "invalid_grant" if name in ("refresh_token", "code") else "")


def _missing(parameter: str) -> Answer:
    text = f"The request is missing a required parameter : {parameter}"
    return json_answer({"error": "invalid_request", "error_description": text}, 400, error="invalid_request")


class Grants:
    """Refresh tokens, codes and access tokens of one application."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._refresh: dict[str, Seller] = {
            seller.refresh_token: seller for seller in config.sellers if seller.refresh_token
        }
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, AccessToken] = {}
        self._issued: dict[str, list[str]] = {"access_tokens": [], "refresh_tokens": [], "codes": []}
        self._revoked: set[str] = set()

    def consent(self, seller: Seller, redirect_uri: str | None) -> str:
        """The seller agrees: a code for the application, good once and for five minutes."""
        code = "ANcode-CANARY-" + secrets.token_hex(9)
        self._issued["codes"].append(code)
        self._codes[code] = _Code(
            seller,
            self._clock.timestamp() + CODE_SECONDS,
            redirect_uri or self._config.redirect_uri,
            redirect_uri is not None,
        )
        return code

    def revoke(self, tenant: str, revoked: bool = True) -> None:
        """The seller withdraws (or gives back) what every refresh token of his was allowed."""
        if revoked:
            self._revoked.add(tenant)
        else:
            self._revoked.discard(tenant)

    def forget_revocations(self) -> None:
        """Every seller has agreed again."""
        self._revoked.clear()

    def revoked(self, tenant: str) -> bool:
        """Whether the seller has withdrawn."""
        return tenant in self._revoked

    def token(self, access_token: str) -> AccessToken | None:
        """What is known of an access token, expired or not."""
        return self._access.get(access_token)

    def issued(self) -> dict[str, list[str]]:
        """Every secret this simulator made up, so that a test can look for leaks of them."""
        return {kind: list(values) for kind, values in self._issued.items()}

    def seller_of(self, form: Mapping[str, str]) -> Seller | None:
        """Whose token a request is for, as far as it can be told; for the log and for faults."""
        if "refresh_token" in form:
            return self._refresh.get(form["refresh_token"])
        code = self._codes.get(form.get("code", ""))
        return code.seller if code else None

    def exchange(self, form: Mapping[str, str]) -> Answer:
        """Answers one form; credentials belong in the body."""
        for name in ("grant_type", "client_id", "client_secret"):
            if not form.get(name):
                return _missing(name)
        known = form["client_id"] == self._config.client_id
        if not known or not hmac.compare_digest(form["client_secret"].encode(), self._config.client_secret.encode()):
            return refuse("invalid_client")
        grant = {
            "refresh_token": self._by_refresh_token,
            "authorization_code": self._by_code,
            "client_credentials": self._by_credentials,
        }.get(form["grant_type"])
        return grant(form) if grant else refuse("unsupported_grant_type")

    def _by_refresh_token(self, form: Mapping[str, str]) -> Answer:
        submitted = form.get("refresh_token")
        if not submitted:
            return _missing("refresh_token")
        seller = self._refresh.get(submitted)
        if seller is None or seller.tenant in self._revoked:
            return refuse("refresh_token")
        # LWA returns the refresh token that was submitted, never a new one.
        return json_answer({**self._new_access_token(seller), "refresh_token": submitted})

    def _by_code(self, form: Mapping[str, str]) -> Answer:
        if not form.get("code"):
            return _missing("code")
        code = self._codes.pop(form["code"], None)
        if code is None or self._clock.timestamp() > code.expires:
            return refuse("code")
        given = form.get("redirect_uri")
        # RFC 6749 section 4.1.3: required when the authorization request carried one, and then identical.
        if given != code.redirect_uri and (given or code.redirect_was_given):
            return refuse("code")
        refresh_token = "Atzr|CANARY+" + secrets.token_urlsafe(24) + "/="
        self._issued["refresh_tokens"].append(refresh_token)
        self._refresh[refresh_token] = code.seller
        self._revoked.discard(code.seller.tenant)
        return json_answer({**self._new_access_token(code.seller), "refresh_token": refresh_token})

    def _by_credentials(self, form: Mapping[str, str]) -> Answer:
        scope = form.get("scope")
        if not scope:
            return _missing("scope")
        if scope not in SCOPES:
            return refuse("invalid_scope")
        return json_answer(self._new_access_token(None))

    def _new_access_token(self, seller: Seller | None) -> dict[str, Any]:
        access_token = "Atza|CANARY+" + secrets.token_urlsafe(24) + "/="
        self._issued["access_tokens"].append(access_token)
        self._access[access_token] = AccessToken(seller, self._clock.timestamp() + ACCESS_TOKEN_SECONDS)
        return {"access_token": access_token, "token_type": "bearer", "expires_in": ACCESS_TOKEN_SECONDS}
