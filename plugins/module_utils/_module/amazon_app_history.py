# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Since when the client secret is in use, by the document's older versions where the current one does not tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_app_age import (
    SINCE,
    SINCE_VERSION,
    Limits,
    Since,
    is_safe,
    without_history,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.instants import instant

LOOKED_AT = 10
"""Older versions that are read at most; Vault keeps ten unless told otherwise."""


@dataclass(frozen=True)
class Place:
    """A document's place.

    :param key: of the client secret in the document.
    """

    client: VaultClient
    mount: str
    path: str
    key: str
    protect: Callable[[Iterable[str | None]], None]


def secret_since(place: Place, document: kv.Document, now: datetime, limits: Limits, *, exactly: bool = False) -> Since:
    """The time of the earliest version with the same secret, or an earlier one that is noted for one of these.

    Costs nothing where the current version or the note tells it, one request where the versions' times are enough, and
    otherwise one more for each version that is looked at.
    """
    known = without_history(document, now, limits, exactly=exactly)
    written = instant(document.created_time)
    if known or written is None:
        return known or Since()
    try:
        versions = kv.versions(place.client, place.mount, place.path)
    except ForbiddenError:
        return _unseen(document, Since(written, "at_least", "the token may not read the metadata"), now, limits)
    first = versions[-1] if versions else None
    born = instant(first.created_time) if first and first.number == 1 else None
    # A noted time may be older than the document: a secret comes from somewhere.
    if born and not exactly and SINCE not in document.custom_metadata and is_safe(born, now, limits):
        return Since(born, "at_most", "the document is no older")
    if document.depth == "keys":
        return _unseen(document, Since(written, "at_least", "older versions were not compared"), now, limits)
    return _walk(place, document, versions)


def _walk(place: Place, document: kv.Document, versions: tuple[kv.Version, ...]) -> Since:
    earliest, moment = document.version, instant(document.created_time)
    differs = False
    older = [version for version in versions if version.number < document.version]
    for version in older[:LOOKED_AT]:
        if not version.readable:
            continue
        found = kv.read_version(place.client, place.mount, place.path, version.number)
        if found is None or found.state != "present":
            continue
        place.protect([found.data.get(place.key)])
        differs = found.data.get(place.key, "").strip() != document.data.get(place.key, "").strip()
        if differs:
            break
        earliest, moment = version.number, instant(version.created_time) or moment
    noted, holder = instant(document.custom_metadata.get(SINCE)), document.custom_metadata.get(SINCE_VERSION, "")
    if noted and holder.isdigit() and earliest <= int(holder) <= document.version:
        return Since(min(noted, moment or noted), "exact", "")
    if differs or earliest == 1:
        return Since(moment, "exact", "")
    return Since(moment, "at_least", f"older versions than {earliest} are not kept")


def _unseen(document: kv.Document, bound: Since, now: datetime, limits: Limits) -> Since:
    """With depth ``keys`` a secret that may well be young is not asked about further: the values were left out."""
    if document.depth == "values" or (bound.moment and not is_safe(bound.moment, now, limits)):
        return bound
    return Since(None, "not_asked", f"Keys only, {bound.why}")
