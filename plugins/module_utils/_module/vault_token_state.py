# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the backend's Vault token should be, what it was found to be, and the class that follows. Asks nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Owner
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import is_well_formed
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.token import (
    Token,
    default_backend_policy,
    default_token_role,
    seconds,
)

TokenClass = Literal[
    "namespace_missing",
    "secret_missing",
    "key_missing",
    "empty",
    "placeholder",
    "malformed",
    "invalid",
    "root",
    "wrong_policies",
    "shared",
    "not_orphan",
    "not_renewable",
    "ttl_low",
    "good",
]

# Words people put where a secret belongs, and template marks that were never filled in.
_FILLERS = re.compile(
    r"change[-_ ]?me|replace[-_ ]?me|to[-_ ]?do|tbd|x{3,}|\*+|none|null|undefined|example|dummy|placeholder"
    r"|(your|my|the)[-_ ]?(vault[-_ ]?)?token|<.*>|\$\{.*\}|\{\{.*\}\}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Place:
    """Where a token is kept: one key of one Secret."""

    namespace: str
    secret: str
    key: str

    def __str__(self) -> str:
        return f"Secret {self.namespace}/{self.secret} key {self.key}"


@dataclass(frozen=True)
class Desired:
    """What was asked for. Durations in seconds.

    :param renew_below: a good token with less life than this is renewed.
    :param revoke_superseded: whether tokens that were replaced are ended now.
    :param bootstrap_given: whether policy and role may be written in this run.
    """

    strategy: Literal["scoped", "copy"]
    place: Place
    vault_addr: str
    policy_name: str
    policy_text: str = field(repr=False)
    role_name: str
    role: Mapping[str, object]
    period: int
    renew_below: int
    environment: str
    revoke_superseded: bool
    bootstrap_given: bool
    copy_from: Place | None = None
    compare_with: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Superseded:
    """A token that was made here and replaced.

    :param fate: ``living`` may be revoked, ``gone`` needs no revoking; ``foreign`` and ``shared`` are left alone,
        because Vault says that it was made by somebody else, or another place uses it.
    """

    accessor: str
    fate: Literal["living", "gone", "foreign", "shared", "unknown"]


@dataclass(frozen=True)
class Observed:
    """What was found.

    :param value: text under the key, ``None`` if there is no such key.
    :param token: what the server says of it; ``None`` if it does not take it or was not asked.
    :param shared_with: other places that hold the very same token.
    :param unread: other places that could not be looked at, with the reason.
    :param policy, role: as on the server; an error if they could not be read.
    :param recorded: accessor noted on the Secret: the token we put there last.
    :param superseded: tokens noted on the Secret as replaced; their fate is looked up only when they are to be revoked.
    :param source: with ``copy``, the text to copy; ``source_token`` what the server says of it.
    :param foreign_owner: who writes the Secret beside us, so that our write would not last; ``None`` if nobody.
    """

    namespace_exists: bool | None = True
    secret_exists: bool = True
    value: str | None = field(default=None, repr=False)
    token: Token | None = None
    shared_with: tuple[str, ...] = ()
    unread: tuple[tuple[str, KeybuzzError], ...] = ()
    policy: str | KeybuzzError | None = None
    role: Mapping[str, object] | KeybuzzError | None = None
    recorded: str | None = None
    superseded: tuple[Superseded, ...] = ()
    source: str | None = field(default=None, repr=False)
    source_token: Token | None = None
    resource_version: str | None = None
    foreign_owner: str | None = None
    owner: Owner = field(default_factory=Owner)


def classify(observed: Observed, desired: Desired) -> TokenClass:
    """The one class of the token in the Secret: the worst thing about it."""
    missing = _missing(observed)
    if missing:
        return missing
    if observed.token is None:
        return "invalid"
    faults = _copy_faults if desired.strategy == "copy" else _scoped_faults
    return next((name for name, found in faults(observed, observed.token, desired) if found), "good")


def _copy_faults(observed: Observed, token: Token, desired: Desired) -> Iterator[tuple[TokenClass, bool]]:
    yield "root", token.is_root
    yield "ttl_low", 0 < token.ttl_seconds < desired.renew_below


def _scoped_faults(observed: Observed, token: Token, desired: Desired) -> Iterator[tuple[TokenClass, bool]]:
    """The worst first."""
    yield "root", token.is_root
    yield "wrong_policies", set(token.policies) != {desired.policy_name}
    yield "shared", bool(observed.shared_with)
    yield "not_orphan", not token.orphan
    yield "not_renewable", not _lives_by_renewal(token, desired)
    yield "ttl_low", token.ttl_seconds < _threshold(token, desired)


def _missing(observed: Observed) -> TokenClass | None:
    if observed.value is None:
        if observed.secret_exists:
            return "key_missing"
        return "namespace_missing" if observed.namespace_exists is False else "secret_missing"
    if not observed.value.strip():
        return "empty"
    if _FILLERS.fullmatch(observed.value.strip()):
        return "placeholder"
    return None if is_well_formed(observed.value) else "malformed"


def _lives_by_renewal(token: Token, desired: Desired) -> bool:
    periodic = token.period_seconds > 0 or token.role == desired.role_name
    bounded = token.explicit_max_ttl_seconds > 0 or token.uses_left > 0
    return token.renewable and periodic and not bounded and token.kind != "batch"


def _threshold(token: Token, desired: Desired) -> int:
    """A server whose maximum is below the period gives less life; half of that, so that renewing can succeed."""
    given = token.creation_ttl_seconds
    return min(desired.renew_below, given // 2) if 0 < given < desired.period else desired.renew_below


def desired_from(options: Mapping[str, Any], *, bootstrap_given: bool) -> Desired:
    """What the options of the module ask for, with the defaults that depend on other options.

    :raises BadInputError: a duration that is none, or a threshold that would renew on each run.
    """
    period = seconds("token_period", options["token_period"])
    # Half: with the default of a week, a long weekend without a run does not end the token.
    renew_below = seconds("renew_below", options["renew_below"]) if options.get("renew_below") else period // 2
    if renew_below >= period:
        raise BadInputError(
            "reading option renew_below:",
            repr(options["renew_below"]),
            "it is not less than token_period, so that each run would renew the token",
            "Give less; half of token_period is the default.",
        )
    policy_name = str(options.get("policy_name") or options["namespace"]).lower()  # as Vault stores and answers it
    copy_from = _place(options["copy_from"]) if options.get("copy_from") else None
    given = options.get("compare_with")
    compare_with = tuple(_place(place) for place in given) if given is not None else (copy_from,) if copy_from else ()
    place = _place(options)
    return Desired(
        strategy=options["strategy"],
        place=place,
        vault_addr=options["vault_addr"].rstrip("/"),
        policy_name=policy_name,
        policy_text=options.get("policy")
        or default_backend_policy(options["vault_mount"], options["app_path"], options["tenant_path_pattern"]),
        role_name=options.get("token_role") or policy_name,
        role=default_token_role(policy_name, period),
        period=period,
        renew_below=renew_below,
        environment=options.get("environment") or options["namespace"],
        revoke_superseded=options["superseded"] == "revoke",
        bootstrap_given=bootstrap_given,
        copy_from=copy_from,
        # A Secret is not shared with itself.
        compare_with=tuple(other for other in compare_with if other != place),
    )


def _place(options: Mapping[str, Any]) -> Place:
    return Place(options["namespace"], options["secret"], options["key"])
