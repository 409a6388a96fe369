# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the backend's Vault token should be, and what it was found to be. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Owner
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.kubernetes_auth import MountState, default_role
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.token import (
    Token,
    default_backend_policy,
    default_token_role,
    seconds,
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
class Consumer:
    """A Deployment that reads the Secret."""

    namespace: str
    deployment: str

    def __str__(self) -> str:
        return f"Deployment {self.namespace}/{self.deployment}"


@dataclass(frozen=True)
class Login:
    """How the backend logs in itself, with ``auth_mode: kubernetes``.

    :param role: fields the login role should have.
    :param audience: ``None`` if none was asked for; the role's own is left alone then.
    """

    mount: str
    role_name: str
    service_account: str
    audience: str | None
    role: Mapping[str, object]


@dataclass(frozen=True)
class Desired:
    """What was asked for. Durations in seconds.

    :param renew_below: a good token with less life than this is renewed.
    :param revoke_superseded: whether tokens that were replaced are ended now.
    :param bootstrap_given: whether policy and role may be written in this run.
    :param consumers: Deployments that have to run with the new token before the old one is ended.
    :param login: set when the backend logs in itself and needs no token in a Secret.
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
    consumers: tuple[Consumer, ...] = ()
    login: Login | None = None


@dataclass(frozen=True)
class Superseded:
    """A token that was made here and replaced.

    :param fate: ``living`` may be revoked, ``gone`` needs no revoking; ``foreign`` and ``shared`` are left alone,
        because Vault says that it was not made for this Secret, or another place uses it; so is ``unknown``.
    """

    accessor: str
    fate: Literal["living", "gone", "foreign", "shared", "unknown"]


@dataclass(frozen=True)
class Intent:
    """The mark of a run that set out to make a token and has not stored one."""

    since: datetime
    run_id: str


@dataclass(frozen=True)
class ConsumerState:
    """Whether a Deployment was seen to run with what the Secret holds now; ``why`` it was not."""

    consumer: Consumer
    proven: bool
    why: str = ""


@dataclass(frozen=True)
class ObservedLogin:
    """What was found of the backend's own login. Each part is an error if it could not be read.

    :param unfit: why the pods of a consumer cannot log in as that service account.
    """

    mount: MountState | KeybuzzError
    role: Mapping[str, object] | KeybuzzError | None = None
    account_exists: bool | KeybuzzError = False
    unfit: tuple[str, ...] | KeybuzzError = ()


@dataclass(frozen=True)
class Observed:
    """What was found.

    :param value: text under the key, ``None`` if there is no such key.
    :param token: what the server says of it; ``None`` if it does not take it or was not asked.
    :param doubt: why nothing is known of a token that the server does not let look itself up.
    :param shared_with: other places that hold the very same token.
    :param unread: other places that could not be looked at, with the reason.
    :param policy, role: as on the server; an error if they could not be read.
    :param longest_life: the most seconds that the server gives at once; ``None`` if it was not asked or not told.
    :param recorded: accessor noted on the Secret: the token we put there last.
    :param superseded: tokens noted on the Secret as replaced; their fate is looked up only when they are to be revoked.
    :param consumers: what was seen of the consumers; empty while no token is to be revoked.
    :param intents: runs that set out to make a token and have not stored one.
    :param searchable: whether their tokens may be looked for, which takes the list of all accessors.
    :param source: with ``copy``, the text to copy; ``source_token`` what the server says of it, or ``source_doubt``.
    :param foreign_owner: who writes the Secret beside us, so that our write would not last; ``None`` if nobody.
    """

    namespace_exists: bool | None = True
    secret_exists: bool = True
    value: str | None = field(default=None, repr=False)
    token: Token | None = None
    doubt: str = ""
    shared_with: tuple[str, ...] = ()
    unread: tuple[tuple[str, KeybuzzError], ...] = ()
    policy: str | KeybuzzError | None = None
    role: Mapping[str, object] | KeybuzzError | None = None
    longest_life: int | None = None
    recorded: str | None = None
    superseded: tuple[Superseded, ...] = ()
    consumers: tuple[ConsumerState, ...] = ()
    intents: tuple[Intent, ...] = ()
    searchable: bool = False
    source: str | None = field(default=None, repr=False)
    source_token: Token | None = None
    source_doubt: str = ""
    resource_version: str | None = None
    foreign_owner: ForeignOwner | None = None
    owner: Owner = field(default_factory=Owner)
    login: ObservedLogin | None = None


@dataclass(frozen=True)
class ForeignOwner:
    """Who generates the Secret from somewhere else.

    :param name: of the tool (``External Secrets Operator``).
    :param source: the object it is generated from (``ExternalSecret keybuzz-backend-dev/vault-token``), or how to find
        it where the Secret does not name it.
    :param command: shows that object.
    """

    name: str
    source: str = ""
    command: str = ""


def made_for(token: Token, desired: Desired) -> bool:
    """Whether Vault says that the token was made here for this very Secret.

    The annotations alone do not: they come along when somebody copies a Secret, or restores it in another namespace.
    """
    place = desired.place
    home = {"environment": desired.environment, "namespace": place.namespace, "secret": place.secret}
    return token.made_here and all(token.metadata.get(name) == value for name, value in home.items())


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
        or default_backend_policy(
            options["vault_mount"],
            options["app_path"],
            options["tenant_path_pattern"],
            kv_version=1 if options.get("vault_kv_version") == "1" else 2,
        ),
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
        consumers=tuple(
            Consumer(one.get("namespace") or place.namespace, one["deployment"])
            for one in options.get("consumers") or ()
        ),
        login=_login(options, policy_name, period) if options.get("auth_mode") == "kubernetes" else None,
    )


def _login(options: Mapping[str, Any], policy_name: str, period: int) -> Login:
    account = options.get("service_account")
    doing = "reading option auth_mode:"
    if options["strategy"] == "copy":
        raise BadInputError(
            doing,
            "kubernetes",
            "strategy=copy puts a token into a Secret, which a backend that logs in itself has no use for",
            "Use strategy=scoped.",
        )
    if not account:
        raise BadInputError(
            doing,
            "kubernetes",
            "service_account is not given, so that nobody can be told who may log in",
            "Give service_account: the serviceAccountName of the backend's pods.",
        )
    audience = options.get("kubernetes_audience") or None
    return Login(
        mount=str(options.get("kubernetes_auth_mount") or "kubernetes").strip("/"),
        role_name=options.get("kubernetes_auth_role") or policy_name,
        service_account=account,
        audience=audience,
        role=default_role(
            policy_name, period, service_account=account, namespace=options["namespace"], audience=audience
        ),
    )


def _place(options: Mapping[str, Any]) -> Place:
    return Place(options["namespace"], options["secret"], options["key"])
