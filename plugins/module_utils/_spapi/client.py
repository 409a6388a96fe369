# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One selling partner at the Selling Partner API: python-amazon-sp-api with its silent losses made loud.

What the library (2.1.35) does, and what is done about it here:

- an answer of 429 or 503 with HTML, or of 200 with a cut body, becomes an empty payload that looks like a last page:
  every answer is checked here for its status, its JSON and its payload key instead;
- credentials, marketplace and endpoint are taken from the environment when it names any: given ones only;
- an expired access token stays in a cache of the process, keyed by half of the credentials: own cache, dropped on
  401 and 403;
- proxies of the environment are used for loopback too: not for loopback.
"""

from __future__ import annotations

import os
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import (
    AccessRefused,
    Answer,
    NotTrusted,
    Unavailable,
    read_answer,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import (
    LOOPBACK,
    AccessToken,
    LwaClient,
    tls_context,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.unlogged import unlogged

TOKEN_MARGIN = 60.0
"""An access token is renewed this many seconds before its end, so that it does not expire on the way."""
AMBIENT = ("SP_API_DEFAULT_MARKETPLACE", "AWS_ENV")
"""Variables by which the library would choose another endpoint than the one it was given."""


class RequirementError(BadInputError):
    """A Python library that the module needs is not installed."""


@dataclass(frozen=True)
class Credentials:
    """What LWA wants to know for one seller."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


