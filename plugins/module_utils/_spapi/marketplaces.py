# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Marketplaces, their regions, endpoints and Seller Central hosts.

Sources: Amazon, "Marketplace IDs", "SP-API endpoints" and "Seller Central URLs" of the developer documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

Area = Literal["na", "eu", "fe"]
ENDPOINTS: Mapping[Area, str] = {
    "na": "https://sellingpartnerapi-na.amazon.com",
    "eu": "https://sellingpartnerapi-eu.amazon.com",
    "fe": "https://sellingpartnerapi-fe.amazon.com",
}
AWS_REGIONS: Mapping[Area, str] = {"na": "us-east-1", "eu": "eu-west-1", "fe": "us-west-2"}


@dataclass(frozen=True)
class Marketplace:
    """One marketplace: Amazon's id, the country, the area whose endpoint serves it, where sellers log in."""

    id: str
    country: str
    area: Area
    seller_central: str

    @property
    def aws_region(self) -> str:
        """The region's name as the documents in Vault hold it, such as ``eu-west-1``."""
        return AWS_REGIONS[self.area]


_EUROPE = "sellercentral-europe.amazon.com"
_ALL: tuple[Marketplace, ...] = (
    Marketplace("A2EUQ1WTGCTBG2", "CA", "na", "sellercentral.amazon.ca"),
    Marketplace("ATVPDKIKX0DER", "US", "na", "sellercentral.amazon.com"),
    Marketplace("A1AM78C64UM0Y8", "MX", "na", "sellercentral.amazon.com.mx"),
    Marketplace("A2Q3Y263D00KWC", "BR", "na", "sellercentral.amazon.com.br"),
    Marketplace("A28R8C7NBKEWEA", "IE", "eu", "sellercentral.amazon.ie"),
    Marketplace("A1RKKUPIHCS9HS", "ES", "eu", _EUROPE),
    Marketplace("A1F83G8C2ARO7P", "UK", "eu", _EUROPE),
    Marketplace("A13V1IB3VIYZZH", "FR", "eu", _EUROPE),
    Marketplace("AMEN7PMS3EDWL", "BE", "eu", "sellercentral.amazon.com.be"),
    Marketplace("A1805IZSGTT6HS", "NL", "eu", "sellercentral.amazon.nl"),
    Marketplace("A1PA6795UKMFR9", "DE", "eu", _EUROPE),
    Marketplace("APJ6JRA9NG5V4", "IT", "eu", _EUROPE),
    Marketplace("A2NODRKZP88ZB9", "SE", "eu", "sellercentral.amazon.se"),
    Marketplace("AE08WJ6YKNBMC", "ZA", "eu", "sellercentral.amazon.co.za"),
    Marketplace("A1C3SOZRARQ6R3", "PL", "eu", "sellercentral.amazon.pl"),
    Marketplace("ARBP9OOSHTCHU", "EG", "eu", "sellercentral.amazon.eg"),
    Marketplace("A33AVAJ2PDY3EV", "TR", "eu", "sellercentral.amazon.com.tr"),
    Marketplace("A17E79C6D8DWNP", "SA", "eu", "sellercentral.amazon.sa"),
    Marketplace("A2VIGQ35RCS4UG", "AE", "eu", "sellercentral.amazon.ae"),
    Marketplace("A21TJRUUN4KGV", "IN", "eu", "sellercentral.amazon.in"),
    Marketplace("A19VAU5U5O7RUS", "SG", "fe", "sellercentral.amazon.sg"),
    Marketplace("A39IBJ37TRP1C6", "AU", "fe", "sellercentral.amazon.com.au"),
    Marketplace("A1VC38T7YXB528", "JP", "fe", "sellercentral.amazon.co.jp"),
)
MARKETPLACES: Mapping[str, Marketplace] = {marketplace.id: marketplace for marketplace in _ALL}


def marketplace(marketplace_id: str) -> Marketplace:
    """The marketplace of an id. :raises BadInputError: for an id that Amazon does not list."""
    try:
        return MARKETPLACES[marketplace_id]
    except KeyError:
        raise BadInputError(
            "reading option",
            "marketplace_id",
            f"{marketplace_id!r} is not one of Amazon's {len(MARKETPLACES)} marketplaces",
            "Use the id, not the country, such as A13V1IB3VIYZZH for Amazon.fr "
            "(https://developer-docs.amazon.com/sp-api/docs/marketplace-ids).",
        ) from None


def area_of(region: str) -> Area:
    """The area of ``na``, ``eu``, ``fe`` or of an AWS region's name. :raises BadInputError: for anything else."""
    for area, aws_region in AWS_REGIONS.items():
        if region.strip().lower() in {area, aws_region}:
            return area
    raise BadInputError(
        "reading option",
        "region",
        f"{region!r} is not a region of the Selling Partner API",
        f"Use one of {', '.join((*AWS_REGIONS, *AWS_REGIONS.values()))}.",
    )


def endpoint_of(marketplace_id: str) -> str:
    """The Selling Partner API's address for a marketplace, without a slash at its end."""
    return ENDPOINTS[marketplace(marketplace_id).area]


_DOMAINS: Mapping[str, str] = {
    "amazon.ca": "CA",
    "amazon.com": "US",
    "amazon.com.mx": "MX",
    "amazon.com.br": "BR",
    "amazon.ie": "IE",
    "amazon.es": "ES",
    "amazon.co.uk": "UK",
    "amazon.fr": "FR",
    "amazon.com.be": "BE",
    "amazon.nl": "NL",
    "amazon.de": "DE",
    "amazon.it": "IT",
    "amazon.se": "SE",
    "amazon.co.za": "ZA",
    "amazon.pl": "PL",
    "amazon.eg": "EG",
    "amazon.com.tr": "TR",
    "amazon.sa": "SA",
    "amazon.ae": "AE",
    "amazon.in": "IN",
    "amazon.sg": "SG",
    "amazon.com.au": "AU",
    "amazon.co.jp": "JP",
}
_BY_COUNTRY = {one.country: one.id for one in _ALL}


def by_sales_channel(name: str) -> str | None:
    """The marketplace that a report's ``SalesChannel`` (``Amazon.fr``) names; ``None`` for one that names none."""
    return _BY_COUNTRY.get(_DOMAINS.get(name.strip().lower(), ""))
