# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values the healthy world is made of: the report's names, and secrets drawn anew for each lab."""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.certificates import write_private

TENANT = "ecomlg-001"
OTHER_TENANT = "switaa-002"  # known, never connected: "known tenants" means more than one
SELLER_ID = "A12BCIS2R7HD4D"
OTHER_SELLER_ID = "A3SWITAA00LAB2"
MARKETPLACE = "A13V1IB3VIYZZH"  # Amazon.fr
OTHER_MARKETPLACE = "A1PA6795UKMFR9"  # Amazon.de
REGION = "eu-west-1"  # of SP-API's European endpoint
OWNER = "owner@ecomlg.example"
OTHER_OWNER = "owner@switaa.example"
REDIRECT_URI = "https://backend.keybuzz.example/api/v1/marketplaces/amazon/oauth/callback"
UNTIL = "2026-01-12T12:00:00Z"  # the day of the report: the end of its ninety days

MOUNT = "secret"
APP_PATH = "keybuzz/amazon_spapi/app"
TENANT_PATH = "keybuzz/tenants/{tenant}/amazon_spapi"
CREATED_AT = "2026-01-12T09:30:00Z"

DATABASE_USERS = {
    "admin": "postgres",
    "backend": "keybuzz_backend",
    "repair": "keybuzz_repair",
    "audit": "keybuzz_audit",
}


@dataclass(frozen=True)
class Seed:
    """What is drawn once per lab. Every secret contains the word CANARY, for the tests that search for leaks."""

    client_id: str
    application_id: str
    client_secret: str = field(repr=False)
    refresh_tokens: dict[str, str] = field(repr=False)  # by tenant
    database_passwords: dict[str, str] = field(repr=False)  # by role of DATABASE_USERS

    def app_document(self) -> dict[str, str]:
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "application_id": self.application_id,
            "redirect_uri": REDIRECT_URI,
            "region": REGION,
        }

    def tenant_document(self) -> dict[str, str]:
        return {
            "refresh_token": self.refresh_tokens[TENANT],
            "seller_id": SELLER_ID,
            "marketplace_id": MARKETPLACE,
            "region": REGION,
            "created_at": CREATED_AT,
        }

    def sellers(self) -> list[dict[str, Any]]:
        """The simulator's sellers: the report's, and one whose authorisation nobody stored."""
        return [
            {
                "tenant": tenant,
                "seller_id": seller,
                "marketplace_ids": marketplaces,
                "refresh_token": self.refresh_tokens[tenant],
                "fixture": TENANT if tenant == TENANT else None,
            }
            for tenant, seller, marketplaces in (
                (TENANT, SELLER_ID, [MARKETPLACE]),
                (OTHER_TENANT, OTHER_SELLER_ID, [MARKETPLACE, OTHER_MARKETPLACE]),
            )
        ]

    def canaries(self) -> dict[str, str]:
        return {
            "lwa-client-secret": self.client_secret,
            **{f"refresh-token-{tenant}": token for tenant, token in self.refresh_tokens.items()},
            **{f"postgres-{role}": password for role, password in self.database_passwords.items()},
        }


def draw() -> Seed:
    """A fresh seed. The awkward characters are those that break shells, JSON, URLs and base64 comparisons."""
    return Seed(
        client_id=f"amzn1.application-oa2-client.{secrets.token_hex(16)}",
        application_id=f"amzn1.sp.solution.{uuid.uuid4()}",
        client_secret=f'amzn1.oa2-cs.v1.CANARY+/="\\{secrets.token_hex(16)}',
        refresh_tokens={tenant: _refresh_token() for tenant in (TENANT, OTHER_TENANT)},
        database_passwords={role: f'CANARY+/= "\\:{secrets.token_urlsafe(12)}' for role in DATABASE_USERS},
    )


def store_secrets(directory: Path, seed: Seed) -> None:
    """Writes what clients of the lab read: a refresh token per tenant. The folder and its files are private."""
    tokens = directory / "secrets" / "refresh_tokens"
    tokens.mkdir(mode=0o700)
    for tenant, token in seed.refresh_tokens.items():
        write_private(tokens / f"{tenant}.token", token)


def store_canaries(directory: Path, canaries: dict[str, str]) -> None:
    """``secrets/canaries.json``: every secret of this lab by name, for the tests that search for leaks."""
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in canaries.items()]
    write_private(directory / "secrets" / "canaries.json", "{\n" + ",\n".join(lines) + "\n}\n")


def _refresh_token() -> str:
    # Amazon's begin with Atzr| and go on in base64.
    return 'Atzr|IwEBCANARY+/="\\' + base64.b64encode(secrets.token_bytes(60)).decode()
