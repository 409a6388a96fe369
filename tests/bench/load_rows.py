# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders for the benchmark of the load: always the same, and one after another, however many there are."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Item, Order, reference
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Page

from lab.amazon.catalogue import PRODUCTS

FRANCE = "A13V1IB3VIYZZH"
FIRST = datetime(2025, 10, 14, 12, tzinfo=UTC)
STATUSES = ("SHIPPED", "CANCELLED", "UNSHIPPED", "PENDING")


def orders(count: int) -> Iterator[Order]:
    """``count`` orders, a minute apart: one in ten cancelled, one in fifty pending, 1.22 lines each on average."""
    rng = random.Random("keybuzz load")  # noqa: S311 - no secret, always the same
    for number in range(count):
        status = rng.choices(STATUSES, (85, 10, 3, 2))[0]
        lines = rng.choices((1, 2, 3), (82, 14, 4))[0]
        items = tuple(_item(rng, number * 10 + position, status) for position in range(lines))
        order_id = f"{400 + number % 9}-{number * 7919 % 10_000_000:07d}-{number % 10_000_000:07d}"
        placed = FIRST + timedelta(minutes=number)
        priced = status in ("SHIPPED", "UNSHIPPED")
        yield Order(
            externalOrderId=order_id,
            orderRef=reference(order_id),
            marketplaceId=FRANCE,
            orderDate=placed,
            totalAmount=sum((item.lineTotal or Decimal(0) for item in items), Decimal("4.99")) if priced else None,
            currency="EUR" if priced else None,
            amountBasis="GRAND_TOTAL" if priced else None,
            orderStatus=status,
            fulfillmentChannel=rng.choice(("AMAZON", "MERCHANT")),
            lastUpdatedAt=placed + timedelta(seconds=rng.randint(600, 345_600), milliseconds=rng.randint(0, 999)),
            items=items,
        )


def pages(source: Iterable[Order], size: int) -> Iterator[Page]:
    """The orders as pages of a source that keeps nothing."""
    batch: list[Order] = []
    for order in source:
        batch.append(order)
        if len(batch) == size:
            yield page(batch)
            batch = []
    if batch:
        yield page(batch)


def page(batch: Iterable[Order]) -> Page:
    """One page of them."""
    rows = tuple(batch)
    return Page(fetched=len(rows), orders=rows, rejected=(), next_token=None, rate=None)


def _item(rng: random.Random, number: int, status: str) -> Item:
    product = rng.choice(PRODUCTS)
    quantity = 0 if status == "CANCELLED" else rng.choices((1, 2, 3), (85, 12, 3))[0]
    priced = status in ("SHIPPED", "UNSHIPPED")
    return Item(
        externalItemId=str(20_000_000_000_000 + number),
        sku=product.sku,
        asin=product.asin,
        title=product.title,
        quantityOrdered=quantity,
        quantityFulfilled=quantity if status == "SHIPPED" else 0,
        unitPrice=product.price if priced else None,
        lineTotal=product.price * quantity if priced else None,
        currency="EUR" if priced else None,
        lineStatus="ACTIVE" if quantity else "CANCELLED_ZERO_QUANTITY",
    )
