# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The consent of a seller: the address to open, and the ``state`` that ties the answer to the question.

The state is not stored anywhere. It carries tenant, time and a nonce under an HMAC whose key is derived from the
application's client secret, so whoever holds the application's document can check it and nobody else can make it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import urllib.parse

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

PURPOSE = b"keybuzz.amazon consent state 1"
FUTURE_SECONDS = 60
"""A state may be this much younger than now: clocks of two hosts differ."""


def new_state(client_secret: str, tenant: str, now: float, nonce: str | None = None) -> str:
    """A state for one tenant. ``now`` in seconds since the epoch. Safe in a URL, holds no secret."""
    payload = json.dumps(
        {"tenant": tenant, "at": int(now), "nonce": nonce or secrets.token_urlsafe(12)}, separators=(",", ":")
    ).encode()
    return f"{_text(payload)}.{_text(_signature(client_secret, payload))}"


def check_state(client_secret: str, tenant: str, state: str, now: float, lifetime: float) -> None:
    """Accept a state that was made for this tenant at most ``lifetime`` seconds ago.

    :raises BadInputError: for any other state; the code that came with it must not be exchanged.
    """
    left, _dot, right = state.partition(".")
    try:
        payload, signature = _bytes(left), _bytes(right)
    except (binascii.Error, ValueError):
        raise _refused("it is not a state of this collection") from None
    if not hmac.compare_digest(signature, _signature(client_secret, payload)):
        raise _refused("it was not made with this application's secret, or it was changed on the way")
    content = json.loads(payload)
    if content["tenant"] != tenant:
        raise _refused(f"it was made for tenant {content['tenant']!r}, not for {tenant!r}")
    age = now - content["at"]
    if age > lifetime or age < -FUTURE_SECONDS:
        raise _refused(f"it is {age / 60:.0f} minutes old and was good for {lifetime / 60:.0f}")


def consent_url(
    seller_central: str, application_id: str, state: str, redirect_uri: str | None = None, *, draft: bool = False
) -> str:
    """The page on which the seller authorizes the application.

    :param seller_central: host (``sellercentral-europe.amazon.com``) or https address of the seller's Seller Central.
    :param draft: the application is not published yet (Amazon: ``version=beta``).
    """
    base = seller_central if "://" in seller_central else f"https://{seller_central}"
    query = {"application_id": application_id, "state": state}
    if redirect_uri:
        query["redirect_uri"] = redirect_uri
    if draft:
        query["version"] = "beta"
    return f"{base.rstrip('/')}/apps/authorize/consent?{urllib.parse.urlencode(query)}"


def _refused(why: str) -> BadInputError:
    return BadInputError(
        "checking option",
        "oauth_state",
        f"the state was not accepted: {why}",
        "Do not use the code that came with it. Run without a code to get a new consent address.",
    )


def _signature(client_secret: str, payload: bytes) -> bytes:
    key = hmac.new(client_secret.encode(), PURPOSE, hashlib.sha256).digest()
    return hmac.new(key, payload, hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    if not text.isascii():
        raise ValueError("not base64")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
