# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The one exception tree: while doing X on Y, what answered, what to do next."""

from __future__ import annotations

from typing import ClassVar


class KeybuzzError(Exception):
    """A failure that can be shown as it stands: no part of it may hold a secret or a server's raw body.

    :param doing: what was tried, in the -ing form (``"reading"``).
    :param address: the object it was tried on (``"secret/data/keybuzz/amazon_spapi/app"``).
    :param answered: what answered, in a few words (``"permission denied (HTTP 403)"``).
    :param remedy: one sentence that says what to do, with the command or the permission that fixes it.
    """

    status: ClassVar[str] = "error"
    """The drift status this failure stands for when it happens while looking (see :mod:`_drift`)."""
    missing_permissions: tuple[str, ...] = ()
    """The rights whose lack is the cause, such as ``SELECT on table orders``, where the cause is that alone."""

    def __init__(self, doing: str, address: str, answered: str, remedy: str) -> None:
        self.doing = doing
        self.address = address
        self.answered = answered
        self.remedy = remedy
        super().__init__(f"While {doing} {address}: {answered}. {remedy}")


class BadInputError(KeybuzzError):
    """What the user gave cannot work, whatever the servers say. Fails in check mode too."""


class UnreachableError(KeybuzzError):
    """No answer: connection refused, TLS not verified, time-out, sealed, not ready. Nothing is known."""

    status = "unknown"


class ForbiddenError(KeybuzzError):
    """The server knows the caller and says no (or does not know the caller at all)."""

    status = "blocked"


class BlockedError(KeybuzzError):
    """A prerequisite is missing or somebody else owns the object; nothing was written."""

    status = "blocked"


class StaleError(KeybuzzError):
    """What was read has been changed by somebody else, several times in a row. Nothing was overwritten."""

    status = "stale"


class UnexpectedAnswerError(KeybuzzError):
    """The server answered something that its API does not promise."""

    status = "unknown"
