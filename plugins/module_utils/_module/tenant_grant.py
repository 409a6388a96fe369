# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Where a tenant's token comes from, and what Amazon says of it. Each failure has one meaning."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    KeybuzzError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_documents import Content
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_plan import Grant
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import consent
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import (
    InvalidClient,
    InvalidGrant,
    LwaClient,
    UnauthorizedClient,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.given import given_token


class UnreadableToken(BadInputError):
    """The file that should hold the seller's token cannot be read."""


def given(params: Mapping[str, Any], protect: Callable[[Iterable[str | None]], None]) -> str | None:
    """The refresh token that the user gave. :raises UnreadableToken: its file cannot be read."""
    try:
        return given_token(params, "refresh_token", protect)
    except BadInputError as error:
        raise UnreadableToken(error.doing, error.address, error.answered, error.remedy) from None


@dataclass(frozen=True)
class Offered:
    """What the user gave to connect with.

    :param token: reads the given refresh token; called only if no stored one works, as few hosts hold the file.
    :param code: authorization code of a consent, with the ``state`` that came back beside it.
    :param lifetime: seconds a state is good for.
    :param before_exchange: called before the code is exchanged, which can be done once.
    """

    tenant: str
    token: Callable[[], str | None] = field(repr=False)
    code: str | None = field(repr=False)
    state: str | None
    lifetime: float
    before_exchange: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Examined:
    """The grant, and what to tell the user beside it.

    :param failure: why Amazon could not or would not say; raised when it stands in the way of a repair.
    """

    grant: Grant
    warnings: tuple[str, ...] = ()
    failure: KeybuzzError | None = None


def examine(
    lwa: LwaClient,
    app: Content,
    tenant: Content,
    offered: Offered,
    protect: Callable[[Iterable[str | None]], None],
    *,
    may_exchange: bool,
    now: Callable[[], float] = time.time,
) -> Examined:
    """The stored token if it works, else the given one, else the code, else the seller has to agree.

    :param may_exchange: a code has one use: it is exchanged outside check mode only.
    """
    stored = tenant.values.get("refresh_token")
    if app.lacks("client_id", "client_secret"):
        return Examined(_without_app(app, stored, offered))
    credentials = app.values["client_id"], app.values["client_secret"]
    refused: list[str] = []
    try:
        for kind, words in (("kept", "stored"), ("new", "given")):
            token = stored if kind == "kept" else offered.token()
            if not token or (kind == "new" and token == stored):
                continue
            try:
                protect([lwa.refresh(*credentials, token).value])
            except (InvalidGrant, UnauthorizedClient) as error:
                refused.append(f"Amazon does not accept the {words} refresh token: {error.answered}.")
                continue
            proven = f"Amazon accepts the {words} refresh token."
            return Examined(
                Grant("kept", proven, token) if kind == "kept" else Grant("new", proven, token), tuple(refused)
            )
        if offered.code:
            return _by_code(lwa, app, offered, protect, refused, may_exchange=may_exchange, now=now)
    except InvalidClient as error:
        why = f"Amazon does not accept the application's credentials: {error.answered}. This is not the seller's fault."
        return Examined(Grant("app_refused", why), tuple(refused), error)
    except (UnreachableError, UnreadableToken) as error:
        what = "Amazon did not say" if isinstance(error, UnreachableError) else "The given token cannot be read here"
        return Examined(Grant("unknown", f"{what}: {error.answered}."), tuple(refused), error)
    why = refused[0] if stored and refused else "There is no refresh token of this seller."
    return Examined(Grant("consent", why), tuple(refused))


def _by_code(
    lwa: LwaClient,
    app: Content,
    offered: Offered,
    protect: Callable[[Iterable[str | None]], None],
    refused: list[str],
    *,
    may_exchange: bool,
    now: Callable[[], float],
) -> Examined:
    client_id, client_secret = app.values["client_id"], app.values["client_secret"]
    if not offered.state:
        raise BadInputError(
            "reading option",
            "oauth_state",
            "a code was given without the state that came back with it",
            "Give both parameters of the address that Amazon sent the seller back to.",
        )
    consent.check_state(client_secret, offered.tenant, offered.state, now(), offered.lifetime)
    if not may_exchange:
        return Examined(Grant("exchange", "An authorization code was given."), tuple(refused))
    offered.before_exchange()
    token = lwa.exchange_code(client_id, client_secret, str(offered.code), app.values.get("redirect_uri"))
    protect([token.value, token.refresh_token])
    why = "Amazon exchanged the code for a refresh token."
    return Examined(Grant("new", why, token.refresh_token, exchanged=True), tuple(refused))


def _without_app(app: Content, stored: str | None, offered: Offered) -> Grant:
    lacking = ", ".join(app.lacks("client_id", "client_secret"))
    why = f"The application's document lacks {lacking}: nothing can be asked of Amazon."
    token = stored or offered.token()
    if token:
        return Grant("unproven", why, token)
    return Grant("app_missing", why)


def consent_facts(
    app: Content, tenant: str, seller_central: str, now: float, options: Mapping[str, Any]
) -> dict[str, str]:
    """The address the seller has to open, and the state it carries. Empty without the application's document."""
    if app.lacks("client_secret", "application_id"):
        return {}
    state = consent.new_state(app.values["client_secret"], tenant, now)
    return {
        "oauth_state": state,
        "consent_url": consent.consent_url(
            seller_central,
            app.values["application_id"],
            state,
            app.values.get("redirect_uri"),
            draft=bool(options.get("draft_application")),
        ),
    }
