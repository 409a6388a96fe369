# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One connection to Vault or OpenBao: TLS always verified, and an exception of its own for each way to fail.

hvac's raw adapter carries the requests, and :mod:`reads` those of a look at thousands of documents. Its client class is
not used: it falls back to tokens and addresses of the environment, and turns the 404 of a soft-deleted secret into "no
such path".
"""

from __future__ import annotations

import contextlib
import copy
import json
import time
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import answers, authorities, repeat, silences
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import login as logins
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.given import Protect, given_token
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.reads import Reads, Response, of_library

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MISSING_LIBRARY = "the Python library hvac is not installed for the interpreter that runs this module"


@dataclass(frozen=True)
class Answer:
    """What the server said.

    :param status: HTTP status.
    :param body: the JSON object, empty when there was none.
    """

    status: int
    body: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @property
    def data(self) -> Mapping[str, Any]:
        """The ``data`` object of the body, empty when there is none."""
        data = self.body.get("data")
        return data if isinstance(data, Mapping) else {}

    @property
    def errors(self) -> tuple[str, ...]:
        """The server's own error texts. They may repeat what was sent: for matching only, never for showing."""
        errors = self.body.get("errors")
        return tuple(str(error) for error in errors) if isinstance(errors, list) else ()


class VaultClient:
    """A server, a token and a namespace. The token is in no representation of it and in no exception.

    Reads are repeated after a failure that passes (:mod:`repeat`). :meth:`close` it, which ends a token that
    :func:`connect` has logged in for.

    :param addr: for example ``https://vault.example.com:8200``. Plain ``http`` only on loopback.
    :param token: ``None`` for requests that need none, as logging in.
    :param ca_cert: PEM file, or folder of PEM files, of the authorities to trust; ``None``: the system's.
    :param ca_pem: their certificates themselves; wins over ``ca_cert``.
    :param timeout: seconds to wait for one answer.
    :param kv_version: of all key-value engines, for :mod:`kv`; ``None``: found out for each.
    :raises BadInputError: the address, the token or the CA cannot work; nothing was sent.
    """

    def __init__(
        self,
        addr: str,
        token: str | None,
        *,
        ca_cert: str | None = None,
        ca_pem: str | None = None,
        namespace: str | None = None,
        timeout: float = 10.0,
        kv_version: int | None = None,
    ) -> None:
        self.addr = _checked_address(addr)
        if token is not None:
            self._check_token(token)
        self.namespace = (namespace or "").strip("/") or None
        self.kv_version = kv_version
        self.kv_engines: dict[str, int] = {}
        """Versions of the key-value engines met so far, by mount, as the server told them."""
        self._timeout = timeout
        self._trusted = authorities.context(ca_cert, ca_pem)
        self._adapter = self._connect(token)
        self._reads: Reads | None = None
        self._ends_with_us = False

    def __repr__(self) -> str:
        return f"VaultClient({self.addr!r})"

    def acting_as(self, token: str) -> VaultClient:
        """The same server seen with another token."""
        self._check_token(token)
        other = copy.copy(self)
        other._adapter = self._connect(token, session=self._adapter.session)
        other.kv_engines = {}
        other._reads = None
        other._ends_with_us = False
        return other

    def logged_in(self, login: logins.Login, protect: Protect) -> VaultClient:
        """The same server seen with the token of a login. :raises ForbiddenError: the login is refused."""
        session = logins.log_in(self.request, login, self.url(login.path), protect)
        other = self.acting_as(session.token)
        other._ends_with_us = session.revocable
        return other

    def require_namespaces(self) -> None:
        """Accept a server that has namespaces, if one was named. Sends no token.

        :raises WrongNamespaceError: it has none, and would take each request as one for its root.
        """
        if self.namespace is None:
            return
        root = copy.copy(self)
        root.namespace = None
        root._adapter = root._connect(None, session=self._adapter.session)
        root._reads = None
        health = root._send("GET", answers.HEALTH, doing="asking for the health of")
        if answers.lacks_namespaces(health.body):
            raise answers.no_namespaces(self.addr, self.namespace)

    def read_side_by_side(self, connections: int) -> None:
        """From now on many threads may read at the same time, over at most this many connections of their own."""
        self._reads = Reads(self._trusted, timeout=self._timeout, connections=connections)

    def close(self) -> None:
        """End the token if it was made for this client, and the connection.

        A token that may not end itself, or that has no uses left, ends by its time; that is no failure.
        """
        if self._ends_with_us:
            self._ends_with_us = False
            with contextlib.suppress(KeybuzzError):
                self._send("POST", "auth/token/revoke-self", doing="ending the login at")
        if self._reads is not None:
            self._reads.close()
        self._adapter.session.close()

    def bearer(self) -> str:
        """The token itself, to ask another client about it. It goes into no message and no result."""
        return str(self._adapter.token)

    def url(self, path: str) -> str:
        """Where a path is, for people: ``https://vault.example.com:8200/v1/secret/data/x``."""
        return f"{self.addr}/v1/{path}"

    def request(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        body: Mapping[str, object] | None = None,
        accept: Iterable[int] = (200, 204),
        accept_saying: Iterable[str] = (),
        content_type: str | None = None,
    ) -> Answer:
        """Send one request and return its answer if its status is in ``accept``.

        :param path: below ``/v1/``, its segments already quoted.
        :param accept_saying: server's texts with which HTTP 403 or 500 is an answer and not a failure.
        :param doing: for the error text, in the -ing form (``"reading"``).
        :raises UnreachableError: no connection, TLS not verified, time-out, sealed, not initialised, standby, busy.
        :raises ForbiddenError: HTTP 403, with the missing capability or the end of the token's life in its text.
        :raises WrongMountError: no secrets engine is mounted where the path points.
        :raises WrongNamespaceError: the server has no such namespace.
        :raises UnexpectedAnswerError: any other status.
        """
        answer = self._send(method, path, doing=doing, body=body, content_type=content_type)
        # A path without a mount, or in no namespace, answers 404 just as a missing object does; only the text tells.
        nowhere = answer.status == 404 and any(sign in error for sign in answers.NOWHERE for error in answer.errors)
        if answer.status in tuple(accept) and not nowhere:
            return answer
        if answer.status in (403, 500) and any(text in error for text in accept_saying for error in answer.errors):
            return answer
        refusal = answers.Refusal(
            doing, self.url(path), path.partition("?")[0], method, answer.status, answer.errors, self.namespace
        )
        raise answers.explain(self._peek, refusal)

    def _peek(self, method: str, path: str, body: Mapping[str, object] | None) -> tuple[int, Mapping[str, Any]]:
        """A further look to explain a failure; whatever it answers is an answer."""
        answer = self._send(method, path, doing="explaining a failure of", body=body)
        return answer.status, answer.body

    def _send(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        body: Mapping[str, object] | None = None,
        content_type: str | None = None,
    ) -> Answer:
        attempt = 1
        while True:
            response, silence = self._attempt(method, path, body, content_type)
            if response is None:
                again = repeat.after_silence(method, path, silences.chain(silence))
                answer, retry_after = None, ""
            else:
                if response.location:
                    raise answers.standby(doing, self.url(path), response.location)
                answer, retry_after = _answer(response), response.retry_after
                again = repeat.after_status(method, path, answer.status, answer.errors)
            wait = repeat.pause(attempt, {"Retry-After": retry_after}) if again else None
            if wait is None:
                break
            time.sleep(wait)
            attempt += 1
        if answer is None:
            raise silences.no_answer(doing, self.url(path), self.addr, silence)
        return answer

    def _attempt(
        self, method: str, path: str, body: Mapping[str, object] | None, content_type: str | None
    ) -> tuple[Response | None, Exception]:
        """The response, or ``None`` and why there is none."""
        import requests

        reads = self._reads if method == "GET" and body is None and content_type is None else None
        headers = {"Content-Type": content_type} if content_type else None
        try:
            if reads is not None and (read := reads.get(path)) is not None:
                return read, Exception()
        except (OSError, HTTPException) as error:
            return None, error
        try:
            response = self._adapter.request(
                method.lower(), f"v1/{path}", headers=headers, raise_exception=False, json=body
            )
        except requests.exceptions.RequestException as error:
            return None, error
        if reads is not None:
            reads.learn(self._adapter.session, path, response.request)
        return of_library(response), Exception()

    def _connect(self, token: str | None, *, session: Any = None) -> Any:
        try:
            import requests
            from hvac.adapters import RawAdapter
        except ImportError:
            raise BadInputError(
                "connecting to",
                self.addr,
                MISSING_LIBRARY,
                "Install it there: pip install 'hvac>=2.3.0'.",
            ) from None
        if session is None:
            session = requests.Session()
            session.mount("https://", authorities.transport(self._trusted))
            # A netrc entry or a proxy of the environment has no business on loopback.
            session.trust_env = urllib.parse.urlsplit(self.addr).hostname not in LOOPBACK
        return RawAdapter(
            base_uri=self.addr,
            token=token,
            timeout=self._timeout,
            # A redirect would carry the token to an address nobody configured.
            allow_redirects=False,
            session=session,
            namespace=self.namespace,
        )

    def _check_token(self, token: str) -> None:
        if not is_well_formed(token):
            raise BadInputError(
                "connecting to",
                self.addr,
                "the token is empty, or has spaces, line breaks or characters beyond ASCII in it",
                "Give vault_token_file (a file that holds the token alone), vault_token or VAULT_TOKEN.",
            )


