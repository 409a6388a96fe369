# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which requests are sent once more when they fail, and when.

A request is repeated only when that cannot do its work twice: reads after any passing failure, writes only after
answers that say that nothing was done. A write whose answer was lost is never repeated: its caller looks what became
of it in its next run.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

PAUSES = (0.2, 0.6)
"""Seconds before the second and the third attempt; a failover of Vault's integrated storage takes about a second."""
LONGEST = 2.0
"""A server that asks for more patience (``Retry-After``) is reported instead of waited for, in seconds."""

READS = frozenset({"GET", "LIST", "HEAD"})
PURE = frozenset({"sys/capabilities-self", "auth/token/lookup-accessor", "auth/token/lookup"})
"""Paths that are asked with POST and change nothing."""

PASSING = frozenset({412, 429, 502, 503, 504})
REFUSED_UNDONE = frozenset({412, 429})
"""Answered before the request is worked on: a replica that lags behind (Vault: Eventual Consistency), a quota."""

LOST = ("ConnectionResetError", "RemoteDisconnected", "ConnectionAbortedError", "BrokenPipeError", "IncompleteRead")
"""A connection that broke while it was in use. A certificate, a name or an address that is wrong stays wrong."""


def is_read(method: str, path: str) -> bool:
    """Whether the request changes nothing on the server."""
    return method in READS or path in PURE


def after_status(method: str, path: str, status: int, errors: tuple[str, ...]) -> bool:
    """Whether an answer with this status is worth another attempt."""
    if any("sealed" in error.lower() for error in errors):
        return False  # It stays sealed until a person does something about it.
    return status in (PASSING if is_read(method, path) else REFUSED_UNDONE)


def after_silence(method: str, path: str, chain: str) -> bool:
    """Whether a request that got no answer is worth another attempt.

    :param chain: names and texts of the exceptions that tell why.
    """
    return is_read(method, path) and any(sign in chain for sign in LOST)


def pause(attempt: int, headers: Mapping[str, str]) -> float | None:
    """Seconds to wait before the next attempt; ``None``: give up.

    :param attempt: how many attempts were made, from 1.
    """
    if attempt > len(PAUSES):
        return None
    asked = headers.get("Retry-After", "")
    wanted = float(asked) if asked.isdigit() else 0.0
    if wanted > LONGEST:
        return None
    # Jitter: many tenants' runs that were refused together must not come back together.
    return max(wanted, PAUSES[attempt - 1] * random.uniform(0.75, 1.25))  # noqa: S311
