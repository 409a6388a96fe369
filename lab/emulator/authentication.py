# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asking: the lab's fixed tokens, and tokens of service accounts that the emulator has signed."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.emulator.errors import unauthorized
from lab.emulator.resources import BY_NAME
from lab.emulator.storage import Storage

Object = dict[str, Any]

ISSUER = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class User:
    name: str
    uid: str
    groups: tuple[str, ...]

    def as_dict(self) -> Object:
        return {"username": self.name, "uid": self.uid, "groups": list(self.groups)}


ANONYMOUS = User("system:anonymous", "", ("system:unauthenticated",))


class Authentication:
    """Bearer tokens. A service-account token is worth nothing once its account is deleted."""

    def __init__(self, token_file: Path, storage: Storage) -> None:
        with token_file.open(newline="") as lines:
            self._static = {
                row[0]: User(row[1], row[2], (*(row[3].split(",") if len(row) > 3 else ()), "system:authenticated"))
                for row in csv.reader(lines)
                if row
            }
        self._storage = storage
        self._key = secrets.token_bytes(32)

    def user(self, header: str | None) -> User:
        """The user of an Authorization header; anonymous without one. Raises 401 for one that is not valid."""
        if not header:
            return ANONYMOUS
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise unauthorized()
        for known, user in self._static.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                return user
        return self._account(token)

    def issue(self, account: Object, seconds: int) -> tuple[str, int]:
        """A token for a service account, and when it ends (seconds since the epoch)."""
        metadata = account["metadata"]
        until = int(time.time()) + seconds
        claims = {
            "iss": ISSUER,
            "sub": _name(metadata),
            "exp": until,
            "uid": metadata["uid"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "jti": secrets.token_hex(8),
        }
        body = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{body}.{self._sign(body)}", until

    def _account(self, token: str) -> User:
        body, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._sign(body).encode(), signature.encode()):
            raise unauthorized()
        claims = json.loads(_decode(body.partition(".")[2]))
        account = self._storage.find(BY_NAME["serviceaccounts"], claims["namespace"], claims["name"])
        if claims["exp"] < time.time() or account is None or account["metadata"]["uid"] != claims["uid"]:
            raise unauthorized()
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{claims['namespace']}", "system:authenticated")
        return User(claims["sub"], claims["uid"], groups)

    def _sign(self, body: str) -> str:
        return _text(hmac.new(self._key, body.encode(), hashlib.sha256).digest())


def _name(metadata: Object) -> str:
    return f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}"


def _encode(value: Object) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