class SellingPartner:
    """The API for one seller, one call at a time.

    :param endpoint: address of the API, https only.
    :param credentials: given ones; nothing is ever taken from the environment or from files.
    :param lwa: the token endpoint.
    :param protect: called with each access token before it is used.
    :param ca_cert: PEM file with the CA to trust instead of the system's.
    :param timeout: seconds for connecting, and for each wait for data.
    :param context: a context of :func:`tls_context` to share between sellers: each costs 20 ms.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials,
        lwa: LwaClient,
        *,
        protect: Callable[[list[str | None]], None],
        ca_cert: str | None = None,
        timeout: float = 30.0,
        context: ssl.SSLContext | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urllib.parse.urlsplit(endpoint)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
            raise BadInputError(
                "reading option",
                "amazon_endpoint",
                "it is not an https address",
                "Give an address like https://sellingpartnerapi-eu.amazon.com, or leave the option out.",
            )
        self.endpoint = endpoint.rstrip("/")
        self._credentials = credentials
        self._lwa = lwa
        self._protect = protect
        self._now = now
        self._token: AccessToken | None = None
        self._token_until = 0.0
        self._timeout = timeout
        self._library = self._open(parts.hostname, ca_cert, context)

    def get(self, path: str, params: Mapping[str, str], *, payload_key: str) -> Answer:
        """One GET. A refused access token is dropped, fetched anew and tried once more.

        :param payload_key: a 2xx without it is not an answer.
        :raises Throttled, Unavailable, AccessRefused, BadRequest: see each; LWA's errors pass through.
        """
        return self._twice(lambda: self._ask(path, lambda: self._library.fetch(path, dict(params)), payload_key))

    def post(self, path: str, body: Mapping[str, Any], *, payload_key: str) -> Answer:
        """One POST of a JSON body; otherwise as :meth:`get`. The caller must stand it that an answer gets lost."""
        return self._twice(lambda: self._ask(path, lambda: self._library.send(path, dict(body)), payload_key))

    @contextmanager
    def download(self, url: str) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """Headers and raw body of a presigned address, which takes no access token and must not get one.

        The address is a secret itself for as long as it lives (Amazon: five minutes): it is never in a message.

        :raises Unavailable: no answer, not HTTP 200, or a body that breaks off (then in the middle of the iteration).
        """
        doing, address = "downloading", f"a report document of {self.endpoint}"
        if urllib.parse.urlsplit(url).scheme != "https":
            raise Unavailable(doing, address, "its address is not https", "Nothing was sent. Run again later.")
        headers = {"Accept-Encoding": "identity"}
        with self._explained(doing, address), self._http.stream("GET", url, headers=headers) as answer:
            if answer.status_code != 200:
                raise Unavailable(
                    doing,
                    address,
                    f"HTTP {answer.status_code}",
                    "The address lives five minutes; a new one is asked for. Run again later if it stays.",
                )
            yield answer.headers, answer.iter_raw()

    def access_token(self) -> str:
        """A live access token, from the cache or from LWA. The library asks for it with each request."""
        if self._token is None or self._now() >= self._token_until:
            asked = self._now()
            self._token = self._lwa.refresh(
                self._credentials.client_id, self._credentials.client_secret, self._credentials.refresh_token
            )
            self._token_until = asked + max(0.0, self._token.expires_in - TOKEN_MARGIN)
            self._protect([self._token.value])
        return self._token.value

    def close(self) -> None:
        """End the connections."""
        self._library.close()

    def _twice(self, ask: Callable[[], Answer]) -> Answer:
        fresh = self._token is None
        try:
            return ask()
        except AccessRefused:
            self._token = None
            if fresh:
                raise
        return ask()

    def _ask(self, path: str, call: Callable[[], tuple[int, Mapping[str, str], bytes]], payload_key: str) -> Answer:
        doing = "asking"
        address = f"{self.endpoint}{path}"
        with self._explained(doing, address):
            status, headers, body = call()
        return read_answer(doing, address, status=status, headers=headers, body=body, payload_key=payload_key)

    @contextmanager
    def _explained(self, doing: str, address: str) -> Iterator[None]:
        """Turns what the HTTP library raises into what it means."""
        import httpx

        try:
            with unlogged():
                yield
        except httpx.TimeoutException:
            raise Unavailable(
                doing, address, f"no answer within {self._timeout:g} s", "Run again; the import goes on where it was."
            ) from None
        except httpx.HTTPError as error:
            raise self._no_answer(doing, address, error) from None

    def _no_answer(self, doing: str, address: str, error: Exception) -> KeybuzzError:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotTrusted(
                doing,
                address,
                f"its certificate was not accepted ({cause.verify_message})",
                "Set amazon_ca_cert to the CA that signs it, or check who answers here. Nothing was sent.",
            )
        if isinstance(cause, ssl.SSLError):
            return Unavailable(
                doing,
                address,
                f"the TLS handshake failed ({cause.reason or 'no reason given'})",
                "Check that amazon_endpoint speaks TLS 1.2 or later, and who answers there. Nothing was sent.",
            )
        return Unavailable(
            doing,
            address,
            f"the connection failed ({type(error).__name__})",
            "Check amazon_endpoint, the network and the proxy, then run again; the import goes on where it was.",
        )

    def _open(self, hostname: str, ca_cert: str | None, context: ssl.SSLContext | None) -> Any:
        context = context or tls_context(ca_cert)
        with _without_ambient_settings():
            try:
                import httpx
                from sp_api.base import Client
                from sp_api.base._transport_httpx import HttpxTransport
                from sp_api.base.credential_provider import FromCodeCredentialProvider
            except ImportError:
                raise RequirementError(
                    "loading",
                    "the Python library sp_api",
                    "it is not installed for the interpreter that runs the module",
                    "Install it there: pip install 'python-amazon-sp-api>=2.1.30,<3'.",
                ) from None
            partner = self

            class Token:
                """Takes the place of the library's own LWA client."""

                def __init__(self, **_ignored: object) -> None: ...

                def get_auth(self) -> SimpleNamespace:
                    return SimpleNamespace(access_token=partner.access_token())

            class Checked(Client):  # type: ignore[misc]
                """The library's request, without its reading of the answer."""

                user_agent = "keybuzz.amazon (Language=Python)"

                def fetch(self, path: str, params: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
                    answer: tuple[int, Mapping[str, str], bytes] = self._request(
                        path, params={**params, "method": "GET"}, add_marketplace=False
                    )
                    return answer

                def send(self, path: str, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
                    answer: tuple[int, Mapping[str, str], bytes] = self._request(
                        path, data={**body, "method": "POST"}, add_marketplace=False
                    )
                    return answer

                def _check_response(self, res: Any, *_args: object, **_kwargs: object) -> Any:
                    return res.status_code, res.headers, res.content

            library = Checked(
                SimpleNamespace(endpoint=self.endpoint, marketplace_id="", region=""),
                credentials={
                    "lwa_app_id": self._credentials.client_id,
                    "lwa_client_secret": self._credentials.client_secret,
                    "refresh_token": self._credentials.refresh_token,
                },
                credential_providers=(FromCodeCredentialProvider,),
                auth_token_client_class=Token,
                verify=context,
                timeout=self._timeout,
            )
            library._transport.close()
            self._http = httpx.Client(
                verify=context,
                timeout=httpx.Timeout(self._timeout),
                follow_redirects=False,
                trust_env=hostname not in LOOPBACK,
            )
            library._transport = HttpxTransport(client=self._http)
        return library


@contextmanager
def _without_ambient_settings() -> Iterator[None]:
    """The library reads these when it is imported and again when a client is made."""
    kept = {name: os.environ.pop(name) for name in AMBIENT if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
