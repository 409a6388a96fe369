# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One connection to Vault or OpenBao: TLS always verified, and an exception of its own for each way to fail.

hvac's raw adapter carries the requests. Its client class is not used: it falls back to tokens and addresses of the
environment, and turns the 404 of a soft-deleted secret into "no such path".
"""

from __future__ import annotations

import copy
import os
import ssl
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import answers

if TYPE_CHECKING:
    from collections.abc import Callable

    Protect = Callable[[Iterable[str | None]], None]

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

    :param addr: for example ``https://vault.example.com:8200``. Plain ``http`` only on loopback.
    :param ca_cert: PEM file, or folder of PEM files, of the authorities to trust; ``None``: the system's.
    :param timeout: seconds to wait for one answer.
    :raises BadInputError: the address, the token or the CA file cannot work; nothing was sent.
    """

    def __init__(
        self,
        addr: str,
        token: str,
        *,
        ca_cert: str | None = None,
        namespace: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.addr = _checked_address(addr)
        self._check_token(token)
        self._namespace = namespace
        self._timeout = timeout
        self._verify = _authorities(ca_cert)
        self._adapter = self._connect(token)

    def __repr__(self) -> str:
        return f"VaultClient({self.addr!r})"

    def acting_as(self, token: str) -> VaultClient:
        """The same server seen with another token."""
        self._check_token(token)
        other = copy.copy(self)
        other._adapter = self._connect(token, session=self._adapter.session)
        return other

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
        accept_forbidden: Iterable[str] = (),
        content_type: str | None = None,
    ) -> Answer:
        """Send one request and return its answer if its status is in ``accept``.

        :param path: below ``/v1/``, its segments already quoted.
        :param accept_forbidden: server's texts with which HTTP 403 is an answer and not a missing permission.
        :param doing: for the error text, in the -ing form (``"reading"``).
        :raises UnreachableError: no connection, TLS not verified, time-out, sealed, not initialised, standby, busy.
        :raises ForbiddenError: HTTP 403, with the missing capability or the end of the token's life in its text.
        :raises WrongMountError: no secrets engine is mounted where the path points.
        :raises UnexpectedAnswerError: any other status.
        """
        answer = self._send(method, path, doing=doing, body=body, content_type=content_type)
        # An unmounted path answers 404 just as a missing object does; only the text tells them apart.
        unmounted = answer.status == 404 and any("no handler for route" in error for error in answer.errors)
        if answer.status in tuple(accept) and not unmounted:
            return answer
        if answer.status == 403 and any(text in error for text in accept_forbidden for error in answer.errors):
            return answer
        refusal = answers.Refusal(doing, self.url(path), path, method, answer.status, answer.errors)
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
        import requests

        headers = {"Content-Type": content_type} if content_type else None
        try:
            response = self._adapter.request(
                method.lower(), f"v1/{path}", headers=headers, raise_exception=False, json=body
            )
        except requests.exceptions.RequestException as error:
            raise answers.no_answer(doing, self.url(path), self.addr, error) from None
        if response.is_redirect:
            raise answers.standby(doing, self.url(path), response.headers.get("Location", ""))
        try:
            parsed = response.json() if response.content else {}
        except ValueError:
            parsed = {}
        return Answer(response.status_code, parsed if isinstance(parsed, Mapping) else {})

    def _connect(self, token: str, *, session: Any = None) -> Any:
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
            session.verify = self._verify
            session.mount("https://", _tls_adapter())
            # A netrc entry or a proxy of the environment has no business on loopback.
            session.trust_env = urllib.parse.urlsplit(self.addr).hostname not in LOOPBACK
        return RawAdapter(
            base_uri=self.addr,
            token=token,
            verify=self._verify,
            timeout=self._timeout,
            # A redirect would carry the token to an address nobody configured.
            allow_redirects=False,
            session=session,
            namespace=self._namespace,
        )

    def _check_token(self, token: str) -> None:
        if not is_well_formed(token):
            raise BadInputError(
                "connecting to",
                self.addr,
                "the token is empty, or has spaces, line breaks or characters beyond ASCII in it",
                "Give vault_token_file (a file that holds the token alone), vault_token or VAULT_TOKEN.",
            )


def connect(params: Mapping[str, Any], protect: Protect) -> VaultClient:
    """A client from a module's options (``vault_addr``, ``vault_token`` or ``vault_token_file``, …).

    :param protect: called with the token before it is used.
    """
    token = given_token(params, "vault_token", protect)
    if token is None:
        raise BadInputError(
            "connecting to",
            str(params["vault_addr"]),
            "no token was given",
            "Give vault_token_file, vault_token, or the environment variable VAULT_TOKEN or VAULT_TOKEN_FILE.",
        )
    return VaultClient(
        params["vault_addr"],
        token,
        ca_cert=params.get("vault_ca_cert"),
        namespace=params.get("vault_namespace"),
        timeout=params.get("vault_timeout") or 10.0,
    )


def given_token(params: Mapping[str, Any], option: str, protect: Protect) -> str | None:
    """The token from ``<option>_file``, which wins, or from ``<option>``; ``None`` when neither is given.

    Spaces and line breaks around the token are dropped: editors leave them in files.
    """
    path = params.get(f"{option}_file")
    token = params.get(option)
    if path:
        try:
            token = Path(os.path.expandvars(path)).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(
                f"reading option {option}_file:",
                str(path),
                getattr(error, "strerror", None) or "it is not a text file",
                "Give the path of a file that holds the token, readable by the user who runs the module.",
            ) from None
    if not token:
        return None
    protect([token, token.strip()])
    return token.strip() or None


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


def _tls_adapter() -> Any:
    """Verify as curl does: any certificate of the CA file may be the anchor, a self-signed server's own too.

    From Python 3.13 urllib3's own context demands extensions that many private authorities' certificates lack.
    """
    import requests.adapters

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, ssl_context=context, **kwargs)

    return Adapter()


def _authorities(ca_cert: str | None) -> str | bool:
    """What to verify the server against, checked here because requests names the wrong thing when it fails."""
    if ca_cert is None:
        system = ssl.get_default_verify_paths()
        return system.cafile or system.capath or True
    try:
        if Path(ca_cert).is_dir():
            if any(Path(ca_cert).iterdir()):
                return ca_cert
        else:
            ssl.create_default_context(cafile=ca_cert)
            return ca_cert
        problem = "the folder is empty"
    except ssl.SSLError:
        problem = "it holds no PEM certificate"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    raise BadInputError(
        "reading option vault_ca_cert:",
        ca_cert,
        problem,
        "Give a PEM file with the certificate of the authority that signed the server's certificate.",
    )
