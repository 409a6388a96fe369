# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What an answer other than the wanted one means, and what to do about it.

The server's own texts are only matched, never shown: they can repeat what was sent.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    KeybuzzError,
    UnexpectedAnswerError,
    UnreachableError,
)

Peek = Callable[[str, str, Mapping[str, object] | None], tuple[int, Mapping[str, Any]]]
"""Sends (method, path, body) and returns (status, body), to look for the cause of a failure."""

CAPABILITY = {
    "GET": ("read",),
    "LIST": ("list",),
    "POST": ("create", "update"),
    "PATCH": ("patch",),
    "DELETE": ("delete",),
}
"""The capability that each method needs. POST needs create where nothing is yet, else update."""


class SealedError(UnreachableError):
    """The server is sealed or was never initialised."""


class TlsError(UnreachableError):
    """The server's certificate could not be verified. Nothing was sent to it."""


class TokenRefusedError(ForbiddenError):
    """The server does not take the token: it is expired, revoked, or was never one of this server's."""


class WrongMountError(BadInputError):
    """No secrets engine is mounted where the path points."""


@dataclass(frozen=True)
class Refusal:
    """A request and the status it was refused with.

    :param errors: the server's own texts, for matching only.
    """

    doing: str
    url: str
    path: str
    method: str
    status: int
    errors: tuple[str, ...] = field(repr=False, default=())

    def says(self, text: str) -> bool:
        return any(text in error for error in self.errors)


# What answered and what to do, for the statuses that have one meaning each.
_PLAIN: Mapping[int, tuple[str, str]] = {
    429: ("the server is over its rate limit (HTTP 429)", "Run again in a minute, or raise the quota."),
    472: (
        "this is a standby that serves no requests (HTTP 472)",
        "Set vault_addr to the address of the active node or of the load balancer.",
    ),
    473: (
        "this is a standby that serves reads at most (HTTP 473)",
        "Set vault_addr to the address of the active node or of the load balancer.",
    ),
}


def explain(peek: Peek, refusal: Refusal) -> KeybuzzError:
    """The exception for a status that was not asked for."""
    doing, url, status = refusal.doing, refusal.url, refusal.status
    if status == 403:
        return _forbidden(peek, refusal)
    if status == 404:
        return _not_found(refusal)
    if status == 503:
        return _not_ready(peek, doing, url)
    if status in _PLAIN:
        return UnreachableError(doing, url, *_PLAIN[status])
    return _unexpected(refusal)


def no_answer(doing: str, url: str, addr: str, error: Exception) -> KeybuzzError:
    """The exception for a request that got no answer at all."""
    chain = " ".join(f"{type(link).__name__} {link}" for link in _causes(error))
    host = urllib.parse.urlsplit(addr).netloc
    for signs, kind, answered, remedy in _SILENCES:
        if any(sign in chain for sign in signs):
            return kind(doing, url, answered, remedy.format(host=host))
    return UnreachableError(
        doing, url, f"the connection broke ({type(error).__name__})", f"Check vault_addr and the way to {host}."
    )


# Signs in the texts of requests, urllib3 and ssl; the first row that matches is the cause.
_SILENCES: tuple[tuple[tuple[str, ...], type[KeybuzzError], str, str], ...] = (
    (
        ("Hostname mismatch", "IP address mismatch", "doesn't match"),
        TlsError,
        "the server's certificate is not for this host name",
        "Use a name in vault_addr that the certificate holds: openssl s_client -connect {host} shows it.",
    ),
    (
        ("certificate has expired",),
        TlsError,
        "the server's certificate has expired",
        "Renew the certificate on the server; a CA file does not help against this.",
    ),
    (
        ("CERTIFICATE_VERIFY_FAILED",),
        TlsError,
        "the server's certificate is not signed by a trusted authority",
        "Give the PEM file of the authority that signed it as vault_ca_cert or VAULT_CACERT.",
    ),
    (
        ("SSLError", "SSLEOFError"),
        TlsError,
        "the TLS handshake failed",
        "Check that the server speaks TLS 1.2 or later: openssl s_client -connect {host}",
    ),
    (
        ("Connection refused",),
        UnreachableError,
        "connection refused",
        "Check vault_addr, and that the server runs and listens on {host}.",
    ),
    (
        ("NameResolutionError", "gaierror", "Name or service not known"),
        UnreachableError,
        "the host name is not known",
        "Check the host name in vault_addr.",
    ),
    (
        ("ProxyError",),
        UnreachableError,
        "the proxy did not answer",
        "Check HTTPS_PROXY, or add {host} to NO_PROXY.",
    ),
    (
        ("Timeout", "timed out"),
        UnreachableError,
        "no answer in time",
        "Check the way to {host} (firewall, VPN), or raise vault_timeout.",
    ),
)


