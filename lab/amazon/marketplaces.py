# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon's marketplaces, as ``marketplaceParticipations`` describes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Marketplace:
    """One national shop."""

    id: str
    country: str
    name: str
    currency: str
    language: str

    @property
    def domain(self) -> str:
        """Where buyers shop."""
        return "www." + self.name.lower()


_ROWS = """
A2EUQ1WTGCTBG2 CA Amazon.ca     CAD en_CA
ATVPDKIKX0DER  US Amazon.com    USD en_US
A1AM78C64UM0Y8 MX Amazon.com.mx MXN es_MX
A2Q3Y263D00KWC BR Amazon.com.br BRL pt_BR
A28R8C7NBKEWEA IE Amazon.ie     EUR en_IE
A1RKKUPIHCS9HS ES Amazon.es     EUR es_ES
A1F83G8C2ARO7P GB Amazon.co.uk  GBP en_GB
A13V1IB3VIYZZH FR Amazon.fr     EUR fr_FR
AMEN7PMS3EDWL  BE Amazon.com.be EUR fr_BE
A1805IZSGTT6HS NL Amazon.nl     EUR nl_NL
A1PA6795UKMFR9 DE Amazon.de     EUR de_DE
APJ6JRA9NG5V4  IT Amazon.it     EUR it_IT
A2NODRKZP88ZB9 SE Amazon.se     SEK sv_SE
AE08WJ6YKNBMC  ZA Amazon.co.za  ZAR en_ZA
A1C3SOZRARQ6R3 PL Amazon.pl     PLN pl_PL
ARBP9OOSHTCHU  EG Amazon.eg     EGP ar_AE
A33AVAJ2PDY3EV TR Amazon.com.tr TRY tr_TR
A17E79C6D8DWNP SA Amazon.sa     SAR ar_AE
A2VIGQ35RCS4UG AE Amazon.ae     AED ar_AE
A21TJRUUN4KGV  IN Amazon.in     INR en_IN
A19VAU5U5O7RUS SG Amazon.sg     SGD en_SG
A39IBJ37TRP1C6 AU Amazon.com.au AUD en_AU
A1VC38T7YXB528 JP Amazon.co.jp  JPY ja_JP
"""

MARKETPLACES = {row.split()[0]: Marketplace(*row.split()) for row in _ROWS.strip().splitlines()}
