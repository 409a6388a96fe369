# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sellers API: ``GET /sellers/v1/marketplaceParticipations``."""

from __future__ import annotations

from lab.amazon.answers import Answer, json_answer
from lab.amazon.calls import Call
from lab.amazon.marketplaces import MARKETPLACES
from lab.amazon.world import World


def marketplace_participations(world: World, call: Call) -> Answer:
    """Every marketplace of the seller's account."""
    payload = []
    for marketplace_id in call.seller.marketplace_ids:
        marketplace = MARKETPLACES[marketplace_id]
        key = (call.seller.tenant, marketplace_id)
        payload.append(
            {
                "marketplace": {
                    "id": marketplace.id,
                    "countryCode": marketplace.country,
                    "name": marketplace.name,
                    "defaultCurrencyCode": marketplace.currency,
                    "defaultLanguageCode": marketplace.language,
                    "domainName": marketplace.domain,
                },
                "storeName": f"Boutique {call.seller.tenant}",
                "participation": {
                    "isParticipating": key not in world.not_participating,
                    "hasSuspendedListings": key in world.suspended,
                },
            }
        )
    return json_answer({"payload": payload})
