# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An order before it gets Amazon's shape: the choices that make it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from lab.amazon.catalogue import Product


@dataclass(frozen=True)
class Line:
    """One line of an order; ``priced`` False leaves out its unit price."""

    product: Product
    quantity: int
    unit: Decimal
    shipping: Decimal = Decimal(0)
    priced: bool = True

    @property
    def total(self) -> Decimal:
        """Goods and shipping of this line."""
        return self.unit * self.quantity + self.shipping


@dataclass(frozen=True)
class Draft:
    """``total`` None leaves out the grand total; ``total_text`` writes it in other digits (441.5)."""

    number: int
    order_id: str
    created: datetime
    updated: datetime
    status: str
    channel: str
    lines: tuple[Line, ...]
    marketplace_id: str
    total: Decimal | None
    total_text: str | None = None
    cancelled_lines_priced: bool = False
    extras: frozenset[str] = frozenset()
