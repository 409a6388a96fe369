# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Tokens: what they are (looked up with the token itself), and their making, renewing and revoking."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    BlockedError,
    UnexpectedAnswerError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.instants import instant

MADE_BY = "keybuzz.amazon"
"""In the ``managed_by`` metadata of every token made here; no other token is ever revoked."""

GONE = (400, 404)
ANOTHER_SERVERS = "no namespace"
"""Vault's word, with HTTP 500, on a token whose name ends in that of a namespace that it does not have."""
NO_SUCH_TOKEN = ("invalid accessor", "bad token", ANOTHER_SERVERS)
"""For an accessor that is gone OpenBao answers 404 or 400; Vault also 403 with one of these texts. For a token that is
gone both answer 403 ``bad token`` to whoever may look tokens up."""
UNKNOWN_TO_VAULT = "invalid token"
"""Vault's word to the holder of a token that it does not know. OpenBao says the same to such a token as to a good one
that comes from an address it is not bound to, or that may not look itself up: "permission denied"."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Token:
    """A token as the server describes it.

    :param accessor: names the token without being it. Whoever may revoke by accessor can end the token with it.
    :param policies: its own and its identity's.
    :param ttl_seconds: life left; 0 for a token that never expires.
    :param creation_ttl_seconds: life it was given, which is the period or the server's maximum, if that is less.
    :param given_seconds: life it was given when it was last renewed, or made; 0 if that is not known.
    :param period_seconds: 0 if it has none of its own. A token made through a role has its period from the role,
        at each renewal anew; servers do not repeat it here.
    :param uses_left: 0 if its uses are not counted.
    :param expires_at: UTC, ``None`` for a token that never expires.
    """

    accessor: str
    policies: tuple[str, ...]
    ttl_seconds: int
    creation_ttl_seconds: int
    period_seconds: int
    explicit_max_ttl_seconds: int
    uses_left: int
    orphan: bool
    renewable: bool
    kind: str
    role: str | None
    expires_at: datetime | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    given_seconds: int = 0

    @property
    def is_root(self) -> bool:
        return "root" in self.policies

    @property
    def made_here(self) -> bool:
        return self.metadata.get("managed_by") == MADE_BY


@dataclass(frozen=True)
class NewToken:
    """A token that was just made. Its value goes to its home and nowhere else."""

    value: str = field(repr=False)
    token: Token


def default_backend_policy(mount: str, app_path: str, tenant_path_pattern: str, *, kv_version: int = 2) -> str:
    """What the backend needs and no more: read the Amazon documents, look itself up, renew itself.

    :param tenant_path_pattern: path of the tenants' documents below the mount, ``+`` for one segment.
    :param kv_version: of the engine at the mount; version 1 has neither ``data/`` nor ``metadata/``.
    """
    mount, app_path, tenant_path_pattern = (part.strip("/") for part in (mount, app_path, tenant_path_pattern))
    documents = (
        (f"{mount}/{app_path}", f"{mount}/{tenant_path_pattern}")
        if kv_version == 1
        else (
            f"{mount}/data/{app_path}",
            f"{mount}/data/{tenant_path_pattern}",
            f"{mount}/metadata/{tenant_path_pattern}",
        )
    )
    grants = (
        *((path, "read") for path in documents),
        ("auth/token/lookup-self", "read"),
        ("auth/token/renew-self", "update"),
    )
    return "".join(f'path "{path}" {{ capabilities = ["{capability}"] }}\n' for path, capability in grants)


def default_token_role(policy_name: str, period_seconds: int) -> dict[str, object]:
    """A role that can only make orphan periodic tokens with this one policy.

    Orphan: the token outlives the one that made it. Periodic: it lives as long as somebody renews it, and dies
    ``period_seconds`` after the last renewal.
    """
    return {
        "allowed_policies": [policy_name],
        "disallowed_policies": [],
        "orphan": True,
        "renewable": True,
        "token_period": period_seconds,
        "token_explicit_max_ttl": 0,
        "token_no_default_policy": True,
        "token_num_uses": 0,
        "token_type": "service",
        # A pattern such as "*" would let the role make tokens with any policy.
        "allowed_policies_glob": [],
    }


def lookup_self(client: VaultClient) -> tuple[Token | None, bool]:
    """What the client's own token is, or ``None``, and whether that is the server's last word on it.

    A server that answers 403 may not take the token at all, or take it and not let it look itself up. Vault answers 500
    to a JSON Web Token, which it tells a caller to be none.
    """
    answer = client.request("GET", "auth/token/lookup-self", doing="looking up a token at", accept=(200, 403, 500))
    if answer.status == 200:
        return _token(client, answer.data), True
    return None, any(word in error for word in (UNKNOWN_TO_VAULT, ANOTHER_SERVERS) for error in answer.errors)


def lookup(client: VaultClient, value: str) -> Token | None:
    """What a token is, asked with the client's own; ``None`` if there is no such token (any more).

    :raises ForbiddenError: the client's token may not look up others.
    """
    answer = client.request(
        "POST",
        "auth/token/lookup",
        doing="looking up a token at",
        body={"token": value},
        accept=(200, 404),
        accept_saying=NO_SUCH_TOKEN,
    )
    return _token(client, answer.data) if answer.status == 200 else None


def lookup_accessor(client: VaultClient, accessor: str) -> Token | None:
    """The token behind an accessor; ``None`` if there is none any more."""
    answer = client.request(
        "POST",
        "auth/token/lookup-accessor",
        doing="looking up a token by its accessor at",
        body={"accessor": accessor},
        accept=(200, *GONE),
        accept_saying=NO_SUCH_TOKEN,
    )
    return _token(client, answer.data) if answer.status == 200 else None


def accessors(client: VaultClient) -> tuple[str, ...]:
    """Of all tokens there are. Takes ``sudo`` beside ``list``."""
    answer = client.request("LIST", "auth/token/accessors", doing="listing the accessors at", accept=(200, 404))
    return tuple(str(accessor) for accessor in answer.data.get("keys") or ())


def longest_life(client: VaultClient) -> int:
    """The most seconds that the server gives a token at once, whatever is asked for (768 h unless tuned)."""
    # Not sys/auth/token/tune, which says the same and takes sudo.
    answer = client.request("GET", "sys/mounts/auth/token/tune", doing="reading the longest life of tokens at")
    return int(answer.data.get("max_lease_ttl") or 0)


def create(client: VaultClient, role: str, policy: str, *, display_name: str, metadata: Mapping[str, str]) -> NewToken:
    """Make a token through a role. Its kind, period and orphanhood are the role's.

    :raises BlockedError: there is no such role, or it does not allow this policy.
    """
    target = f"auth/token/create/{urllib.parse.quote(role, safe='')}"
    answer = client.request(
        "POST",
        target,
        doing="making a token at",
        body={
            "policies": [policy],
            "display_name": display_name,
            "meta": {**metadata, "managed_by": MADE_BY},
            "renewable": True,
        },
        accept=(200, 400, 404),
    )
    if answer.status != 200:
        raise BlockedError(
            "making a token at",
            client.url(target),
            f"there is no such role, or it does not allow the policy {policy} (HTTP {answer.status})",
            f"Look at it: vault read auth/token/roles/{role}. A run with vault_bootstrap_token_file sets it right.",
        )
    auth = answer.body.get("auth")
    if not isinstance(auth, Mapping) or not auth.get("client_token"):
        raise UnexpectedAnswerError(
            "making a token at",
            client.url(target),
            "the answer holds no token",
            "Check that nothing between here and the server rewrites its answers.",
        )
    life = int(auth.get("lease_duration") or 0)
    return NewToken(
        value=str(auth["client_token"]),
        token=Token(
            accessor=str(auth.get("accessor") or ""),
            policies=tuple(auth.get("policies") or ()),
            ttl_seconds=life,
            creation_ttl_seconds=life,
            period_seconds=0,
            explicit_max_ttl_seconds=0,
            uses_left=int(auth.get("num_uses") or 0),
            orphan=bool(auth.get("orphan")),
            renewable=bool(auth.get("renewable")),
            kind=str(auth.get("token_type") or ""),
            role=role,
            expires_at=datetime.now(UTC) + timedelta(seconds=life) if life else None,
            metadata=auth.get("metadata") or {},
            given_seconds=life,
        ),
    )


def renew_self(client: VaultClient) -> int:
    """Renew the client's own token for its whole period. Returns the seconds it now lives."""
    answer = client.request("POST", "auth/token/renew-self", doing="renewing a token at", body={})
    return _life(answer.body)