def standby(doing: str, url: str, location: str) -> KeybuzzError:
    """The exception for a redirect, which is how a standby without request forwarding answers."""
    parts = urllib.parse.urlsplit(location)
    active = f"{parts.scheme}://{parts.netloc}" if parts.hostname else "another address"
    return UnreachableError(
        doing,
        url,
        f"this node is a standby and points to {active}",
        "Set vault_addr to the active node; a token is not carried to an address that nobody configured.",
    )


def _forbidden(peek: Peek, refusal: Refusal) -> KeybuzzError:
    """403 stands for a dead token as well as for a missing capability; the token itself is asked which it is."""
    doing, url, path = refusal.doing, refusal.url, refusal.path
    status, body = peek("POST", "sys/capabilities-self", {"paths": [path]})
    needed = CAPABILITY.get(refusal.method, ("read",))
    if status == 200:
        held = body.get(path) or (body.get("data") or {}).get(path) or []
        has = f"has {', '.join(held)}" if held and list(held) != ["deny"] else "has none"
        wanted = " or ".join(needed)
        listed = ", ".join(f'"{capability}"' for capability in needed)
        return ForbiddenError(
            doing,
            url,
            f"permission denied (HTTP 403): the token needs {wanted} on {path} and {has}",
            f'Add to one of its policies: path "{path}" {{ capabilities = [{listed}] }}, '
            "and check that vault_mount and the path are spelled right.",
        )
    if path != "auth/token/lookup-self":
        status, _ = peek("GET", "auth/token/lookup-self", None)
        if status == 200:
            return ForbiddenError(
                doing,
                url,
                "permission denied (HTTP 403)",
                f"Give the token {' or '.join(needed)} on {path} "
                "(and update on sys/capabilities-self, so that the next message can be exact).",
            )
    return TokenRefusedError(
        doing,
        url,
        "the token is not accepted (HTTP 403): it is expired, revoked or not of this server or namespace",
        "Get a new one (vault login, or the AWX credential) and give it as vault_token_file or VAULT_TOKEN.",
    )


def _not_found(refusal: Refusal) -> KeybuzzError:
    if refusal.says("no handler for route"):
        mount = refusal.path.split("/", 1)[0]
        return WrongMountError(
            refusal.doing,
            refusal.url,
            f"nothing is mounted at {mount}/",
            "Set vault_mount to the mount of the key-value engine; vault secrets list shows the mounts.",
        )
    return UnexpectedAnswerError(
        refusal.doing, refusal.url, "there is nothing at this path (HTTP 404)", "Check the path."
    )


def _unexpected(refusal: Refusal) -> KeybuzzError:
    if refusal.status == 400 and refusal.says("HTTP request to an HTTPS server"):
        return UnreachableError(
            refusal.doing, refusal.url, "the server speaks TLS only", "Write https:// in vault_addr."
        )
    if refusal.status == 405:
        return UnexpectedAnswerError(
            refusal.doing,
            refusal.url,
            "what is mounted there does not know this operation (HTTP 405)",
            "Check vault_mount: it has to name a key-value engine of version 2.",
        )
    return UnexpectedAnswerError(
        refusal.doing,
        refusal.url,
        f"HTTP {refusal.status}",
        "Look at the server's log; its answer is not shown because it can repeat what was sent.",
    )


def _not_ready(peek: Peek, doing: str, url: str) -> KeybuzzError:
    status, body = peek("GET", "sys/seal-status", None)
    if status == 200 and body.get("initialized") is False:
        return SealedError(
            doing,
            url,
            "the server is not initialised",
            "Initialise it: vault operator init (bao operator init). Is this the right server?",
        )
    if status == 200 and body.get("sealed"):
        return SealedError(
            doing, url, "the server is sealed", "Unseal it: vault operator unseal (bao operator unseal)."
        )
    return UnreachableError(doing, url, "the server is not ready (HTTP 503)", "Look at its log, and run again.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything it was made from; requests and urllib3 hide the cause in ``args``."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop()
        if not isinstance(link, BaseException) or any(link is known for known in seen):
            continue
        seen.append(link)
        yield link
        waiting += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]
