# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Page tokens: everything a next page needs, sealed, so that the simulator remembers nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

from lab.amazon.books import Position

# Amazon's Orders 2026-01-01 reference: a pagination token expires after 24 hours.
TOKEN_SECONDS = 24 * 3600


@dataclass(frozen=True)
class PageToken:
    """``query`` is what the token is bound to, ``before`` the upper bound that the first page fixed."""

    operation: str
    seller_id: str
    query: dict[str, str]
    before: str
    start: Position | None
    issued: float


class Seal:
    """Makes and opens tokens; a simulator started anew with the same client secret opens the old ones."""

    def __init__(self, client_secret: str) -> None:
        self._key = hashlib.sha256(b"page tokens\0" + client_secret.encode()).digest()

    def close(self, token: PageToken) -> str:
        """The opaque text a client gets."""
        content = json.dumps(
            [token.operation, token.seller_id, token.query, token.before, token.start, token.issued],
            sort_keys=True,
        ).encode()
        mark = hmac.digest(self._key, content, "sha256")[:12]
        return base64.urlsafe_b64encode(mark + content).decode().rstrip("=")

    def open(self, text: str) -> PageToken | None:
        """The token, or None for a text that this simulator did not make."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        if not hmac.compare_digest(raw[:12], hmac.digest(self._key, raw[12:], "sha256")[:12]):
            return None
        operation, seller_id, query, before, start, issued = json.loads(raw[12:])
        return PageToken(operation, seller_id, query, before, tuple(start) if start else None, issued)


def bound(parameters: Mapping[str, str], free: frozenset[str]) -> dict[str, str]:
    """The parameters a token is bound to: all that were given, but those that may change."""
    return {name: value for name, value in parameters.items() if name not in free}