def renew_accessor(client: VaultClient, accessor: str) -> int:
    """Renew the token behind an accessor for its whole period. Returns the seconds it now lives."""
    answer = client.request(
        "POST",
        "auth/token/renew-accessor",
        doing="renewing a token by its accessor at",
        body={"accessor": accessor},
    )
    return _life(answer.body)


def revoke_accessor(client: VaultClient, accessor: str) -> None:
    """End the token behind an accessor. That there is none is what was wanted."""
    client.request(
        "POST",
        "auth/token/revoke-accessor",
        doing="revoking a token by its accessor at",
        body={"accessor": accessor},
        accept=(200, 204, *GONE),
        accept_saying=NO_SUCH_TOKEN,
    )


def seconds(option: str, duration: str) -> int:
    """Whole seconds of a duration such as ``168h``, ``7d``, ``30m``, ``1h30m`` or ``3600`` (seconds)."""
    text = duration.strip()
    if text.isdecimal():
        total = int(text)
    elif re.fullmatch(r"(\d+[smhd])+", text):
        total = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text))
    else:
        total = 0
    if total > 0:
        return total
    raise BadInputError(
        f"reading option {option}:",
        repr(duration),
        "it is not a duration above zero",
        "Write a number with a unit of s, m, h or d, such as 168h.",
    )


