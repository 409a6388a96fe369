# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What an answer other than the wanted one means, and what to do about it.

The server's own texts are only matched, never shown: they can repeat what was sent.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    KeybuzzError,
    UnexpectedAnswerError,
    UnreachableError,
)

Peek = Callable[[str, str, "Mapping[str, object] | None"], tuple[int, Mapping[str, Any]]]
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


class WrongNamespaceError(BadInputError):
    """The server has no namespace of this name, or none at all."""


NO_MOUNT, NO_NAMESPACE = "no handler for route", "namespace not found"
HEALTH = "sys/health?standbyok=true&perfstandbyok=true&drsecondarycode=200&sealedcode=200&uninitcode=200"
"""Answers without a token, and with 200 whatever the state of the node."""
UNPLACED = "failed to look up namespace from the token"
"""Vault's word, with HTTP 500, to the holder of a token whose name ends in that of a namespace it does not have."""
NOWHERE = (NO_MOUNT, NO_NAMESPACE)
"""Signs in the text of a 404 that is no missing object."""


@dataclass(frozen=True)
class Refusal:
    """A request and the status it was refused with.

    :param errors: the server's own texts, for matching only.
    :param namespace: that was asked in, ``None`` for the root namespace.
    """

    doing: str
    url: str
    path: str
    method: str
    status: int
    errors: tuple[str, ...] = field(repr=False, default=())
    namespace: str | None = None

    @property
    def within(self) -> str:
        """``" in namespace x"``, for messages."""
        return f" in namespace {self.namespace}" if self.namespace else ""

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
    if refusal.says(UNPLACED):
        return _refused_token(refusal)
    if status == 404:
        return _not_found(refusal)
    if status == 503:
        return _not_ready(peek, doing, url)
    if status in _PLAIN:
        return UnreachableError(doing, url, *_PLAIN[status])
    return _unexpected(refusal)


def lacks_namespaces(health: Mapping[str, Any]) -> bool:
    """Whether the server ignores the name of a namespace: Vault's community edition, and OpenBao before 2.3.

    :param health: what it answers at :data:`HEALTH`. Vault tells its edition since 1.16, and before in its version.
    """
    if "enterprise" in health:
        return not health["enterprise"]
    version = str(health.get("version") or "")
    number = re.match(r"(\d+)\.(\d+)", version)
    return number is not None and "+" not in version and (int(number[1]), int(number[2])) < (2, 3)


def no_namespaces(addr: str, namespace: str) -> KeybuzzError:
    """The exception for a server that would work on its root instead of in the namespace."""
    return WrongNamespaceError(
        "connecting to",
        addr,
        f"this server has no namespaces: it would take {namespace} for its root, without a word",
        "Leave vault_namespace (VAULT_NAMESPACE) out, or give the address of a server that has it (Vault Enterprise, "
        "OpenBao from 2.3 on).",
    )


def standby(doing: str, url: str, location: str) -> KeybuzzError:
    """The exception for a redirect, which is how a standby without request forwarding answers."""
    parts = urllib.parse.urlsplit(location)
    # Not netloc, which can hold credentials.
    host = parts.netloc.rpartition("@")[2]
    active = f"{parts.scheme}://{host}" if parts.hostname else "another address"
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
        if "root" in held or (held and set(needed) <= set(held)):
            return ForbiddenError(
                doing,
                url,
                f"permission denied (HTTP 403): the token has {', '.join(held)} on {path}{refusal.within}, and the "
                "server wants more than that",
                "Look for what narrows it: sudo, required or denied parameters of the policy, the token's addresses, a "
                "control group. The server's audit log has the request.",
            )
        wanted = " or ".join(needed)
        listed = ", ".join(f'"{capability}"' for capability in needed)
        return ForbiddenError(
            doing,
            url,
            f"permission denied (HTTP 403): the token needs {wanted} on {path}{refusal.within} and {has}",
            f'Add to one of its policies: path "{path}" {{ capabilities = [{listed}] }}, '
            "and check that vault_mount and the path are spelled right.",
        )
    if path != "auth/token/lookup-self":
        status, _body = peek("GET", "auth/token/lookup-self", None)
        if status == 200:
            return ForbiddenError(
                doing,
                url,
                "permission denied (HTTP 403)",
                f"Give the token {' or '.join(needed)} on {path} "
                "(and update on sys/capabilities-self, so that the next message can be exact).",
            )
    return _refused_token(refusal)


def _refused_token(refusal: Refusal) -> KeybuzzError:
    return TokenRefusedError(
        refusal.doing,
        refusal.url,
        f"the token is not accepted (HTTP {refusal.status}): it is expired, revoked or not of this server or namespace",
        "Get a new one (vault login, or the AWX credential) and give it as vault_token_file or VAULT_TOKEN.",
    )


def _not_found(refusal: Refusal) -> KeybuzzError:
    if refusal.says(NO_NAMESPACE):
        return WrongNamespaceError(
            refusal.doing,
            refusal.url,
            f"the server has no namespace {refusal.namespace}",
            "Check vault_namespace (VAULT_NAMESPACE), from the root on: team/app; vault namespace list shows them.",
        )
    if refusal.says(NO_MOUNT):
        mount = refusal.path.split("/", 1)[0]
        return WrongMountError(
            refusal.doing,
            refusal.url,
            f"nothing is mounted at {mount}/{refusal.within}",
            "Set vault_mount to the mount of the key-value engine; vault secrets list shows the mounts. "
            "Is vault_namespace right?",
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
            "Check vault_mount: it has to name a key-value engine.",
        )
    if refusal.says("Upgrading from non-versioned"):
        return UnreachableError(
            refusal.doing,
            refusal.url,
            "the key-value engine is upgrading itself to version 2 (HTTP 400)",
            "Run again when it is done; the server's log says when.",
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
