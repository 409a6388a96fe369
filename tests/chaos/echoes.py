# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose errors repeat what they were sent: body, headers, tokens, and every secret there is."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.gate import Gate, Reply, Request
from tests.e2e.test_canary import SHORTEST, forms

ECHOED = "CANARYechoedByTheServer0123456789"
STATUSES = (400, 401, 403, 404, 409, 422, 429, 500, 503)


def all_forms(secret: str) -> dict[str, str]:
    """As the sweep of the end-to-end tests, and what cannot be read back at once but can be guessed or turned."""
    raw = secret.encode()
    further = {
        "reversed": secret[::-1],
        "upper": secret.upper(),
        "hex upper": raw.hex().upper(),
        "md5": hashlib.md5(raw, usedforsecurity=False).hexdigest(),
        "sha1": hashlib.sha1(raw, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(raw).hexdigest(),
    }
    return {**forms(secret), **{name: text for name, text in further.items() if len(text) >= SHORTEST}}


class Sweep:
    """Looks for known secrets in what was put out."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.looked_at = 0
        self.forms = 0
        self._known: dict[str, dict[str, str]] = {}
        self.know(secrets)

    @property
    def secrets(self) -> int:
        return len(self._known)

    def know(self, secrets: Mapping[str, str]) -> None:
        self._known |= {name: all_forms(secret) for name, secret in secrets.items() if len(secret) >= SHORTEST}
        self.forms = sum(len(known) for known in self._known.values())

    def leaks(self, place: str, text: str) -> list[str]:
        """``name of the secret (its form) in place`` for each copy; the secret itself is not repeated."""
        self.looked_at += 1
        return [
            f"{name} ({form}) in {place}"
            for name, known in self._known.items()
            for form, one in known.items()
            if one in text
        ]


@dataclass(frozen=True)
class Kind:
    """One way to answer with an echo: ``make`` gets the text to repeat."""

    name: str
    make: Callable[[Request, str], Reply] = field(repr=False)

    def __str__(self) -> str:
        return self.name


def echoing(request: Request, secrets: Iterable[str]) -> str:
    """What a careless server says: all it was sent, and more."""
    headers = "; ".join(f"{name}: {value}" for name, value in request.headers.items())
    body = request.body.decode(errors="replace")
    form = urllib.parse.unquote_plus(body)
    return f"refused {request.method} {request.path} [{headers}] {body} {form} {ECHOED} {' '.join(secrets)}"


def _document(status: int, document: object, **headers: str) -> Reply:
    named = {"Content-Type": "application/json", "Retry-After": "0", **headers}
    return Reply(status, json.dumps(document).encode(), named, reason=ECHOED)


def _vault(status: int) -> Callable[[Request, str], Reply]:
    return lambda request, text: _document(
        status, {"errors": [text, "permission denied"], "warnings": [text], "data": {"error": text, "keys": [text]}}
    )


def _kubernetes(status: int) -> Callable[[Request, str], Reply]:
    reasons = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid"}

    def make(request: Request, text: str) -> Reply:
        cause = {"field": "spec.template", "message": text, "reason": "FieldValueInvalid"}
        details = {"name": text, "kind": text, "group": text, "causes": [cause]}
        status_object = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": text, "code": status}
        return _document(status, {**status_object, "reason": reasons.get(status, text), "details": details})

    return make


def _webhook(request: Request, text: str) -> Reply:
    words = f'admission webhook "policy.example.com" denied the request: {text}'
    return _document(400, {"kind": "Status", "status": "Failure", "message": words, "code": 400})


def _user(request: Request, text: str) -> Reply:
    words = f'secrets is forbidden: User "{text[:200]}" cannot patch resource {text}'
    return _document(403, {"kind": "Status", "status": "Failure", "message": words, "reason": "Forbidden", "code": 403})


def _amazon(status: int) -> Callable[[Request, str], Reply]:
    def make(request: Request, text: str) -> Reply:
        if request.path.startswith("/auth/"):
            error = "invalid_grant" if status == 400 else text
            return _document(status, {"error": error, "error_description": text, "error_uri": text})
        return _document(
            status,
            {"errors": [{"code": text, "message": text, "details": text}]},
            **{"x-amzn-RateLimit-Limit": "1.0", "x-amzn-RequestId": ECHOED},
        )

    return make


def _cut(status: int) -> Callable[[Request, str], Reply]:
    def make(request: Request, text: str) -> Reply:
        return Reply(status, json.dumps({"errors": [text], "message": text}).encode()[:-9], {"Retry-After": "0"})

    return make


def _page(status: int) -> Callable[[Request, str], Reply]:
    def make(request: Request, text: str) -> Reply:
        return Reply(status, f"<html><h1>{text}</h1></html>".encode(), {"Content-Type": "text/html"})

    return make


def _elsewhere(request: Request, text: str) -> Reply:
    token = urllib.parse.quote(text[:2000])
    return Reply(307, b"", {"Location": f"https://{ECHOED}:{ECHOED}@active.example:8200/{ECHOED}?token={token}"})


COMMON = (
    Kind("200 cut", _cut(200)),
    Kind("200 HTML", _page(200)),
    Kind("500 cut", _cut(500)),
    Kind("502 HTML", _page(502)),
    Kind("307", _elsewhere),
)
KINDS: dict[str, tuple[Kind, ...]] = {
    "vault": (*(Kind(str(status), _vault(status)) for status in STATUSES), *COMMON),
    "kubernetes": (
        *(Kind(str(status), _kubernetes(status)) for status in STATUSES),
        Kind("400 webhook", _webhook),
        Kind("403 user", _user),
        *COMMON,
    ),
    "amazon": (*(Kind(str(status), _amazon(status)) for status in STATUSES), *COMMON),
}


class Echo:
    """Answers the request of one number (from 0) to one server, and all like it after it, with an echo."""

    def __init__(self, gate: Gate, number: int, kind: Kind, secrets: Iterable[str]) -> None:
        self.answered: str | None = None
        self._gate, self._number, self._kind, self._secrets = gate, number, kind, list(secrets)
        self._count = 0
        gate.before = self._before

    def _before(self, request: Request) -> Reply | None:
        number, self._count = self._count, self._count + 1
        if number != self._number and request.what != self.answered:
            return None
        self.answered = self.answered or request.what
        return self._kind.make(request, echoing(request, self._secrets))


def tokens_of(reply: Reply) -> dict[str, str]:
    """Tokens that a server has just made, which the sweep must know of."""
    try:
        document: Any = json.loads(reply.body)
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    auth = document.get("auth") or {}
    made = {"made by Vault": auth.get("client_token"), "of Amazon": document.get("access_token")}
    return {f"token {name} {hash(token)}": token for name, token in made.items() if token}