def _life(body: Mapping[str, Any]) -> int:
    auth = body.get("auth")
    return int(auth.get("lease_duration") or 0) if isinstance(auth, Mapping) else 0


def _token(client: VaultClient, data: Mapping[str, Any]) -> Token:
    own = data.get("policies") or ()
    identity = data.get("identity_policies") or ()
    if not data.get("accessor") and data.get("type") != "batch":
        raise UnexpectedAnswerError(
            "looking up a token at",
            client.url("auth/token/lookup-self"),
            "the answer describes no token",
            "Check that nothing between here and the server rewrites its answers.",
        )
    return Token(
        accessor=str(data.get("accessor") or ""),
        policies=tuple(dict.fromkeys([*own, *identity])),
        ttl_seconds=int(data.get("ttl") or 0),
        creation_ttl_seconds=int(data.get("creation_ttl") or 0),
        period_seconds=int(data.get("period") or 0),
        explicit_max_ttl_seconds=int(data.get("explicit_max_ttl") or 0),
        uses_left=int(data.get("num_uses") or 0),
        orphan=bool(data.get("orphan")),
        renewable=bool(data.get("renewable")),
        kind=str(data.get("type") or ""),
        role=data.get("role") or None,
        expires_at=instant(data.get("expire_time")),
        metadata=data.get("meta") or {},
        given_seconds=_given(data),
    )


def _given(data: Mapping[str, Any]) -> int:
    """Seconds from the last renewal, or the making, to the end."""
    ends = instant(data.get("expire_time"))
    begun = data.get("last_renewal_time") or data.get("creation_time")
    return int(ends.timestamp()) - int(begun) if ends and begun else 0
