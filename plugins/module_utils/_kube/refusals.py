# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the API server's refusals mean. No message repeats a body: bodies quote the objects that were sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BlockedError,
    ForbiddenError,
    KeybuzzError,
    StaleError,
    UnexpectedAnswerError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import Resource

DOING = {"get": "reading", "list": "listing", "create": "creating", "patch": "changing", "update": "changing"}
POLICY = re.compile(
    r"admission webhook \"|ValidatingAdmissionPolicy '|violates PodSecurity|exceeded quota|denied the request"
)
POLICY_NAME = re.compile(r"(admission webhook \"[^\"]{1,200}\"|ValidatingAdmissionPolicy '[^']{1,200}')")
LONGEST_WORDS = 400


class Unauthorized(ForbiddenError):
    """401: the server does not know the caller."""


class Denied(ForbiddenError):
    """403: RBAC says no. ``permission`` is what is missing, as ``patch deployments.apps ns/name``."""

    def __init__(self, doing: str, address: str, answered: str, remedy: str, *, permission: str) -> None:
        super().__init__(doing, address, answered, remedy)
        self.permission = permission


class AdmissionRefused(BlockedError):
    """A policy of the cluster refuses the object; ``words`` are the policy's own."""

    def __init__(self, doing: str, address: str, answered: str, remedy: str, *, words: str) -> None:
        super().__init__(doing, address, answered, remedy)
        self.words = words


class Conflict(StaleError):
    """409, or a JSON Patch whose ``test`` failed: the object is not what was read. Read again and plan again."""


class NotFound(BlockedError):
    """404 to a write: the object, or the namespace it should live in, is gone."""


class Invalid(UnexpectedAnswerError):
    """422 or 400: the server's validation refuses the object."""

    status = "error"


class ServerTrouble(UnreachableError):
    """429 or 5xx: the server is there and cannot answer now."""


def refusal(  # noqa: PLR0911 - one return for each meaning
    verb: str, target: Resource, code: int, body: Mapping[str, Any], *, json_patch: bool
) -> KeybuzzError:
    """Turn a ``Status`` answer into the error that says what to do.

    :param verb: the RBAC verb (get, list, create, patch).
    :param code: HTTP status.
    :param body: the parsed ``Status`` object; empty if the answer was not one.
    :param json_patch: the request was a JSON Patch, whose failed ``test`` the server answers with a bare 422.
    """
    doing, address = DOING.get(verb, verb), target.address
    message, details = str(body.get("message") or ""), body.get("details") or {}
    causes: Sequence[Mapping[str, Any]] = details.get("causes") or ()
    if code == 401:
        return Unauthorized(
            doing,
            address,
            "the server does not know this caller (HTTP 401)",
            "The token or client certificate is missing, wrong or expired: get a new one and check kubeconfig, "
            "context or api_key.",
        )
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return BlockedError(
            doing,
            address,
            f"namespace {target.namespace} is being deleted",
            f"Wait until it is gone (kubectl get namespace {target.namespace}), create it anew and run again.",
        )
    if code in {400, 403, 422} and POLICY.search(message):
        return _admission(doing, target, message)
    if code == 403:
        user = re.search(r'User "([^"]{1,250})"', message)
        return Denied(
            doing,
            address,
            f"{user[1] if user else 'the caller'} may not {verb} it (HTTP 403)",
            f"Give that user {target.rule(verb)}.",
            permission=f"{verb} {target.qualified} {target.namespace or ''}/{target.name or '*'}",
        )
    if code == 404:
        gone = f"namespace {target.namespace}" if details.get("kind") == "namespaces" else "the object"
        return NotFound(doing, address, f"{gone} does not exist (HTTP 404)", "Create it first, or correct the name.")
    fields = sorted({str(cause["field"]) for cause in causes if cause.get("field")})
    if code == 409 or (code == 422 and json_patch and not fields):
        return Conflict(
            doing,
            address,
            f"it was changed by somebody else after it was read (HTTP {code})",
            "Nothing was overwritten; run again.",
        )
    if code in {400, 422}:
        where = f" at {', '.join(fields)}" if fields else ""
        return Invalid(
            doing,
            address,
            f"the server's validation refuses it{where} (HTTP {code})",
            "Correct these fields; the server's sentence is withheld because it quotes values.",
        )
    if code == 429 or code >= 500:
        return ServerTrouble(
            doing,
            address,
            f"the server cannot answer now (HTTP {code})",
            "Look at the API server's health (kubectl get --raw /readyz) and run again.",
        )
    return UnexpectedAnswerError(
        doing, address, f"the server answered HTTP {code}", "Check that host or kubeconfig names an API server."
    )


def _admission(doing: str, target: Resource, message: str) -> AdmissionRefused:
    if target.resource == "secrets":  # a policy may quote the object it refuses
        named = POLICY_NAME.search(message)
        words = named[1] if named else "a policy whose words are withheld because they may quote the Secret"
    else:
        words = message[:LONGEST_WORDS]
    return AdmissionRefused(
        doing,
        target.address,
        f"a policy of the cluster refuses the change: {words}",
        "Ask the owner of that policy for an exception, or change what is wanted.",
        words=words,
    )
