# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Logging in: AppRole, Kubernetes, JWT. What comes of it is a token that ends with the module's run.

The server's words of a refused login are only matched, never shown: they can repeat what was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    UnexpectedAnswerError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import NO_MOUNT, WrongMountError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.given import Protect, given_token

SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105
"""Where Kubernetes puts a pod's own token."""
REFUSALS = (400, 401, 403, 404, 500)
"""A refused login: 400 by most methods, 403 by Kubernetes' and for a mount that is not there, 500 where the server
could not ask the issuer of the token."""


class LoginRefusedError(ForbiddenError):
    """The server did not take what was given to log in with."""


@dataclass(frozen=True)
class Login:
    """One way to log in.

    :param mount: where the auth method is mounted, ``approle`` or ``ci/jwt``.
    :param body: what is sent; holds a secret.
    """

    method: str
    mount: str
    body: Mapping[str, str] = field(repr=False)

    @property
    def path(self) -> str:
        return f"auth/{self.mount}/login"


@dataclass(frozen=True)
class Session:
    """What a login gave.

    :param revocable: ``False`` for a batch token, which no server keeps and which ends by its time alone.
    """

    token: str = field(repr=False)
    revocable: bool


def wanted(params: Mapping[str, Any], protect: Protect) -> Login | None:
    """The login that the options ask for; ``None`` for a token that is given.

    :raises BadInputError: something that this method needs was not given; nothing was sent.
    """
    method = params.get("vault_auth_method") or "token"
    if method == "token":
        return None
    mount = (params.get("vault_auth_mount") or method).strip("/").removeprefix("auth/")
    if method == "approle":
        role_id = _needed(params, "vault_role_id", method, "VAULT_ROLE_ID")
        secret_id = given_token(params, "vault_secret_id", protect)
        return Login(method, mount, {"role_id": role_id} | ({"secret_id": secret_id} if secret_id else {}))
    fallback = SERVICE_ACCOUNT_TOKEN if method == "kubernetes" else None
    role = params.get("vault_auth_role") if method == "jwt" else _needed(params, "vault_auth_role", method)
    jwt = given_token(params, "vault_jwt", protect, fallback=fallback)
    if not jwt:
        raise BadInputError(
            "logging in to",
            str(params.get("vault_addr")),
            f"vault_auth_method is {method}, and no token to log in with was given",
            "Give vault_jwt_file (a file that holds the token alone), vault_jwt or VAULT_JWT.",
        )
    # Without a role the JWT method takes the default_role of its configuration.
    return Login(method, mount, {"jwt": jwt} | ({"role": str(role)} if role else {}))


def log_in(request: Callable[..., Any], login: Login, address: str, protect: Protect) -> Session:
    """Send the login.

    :param request: of a client that has no token.
    :raises LoginRefusedError: with the cause where the server tells it.
    """
    try:
        answer = request("POST", login.path, doing="logging in at", body=login.body, accept=(200, 204, *REFUSALS))
    except WrongMountError:
        raise _refused(login, address, 404, NO_MOUNT) from None
    if answer.status in REFUSALS:
        raise _refused(login, address, answer.status, " ".join(answer.errors))
    auth = answer.body.get("auth")
    auth = auth if isinstance(auth, Mapping) else {}
    token = auth.get("client_token")
    if not isinstance(token, str) or not token:
        asks = isinstance(auth.get("mfa_requirement"), Mapping)
        raise UnexpectedAnswerError(
            "logging in at",
            address,
            "the server wants a second factor" if asks else "the answer holds no token",
            "Use a login without a second factor for machines."
            if asks
            else "Check vault_addr, and that nothing between here and the server rewrites its answers.",
        )
    protect([token])
    return Session(token, revocable=auth.get("token_type") != "batch")


def _needed(params: Mapping[str, Any], option: str, method: str, variable: str = "VAULT_AUTH_ROLE") -> str:
    value = params.get(option)
    if value:
        return str(value)
    raise BadInputError(
        "reading option",
        option,
        f"it is not given, and vault_auth_method is {method}",
        f"Give {option}, or the environment variable {variable}.",
    )


# Signs in the servers' texts, what they mean, and what to do; the first that matches is the cause.
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        NO_MOUNT,
        "no auth method is mounted there",
        "Set vault_auth_mount to its mount; vault auth list shows the mounts.",
    ),
    (
        "could not load configuration",
        "the auth method is mounted there and not configured",
        "Configure it: vault write {at}/config …",
    ),
    (
        "missing secret_id",
        "this role wants a secret id too",
        "Give vault_secret_id_file, or VAULT_SECRET_ID_FILE.",
    ),
    (
        "secret id",
        "the role id or the secret id is not accepted: unknown, expired or used up",
        "Make a new one: vault write -f {at}/role/ROLE/secret-id. Is it of the same role as vault_role_id?",
    ),
    ("invalid role id", "the role id is not accepted", "Read it: vault read {at}/role/ROLE/role-id"),
    ("cidr", "this machine's address is not one the role allows", "Look at the role's bound CIDRs."),
    (
        "is expired",
        "the token to log in with has expired",
        "Give a fresh one; in a pod read it from its file, which Kubernetes renews.",
    ),
    (
        "audience",
        "the token to log in with is for another audience than the role's",
        "Compare the role's audience with the one the token was asked for.",
    ),
    (
        "service account name not authorized",
        "the role does not allow this service account",
        "Look at bound_service_account_names: vault read {at}/role/{role}",
    ),
    (
        "namespace not authorized",
        "the role does not allow this service account's namespace",
        "Look at bound_service_account_namespaces: vault read {at}/role/{role}",
    ),
    ("role", "the role is not one of this auth method", "Check vault_auth_role; vault list {at}/role shows the roles."),
    (
        "signature",
        "the token to log in with is signed by nobody the auth method trusts",
        "Compare its issuer with vault read {at}/config",
    ),
    (
        "claim",
        "a claim of the token to log in with is not what the role wants",
        "Compare the token's claims with vault read {at}/role/{role}",
    ),
    (
        "error validating token",
        "the token to log in with is not valid",
        "Compare its issuer and times with vault read {at}/config",
    ),
)


def _refused(login: Login, address: str, status: int, said: str) -> LoginRefusedError:
    at, role = f"auth/{login.mount}", login.body.get("role", "ROLE")
    for sign, answered, remedy in _CAUSES:
        if sign in said.lower():
            cause, do = answered, remedy.format(at=at, role=role)
            break
    else:
        cause = f"the server refuses the {login.method} login at {at}"
        do = (
            f"Check vault_auth_mount ({at} may not be there; vault auth list shows the mounts), vault_namespace, and "
            "what was given to log in with; the server's log tells more."
        )
    return LoginRefusedError("logging in at", address, f"{cause} (HTTP {status})", do)
