# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Login with Amazon: the three grants, and one exception for each thing that can be wrong with them.

Written on the standard library, not on the Selling Partner library: that one sends these requests with a fixed
timeout, falls back to credentials of the environment, and dies on an answer that is not JSON. The proxies are those of
the environment, as the standard library reads them.
"""

from __future__ import annotations

import json
import random
import ssl
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    KeybuzzError,
    UnexpectedAnswerError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kept_connections import (
    KeptConnections,
    Request,
    Way,
    environment_proxy,
)

TRIES = 3
"""Tries of one grant when LWA is out of order. Its rate limit is not published, so the bound is small."""
FIRST_PAUSE = 0.5
LONGEST_ANSWER = 64 * 1024
"""Tokens have at most 2048 bytes (Amazon: Selling Partner API developer guide); more is not an answer of LWA."""
NOTIFICATIONS_SCOPE = "sellingpartnerapi::notifications"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HEADERS: Mapping[str, str] = {
    "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
    "Accept": "application/json",
    "User-Agent": "keybuzz.amazon (Language=Python)",
}


class InvalidClient(KeybuzzError):
    """``invalid_client``: the application's client id or secret is wrong or no longer valid. The app's fault."""


class InvalidGrant(KeybuzzError):
    """``invalid_grant``: the seller's refresh token or authorization code is wrong, revoked or expired."""


class UnauthorizedClient(KeybuzzError):
    """``unauthorized_client``: the refresh token was given to another application than this one."""


class InvalidScope(KeybuzzError):
    """``invalid_scope``: LWA knows the application, but does not give it this scope."""


class LwaRefused(UnexpectedAnswerError):
    """Any other refusal that LWA explains with a code, such as ``invalid_request`` or ``access_denied``."""


class LwaUnavailable(UnreachableError):
    """No usable answer: no connection, TLS not verified, time-out, HTTP 429 or 5xx, or a body that is not LWA's."""


class LwaNotTrusted(LwaUnavailable):
    """TLS verification failed: trying again does not help. Nothing was sent."""


@dataclass(frozen=True)
class AccessToken:
    """What a grant gave.

    :param value: the access token, for ``x-amz-access-token``.
    :param expires_in: seconds it lives, by LWA's word (3600).
    :param refresh_token: the refresh token LWA answered with; ``None`` for client credentials.
    """

    value: str = field(repr=False)
    expires_in: int
    refresh_token: str | None = field(default=None, repr=False)


