# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How old the application's client secret is, against the days after which Amazon refuses it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.instants import instant, iso
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.kv import Document

SINCE, SINCE_VERSION = "client_secret_since", "client_secret_version"
"""Keys of the custom metadata: when the client secret was first seen (ISO 8601, UTC), and a version that holds it."""

Bound = Literal["exact", "at_least", "at_most", "unknown", "not_asked"]
ROTATE = "Rotate it in Amazon's Developer Central (LWA credentials), put the new one into the source, and run again."


@dataclass(frozen=True)
class Limits:
    """Days of a client secret's life. Amazon: rotate it every 180 days; after that it is refused.

    :param warning_days: so many days before its end it is worth a warning.
    :param critical_days: so many days before its end it is drift.
    """

    max_age_days: int = 180
    warning_days: int = 30
    critical_days: int = 7


@dataclass(frozen=True)
class Since:
    """Since when the secret is in use.

    :param bound: whether it is that old exactly, ``at_least`` or ``at_most``; ``not_asked`` when nobody wants to know.
    :param why: why it is not known better, for people.
    """

    moment: datetime | None = None
    bound: Bound = "unknown"
    why: str = "There is no client secret whose age could be told"


def without_history(document: Document, now: datetime, limits: Limits, *, exactly: bool) -> Since | None:
    """What the current version alone tells; ``None`` if older versions have to be looked at.

    What is noted holds for the versions with the same secret. Somebody who rotates it by hand leaves the note behind.

    :param exactly: the moment itself is wanted, not only whether it is long enough ago to matter.
    """
    written = instant(document.created_time)
    if document.engine == 1 or written is None:
        return Since(why="A key-value engine of version 1 keeps no times")
    noted, holder = instant(document.custom_metadata.get(SINCE)), document.custom_metadata.get(SINCE_VERSION)
    if noted and (holder is None or holder == str(document.version)):
        return Since(min(noted, written), "exact", "")
    if document.version <= 1:
        return Since(written, "exact", "")
    if noted and is_safe(noted, now, limits) and not exactly:
        return Since(noted, "at_most", f"noted for version {holder}")
    if (now - written).days > limits.max_age_days and not exactly:
        return Since(written, "at_least", "the time of its version")
    return None


def is_safe(moment: datetime, now: datetime, limits: Limits) -> bool:
    """Whether a secret that is at most that old needs no word."""
    return now - moment < timedelta(days=limits.max_age_days - limits.warning_days)


def judged(item: Item, since: Since | None, now: datetime, limits: Limits, *, waits_for: str) -> Item:
    """The age's item with what is to be said about it.

    :param since: ``None`` if there is no secret at all.
    :param waits_for: id of the document's item.
    """
    if since is None:
        nothing = "There is no client secret whose age could be told."
        return replace(item, status="blocked", reason=nothing, depends_on=(waits_for,))
    if since.moment is None:
        asked = since.bound != "not_asked"
        return replace(
            item,
            severity="low" if asked else "info",
            status="unknown" if asked else "ignored",
            reason=f"{since.why}: the client secret's age is not known.",
            hint="Give client_secret_since, the day it was rotated on." if asked else "",
        )
    days = max(0, (now - since.moment).days)
    left = limits.max_age_days - days
    shown = {"days": days, "since": iso(since.moment)}
    words = {"at_least": f"at least {days} days", "at_most": f"at most {days} days"}.get(since.bound, f"{days} days")
    item = replace(item, before=shown, after=shown)
    note = f" ({since.why})" if since.why and since.bound != "exact" else ""
    if left < 0:
        reason = f"The client secret is {words} old{note}; Amazon refuses it after {limits.max_age_days}."
        return replace(item, status="stale", severity="high", reason=reason, hint=ROTATE)
    reason = f"The client secret is {words} old and ends in {left} days{note}."
    hint = f"{ROTATE} Amazon accepts the old one for seven days more."
    if left <= limits.critical_days:
        return replace(item, status="expiring", severity="high", reason=reason, hint=hint)
    if left <= limits.warning_days:
        return replace(item, severity="low", reason=reason, hint=hint)
    return replace(item, reason=f"The client secret is {words} old and has {left} days left{note}.")


def warning(item: Item) -> str | None:
    """What a module says about an age that is no drift yet."""
    return f"{item.reason} {item.hint}" if item.status == "in_sync" and item.severity == "low" else None