def connect(params: Mapping[str, Any], protect: Protect, kind: type[VaultClient] = VaultClient) -> VaultClient:
    """A client from a module's options (``vault_addr``, ``vault_token`` or ``vault_auth_method``, …).

    :param protect: called with each secret before it is used.
    :param kind: what is made.
    :raises BadInputError: an option is missing or cannot work, or the server has no namespaces and one is named.
    :raises ForbiddenError: the login is refused.
    """
    login = logins.wanted(params, protect)
    token = None if login else given_token(params, "vault_token", protect)
    if login is None and token is None:
        raise BadInputError(
            "connecting to",
            str(params["vault_addr"]),
            "no token was given",
            "Give vault_token_file, vault_token, or the environment variable VAULT_TOKEN or VAULT_TOKEN_FILE, or "
            "log in with vault_auth_method.",
        )
    version = params.get("vault_kv_version") or "auto"
    client = kind(
        params["vault_addr"],
        token,
        ca_cert=params.get("vault_ca_cert"),
        ca_pem=params.get("vault_ca_pem"),
        namespace=params.get("vault_namespace"),
        timeout=params.get("vault_timeout") or 10.0,
        kv_version=None if version == "auto" else int(version),
    )
    client.require_namespaces()
    return client.logged_in(login, protect) if login else client


def is_well_formed(token: str) -> bool:
    """Whether the text can be sent as a token: visible ASCII without spaces (it becomes an HTTP header)."""
    return bool(token) and all("!" <= character <= "~" for character in token)


def _checked_address(addr: str) -> str:
    parts = urllib.parse.urlsplit(addr)
    plain_is_safe = parts.hostname in LOOPBACK
    if (
        parts.hostname
        and not parts.username
        and not parts.password
        and (parts.scheme == "https" or (parts.scheme == "http" and plain_is_safe))
    ):
        return addr.rstrip("/").removesuffix("/v1")
    shown = f"{parts.scheme}://{parts.hostname}" if parts.hostname else "its value"
    raise BadInputError(
        "reading option vault_addr:",
        shown,
        "it is not an https address without credentials in it",
        "Give an address like https://vault.example.com:8200; a token is never sent without TLS.",
    )


def _answer(response: Response) -> Answer:
    try:
        parsed = json.loads(response.body) if response.body else {}
    except ValueError:
        parsed = {}
    return Answer(response.status, parsed if isinstance(parsed, Mapping) else {})