class LwaClient:
    """The token endpoint of Login with Amazon.

    :param url: the endpoint, ``https`` only.
    :param ca_cert: PEM file with the CA to trust instead of the system's; ``None`` for the system's.
    :param timeout: seconds without progress on the connection after which a try ends.
    :param kept: connections that are kept for the next grants, for as many threads; :meth:`close` ends them. A code is
        never sent over one of them: whether it arrived could not be told when the other side has closed it.
    """

    def __init__(
        self,
        url: str,
        *,
        ca_cert: str | None = None,
        timeout: float = 30.0,
        kept: int = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self._timeout = timeout
        self._sleep = sleep
        way, self._path = _way(url, ca_cert)
        self._connections = KeptConnections(way, HEADERS, timeout=timeout, most=kept)

    def close(self) -> None:
        """End the connections that are kept."""
        self._connections.close()

    def refresh(self, client_id: str, client_secret: str, refresh_token: str) -> AccessToken:
        """Exchange a seller's refresh token for an access token. Proves application and seller at once."""
        return self._grant(
            {
                "grant_type": "refresh_token",
                "refresh_token": refresh_token,
                "client_id": client_id,
                "client_secret": client_secret,
            },
            tries=TRIES,
        )

    def exchange_code(
        self, client_id: str, client_secret: str, code: str, redirect_uri: str | None = None
    ) -> AccessToken:
        """Exchange an authorization code (life: five minutes, one use) for a refresh token. Never tried twice.

        A second try of a code that LWA has taken answers ``invalid_grant`` and would hide what really happened.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": client_id,
            "client_secret": client_secret,
        }
        if redirect_uri:
            form["redirect_uri"] = redirect_uri
        token = self._grant(form, tries=1)
        if not token.refresh_token:
            raise LwaUnavailable(
                "exchanging an authorization code at",
                self.url,
                "the answer holds no refresh token",
                "Ask the seller for consent again and use the new code within five minutes.",
            )
        return token

    def client_credentials(self, client_id: str, client_secret: str, scope: str = NOTIFICATIONS_SCOPE) -> AccessToken:
        """Grantless token: proves client id and secret without any seller."""
        return self._grant(
            {
                "grant_type": "client_credentials",
                "scope": scope,
                "client_id": client_id,
                "client_secret": client_secret,
            },
            tries=TRIES,
        )

    def _grant(self, form: Mapping[str, str], *, tries: int) -> AccessToken:
        pause = FIRST_PAUSE
        for remaining in reversed(range(tries)):
            try:
                return self._post(form)
            except LwaUnavailable as error:
                if not remaining or isinstance(error, LwaNotTrusted):
                    raise
            # Jitter, so that many tenants that failed together do not come back together.
            self._sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
            pause *= 2
        raise AssertionError("a grant is tried at least once")

    def _post(self, form: Mapping[str, str]) -> AccessToken:
        doing = f"asking for a token ({form['grant_type']}) at"
        try:
            body = urllib.parse.urlencode(form).encode()
            request = Request("POST", self._path, body, longest=LONGEST_ANSWER, once="code" in form)
            received = self._connections.send(request)
        except (OSError, HTTPException) as error:
            raise self._no_answer(doing, error) from None
        # The body of a refusal can be cut off too; its status alone still says something.
        if received.broken is not None and 200 <= received.status < 300:
            raise self._no_answer(doing, received.broken)
        return self._read(doing, form["grant_type"], received.status, received.body)

    def _no_answer(self, doing: str, cause: Exception) -> LwaUnavailable:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return LwaNotTrusted(
                doing,
                self.url,
                f"its certificate was not accepted ({cause.verify_message})",
                "Set amazon_ca_cert to the CA that signs it, or check who answers at this address. Nothing was sent.",
            )
        if isinstance(cause, ssl.SSLError):
            answered = f"the TLS handshake failed ({cause.reason or 'no reason given'})"
        elif isinstance(cause, TimeoutError):
            answered = f"no answer within {self._timeout:g} s"
        elif isinstance(cause, OSError):
            answered = f"no connection ({cause.strerror or type(cause).__name__})"
        else:
            answered = f"the connection broke ({type(cause).__name__})"
        return LwaUnavailable(
            doing,
            self.url,
            answered,
            "Check the address (amazon_lwa_url), the network and proxy, then run again.",
        )

    def _read(self, doing: str, grant_type: str, status: int, body: bytes) -> AccessToken:
        """Turn an answer into a token or the exception of its one meaning. The body is never shown."""
        try:
            answer: Any = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise LwaUnavailable(
                doing,
                self.url,
                f"HTTP {status} with a body that is not LWA's JSON",
                "Something else answers here (a proxy, a maintenance page, a cut connection). Run again later.",
            )
        code = answer.get("error")
        if isinstance(code, str) and code:
            raise self._refusal(doing, grant_type, status, code)
        value, expires_in = answer.get("access_token"), _seconds(answer.get("expires_in"))
        if status != 200 or not isinstance(value, str) or not value or not expires_in:
            raise LwaUnavailable(
                doing,
                self.url,
                f"HTTP {status} with neither a token nor an error code",
                "Run again later; if it stays, check amazon_lwa_url.",
            )
        refresh_token = answer.get("refresh_token")
        return AccessToken(
            value=value,
            expires_in=expires_in,
            refresh_token=refresh_token if isinstance(refresh_token, str) and refresh_token else None,
        )

    def _refusal(self, doing: str, grant_type: str, status: int, code: str) -> KeybuzzError:
        if code in _MEANING:
            kind, remedy = _MEANING[code]
            if kind is InvalidGrant and grant_type == "authorization_code":
                remedy = (
                    "The code is older than five minutes, was used before, or belongs to another redirect_uri. "
                    "Ask the seller for consent again."
                )
            return kind(doing, self.url, f"{code} (HTTP {status})", remedy)
        if code in {"server_error", "temporarily_unavailable"} or status == 429 or status >= 500:
            known = code if code in {"server_error", "temporarily_unavailable"} else "an error"
            return LwaUnavailable(doing, self.url, f"{known} (HTTP {status})", "Run again later.")
        shown = code if code in _OTHER_CODES else "an error code that is not documented"
        return LwaRefused(
            doing,
            self.url,
            f"{shown} (HTTP {status})",
            "Check the values of the application's and the tenant's documents in Vault for stray characters.",
        )


_OTHER_CODES = frozenset({"access_denied", "invalid_request", "unsupported_grant_type"})
_MEANING: Mapping[str, tuple[type[KeybuzzError], str]] = {
    "invalid_client": (
        InvalidClient,
        "The application's client id or secret is wrong or expired (Amazon wants a new secret every 180 days). "
        "Run keybuzz.amazon.vault_amazon_app_creds with the current ones.",
    ),
    "invalid_grant": (
        InvalidGrant,
        "The seller revoked the authorization, it ran out, or the refresh token is wrong. "
        "Run keybuzz.amazon.amazon_tenant_connect and have the seller consent again.",
    ),
    "unauthorized_client": (
        UnauthorizedClient,
        "The refresh token was given to another application. Use the client id it belongs to, or have the seller "
        "consent to this application.",
    ),
    "invalid_scope": (
        InvalidScope,
        "The client id and secret were accepted, but this scope is not for the application.",
    ),
}


def _way(url: str, ca_cert: str | None) -> tuple[Way, str]:
    """How the endpoint is reached, and its path. :raises BadInputError: it is no address that may get a secret."""
    parts = urllib.parse.urlsplit(url)
    try:
        port = parts.port or 443
    except ValueError:
        port = 0
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password or not port:
        raise BadInputError(
            "reading option",
            "amazon_lwa_url",
            "it is not an https address",
            "Give an address like https://api.amazon.com/auth/o2/token; credentials are never sent without TLS.",
        )
    path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    proxy = None if parts.hostname in LOOPBACK else environment_proxy(parts.netloc)
    return Way(parts.hostname, port, tls_context(ca_cert), proxy), path


def tls_context(ca_cert: str | None) -> ssl.SSLContext:
    """A verifying TLS context, at least TLS 1.2 (Amazon: data protection policy), for one CA or the system's."""
    try:
        context = ssl.create_default_context(cafile=ca_cert)
    except (OSError, ssl.SSLError) as error:
        raise BadInputError(
            "reading option amazon_ca_cert:",
            str(ca_cert),
            f"it is not a readable PEM file ({getattr(error, 'strerror', None) or type(error).__name__})",
            "Give the path of a file that holds the CA certificate in PEM form.",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The same on every Python: from 3.13 on it demands extensions that many private authorities' certificates lack.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _seconds(value: object) -> int:
    """A positive whole number of seconds, or 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return 0
    return int(value) if isinstance(value, int) or value.isdecimal() else 0
