# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Asks Vault what a token is, and says plainly when that cannot be known.

A token answers for itself, unless its policy does not let it look itself up, or its role binds it to addresses that
this machine has none of. Then the caller asks about it, with its value or with the accessor that was noted when the
token was stored. To a token that does not exist, OpenBao answers a caller in no other way than to such a token.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_notes import (
    ACCESSOR,
    CHECKSUM_KEY,
    PROOF,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import token
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import TokenRefusedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient, is_well_formed


@dataclass(frozen=True)
class Answer:
    """What is known of a token: what it is, that it is none (``token`` is ``None``), or why neither is known."""

    token: token.Token | None = None
    doubt: str = ""


def proof(key: str, value: str, accessor: str) -> str:
    """Ties a noted accessor to the token that was stored with it.

    An editor who replaces the token and leaves the annotations does not have the new token taken for the old one.
    HMAC-SHA256 with the Secret's random key, of a token with more than 90 random bits: nothing can be guessed from it.
    """
    return hmac.new(key.encode(), f"{accessor}\n{value}".encode(), hashlib.sha256).hexdigest()[:32]


def vouched_accessor(state: SecretState, value: str) -> str | None:
    """The accessor of this very token, if it was noted when the token was stored; else ``None``."""
    accessor, key, noted = (state.annotations.get(name) or "" for name in (ACCESSOR, CHECKSUM_KEY, PROOF))
    if accessor and key and hmac.compare_digest(noted.encode(), proof(key, value, accessor).encode()):
        return accessor
    return None


def ask(vault: VaultClient, value: str | None, state: SecretState | None = None) -> Answer:
    """What the server says of a token.

    :param state: the Secret that holds it; its annotations are the last resort.
    """
    if not value or not is_well_formed(value):
        return Answer()
    found, final = token.lookup_self(vault.acting_as(value))
    if found is not None or final:
        return Answer(found)
    try:
        return Answer(token.lookup(vault, value))
    except TokenRefusedError:
        raise
    except ForbiddenError:
        pass
    accessor = vouched_accessor(state, value) if state else None
    why = "the Secret does not vouch for an accessor of it"
    if accessor:
        try:
            return Answer(token.lookup_accessor(vault, accessor))
        except TokenRefusedError:
            raise
        except ForbiddenError:
            why = "the caller may not look it up by its accessor either"
    return Answer(
        doubt="Vault does not let the token look itself up: it is no longer valid, or its policy lacks "
        "auth/token/lookup-self, or its role binds it to other addresses. The caller may not look it up "
        f"(auth/token/lookup), and {why}"
    )
