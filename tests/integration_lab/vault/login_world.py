# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of logging in share: the auth methods of the server, and who signs tokens for them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient, connect
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .conftest import Server

CANARY = "CANARYthatNobodyMaySee"
ROLE = {"token_policies": ["keybuzz-audit"], "token_ttl": "1h"}


class Issuer:
    """Signs JSON Web Tokens with a key of its own, as a CI system does."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self.key.public_key()
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.pem = public.public_bytes(*form).decode()

    def sign(self, **claims: Any) -> str:
        now = int(time.time())
        stated = {"iss": "https://ci.example", "aud": "vault", "sub": "deploy", "iat": now, "exp": now + 300, **claims}
        parts = [self._encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, stated)]
        signed = self.key.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
        return ".".join([*parts, self._encoded(signed)])

    @staticmethod
    def _encoded(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Methods:
    """The auth methods ``approle`` and ``ci/jwt``, with a role ``auditor`` each."""

    def __init__(self, server: Server) -> None:
        self.server, self.root, self.issuer = server, server.root().adapter, Issuer()
        self.root.post("/v1/sys/auth/approle", json={"type": "approle"})
        self.approle()
        self.root.post("/v1/sys/auth/ci/jwt", json={"type": "jwt"})
        self.root.post("/v1/auth/ci/jwt/config", json={"jwt_validation_pubkeys": [self.issuer.pem]})
        claims = {"bound_audiences": ["vault"], "user_claim": "sub", "bound_claims": {"project": "keybuzz"}}
        self.root.post("/v1/auth/ci/jwt/role/auditor", json={"role_type": "jwt", **claims, **ROLE})

    def close(self) -> None:
        for path in ("approle", "ci/jwt"):
            self.root.delete(f"/v1/sys/auth/{path}")

    def approle(self, **changes: Any) -> None:
        self.root.post("/v1/auth/approle/role/auditor", json={**ROLE, "token_type": "service", **changes})

    def role_id(self) -> str:
        return str(self.root.get("/v1/auth/approle/role/auditor/role-id")["data"]["role_id"])

    def secret_id(self, **limits: Any) -> str:
        return str(self.root.post("/v1/auth/approle/role/auditor/secret-id", json=limits)["data"]["secret_id"])

    def options(self, method: str, **given: Any) -> dict[str, Any]:
        vault = self.server.vault
        return {"vault_addr": vault.addr, "vault_ca_cert": str(vault.ca_file), "vault_auth_method": method, **given}

    def by_approle(self, **given: Any) -> dict[str, Any]:
        return self.options("approle", vault_role_id=self.role_id(), **given)

    def by_jwt(self, jwt: str, **given: Any) -> dict[str, Any]:
        named = {"vault_auth_mount": "ci/jwt", "vault_auth_role": "auditor", **given}
        return self.options("jwt", vault_jwt=jwt, **named)


def opened(options: dict[str, Any]) -> tuple[VaultClient, list[str]]:
    protected: list[str] = []
    client = connect(options, lambda values: protected.extend(value for value in values if value))
    return client, protected


def own_token(client: VaultClient) -> dict[str, Any]:
    return dict(client.request("GET", "auth/token/lookup-self", doing="looking up").data)


def refusal(options: dict[str, Any]) -> KeybuzzError:
    with pytest.raises(KeybuzzError) as caught:
        opened(options)
    assert CANARY not in str(caught.value)
    for name in ("vault_secret_id", "vault_jwt"):
        assert not options.get(name) or options[name] not in str(caught.value)
    return caught.value
