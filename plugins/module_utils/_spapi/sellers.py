# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether a seller sells in a marketplace: Sellers API v1, getMarketplaceParticipations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import SellingPartner

PATH = "/sellers/v1/marketplaceParticipations"


@dataclass(frozen=True)
class Participation:
    """One marketplace of a seller."""

    marketplace_id: str
    country: str
    participating: bool
    suspended: bool


def participations(partner: SellingPartner) -> tuple[Participation, ...]:
    """The seller's marketplaces. One call of a plan with 15 tokens and 0.016 a second: not for every run."""
    answer = partner.get(PATH, {}, payload_key="payload")
    rows: Any = answer.payload["payload"]
    try:
        return tuple(
            Participation(
                marketplace_id=str(row["marketplace"]["id"]),
                country=str(row["marketplace"]["countryCode"]),
                participating=row["participation"]["isParticipating"] is True,
                suspended=row["participation"]["hasSuspendedListings"] is True,
            )
            for row in rows
        )
    except (KeyError, TypeError):
        raise UnexpectedAnswerError(
            "reading",
            f"{partner.endpoint}{PATH}",
            "its frame is not that of the Sellers API v1",
            "Check amazon_endpoint.",
        ) from None


def check_participation(rows: tuple[Participation, ...], marketplace_id: str, address: str) -> tuple[str, ...]:
    """Accept a marketplace the seller sells in; returns what to warn of.

    :raises BadInputError: when the seller does not sell there.
    """
    mine = sorted(f"{row.country} {row.marketplace_id}" for row in rows if row.participating)
    found = next((row for row in rows if row.marketplace_id == marketplace_id), None)
    if found is None or not found.participating:
        raise BadInputError(
            "checking the seller's marketplaces at",
            address,
            f"the seller does not sell in {marketplace_id}",
            f"Set marketplace_id to one of: {', '.join(mine) or 'none at all'}.",
        )
    if found.suspended:
        return (f"Amazon has suspended listings of this seller in {found.country} ({marketplace_id}).",)
    return ()
