# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What an answer of the Selling Partner API means: data, or one exception for each way to fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    ForbiddenError,
    KeybuzzError,
    UnexpectedAnswerError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.quota import rate_header

ERROR_CODES = frozenset(
    {
        "AccessDenied",
        "InternalFailure",
        "InvalidInput",
        "InvalidParameterValue",
        "MissingParameter",
        "NotFound",
        "QuotaExceeded",
        "RequestTooLarge",
        "ServiceUnavailable",
        "Unauthorized",
        "UnsupportedMediaType",
    }
)
"""Codes that are shown as they come; any other text of an answer never is."""


class Throttled(UnreachableError):
    """HTTP 429: no token in the bucket. Amazon says neither how long nor how many."""


class Unavailable(UnreachableError):
    """HTTP 5xx, no answer, or an answer that is not the API's. The same call may work in a moment."""


class NotTrusted(UnreachableError):
    """TLS verification failed: trying again does not help. Nothing was sent."""


class AccessRefused(ForbiddenError):
    """HTTP 401 or 403 although LWA gave a token: a role, a region, or an access token that died."""


class BadRequest(UnexpectedAnswerError):
    """HTTP 4xx: the API does not take the request."""


class PageTokenRefused(BadRequest):
    """HTTP 400: the page token is older than 24 hours, or its request was another one."""


class NotFound(BadRequest):
    """HTTP 404: Amazon does not have it, or not any more."""


class TooRecent(BadRequest):
    """HTTP 400: the window ends less than two minutes before Amazon's now."""


@dataclass(frozen=True)
class Answer:
    """A 2xx whose body is a JSON object. ``rate`` is Amazon's word on requests a second, when it came."""

    payload: Mapping[str, Any] = field(repr=False)
    rate: float | None


def read_answer(
    doing: str, address: str, *, status: int, headers: Mapping[str, str], body: bytes, payload_key: str
) -> Answer:
    """Turn an HTTP answer into data or into the exception of its one meaning. The body is never shown."""
    try:
        document: Any = json.loads(body)
    except ValueError:
        document = None
    if 200 <= status < 300:
        if not isinstance(document, dict) or payload_key not in document or document.get("errors"):
            damage = "a body that is cut or not JSON" if document is None else f"no {payload_key!r} in its answer"
            raise Unavailable(doing, address, f"HTTP {status} with {damage}", "Run again; nothing of it was used.")
        return Answer(payload=document, rate=rate_header(headers.get("x-amzn-RateLimit-Limit")))
    raise _refusal(doing, address, status, *_first_error(document))


def _refusal(doing: str, address: str, status: int, code: str, message: str) -> KeybuzzError:
    answered = f"{code} (HTTP {status})" if code else f"HTTP {status} without one of the API's error codes"
    if status == 429:
        return Throttled(doing, address, answered, "Run again later; the import goes on where it was.")
    if status in {401, 403}:
        return AccessRefused(
            doing,
            address,
            answered,
            "The seller's authorization works at Login with Amazon but not here: check the application's roles, that "
            "region and marketplace_id belong together, and that the seller has not withdrawn the authorization.",
        )
    if status >= 500 or status in {408, 425} or not 400 <= status < 500:
        return Unavailable(doing, address, answered, "Run again later; the import goes on where it was.")
    if status == 400 and "paginationToken" in message:
        return PageTokenRefused(
            doing, address, f"{answered}: the page token was not accepted", "The window is read from its start again."
        )
    if status == 400 and "2 minutes" in message:
        return TooRecent(
            doing,
            address,
            f"{answered}: the window ends less than two minutes ago",
            "Give an earlier value for until, and check this host's clock.",
        )
    return (NotFound if code == "NotFound" else BadRequest)(
        doing,
        address,
        answered,
        "Amazon does not take the request; it has also answered so by its own fault for hours. Run again later, then "
        "check marketplace_id and the application's version of the Orders API.",
    )


def _first_error(document: Any) -> tuple[str, str]:
    """Code and message of the first error; a code only when it is one of Amazon's, the message never to be shown."""
    errors = document.get("errors") if isinstance(document, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else errors
    if not isinstance(first, dict):
        return "", ""
    code, message = first.get("code"), first.get("message")
    return (
        code if isinstance(code, str) and code in ERROR_CODES else "",
        message if isinstance(message, str) else "",
    )
