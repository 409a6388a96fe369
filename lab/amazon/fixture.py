# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orders of tenant ecomlg-001 in the 90 days before 2026-01-12, and what an import must make of them.

94 orders, 6 of them cancelled with quantity 0, every order with its items; the five rows that the report of
the repair shows are in it exactly, and no other order lies between the first and the last of them.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from lab.amazon.catalogue import BY_SKU, PRODUCTS
from lab.amazon.drafts import Draft, Line
from lab.amazon.generator import CANARY, FRANCE, Order, build, synthetic_orders
from lab.amazon.oracle import rows_of

__all__ = ["CANARY", "expected_rows", "known_rows", "orders", "synthetic_orders"]

TENANT = "ecomlg-001"
SELLER_ID = "A12BCIS2R7HD4D"
MARKETPLACE = FRANCE
UNTIL = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=90)

ORDER_COUNT = 94
ITEM_COUNT = 117
CANCELLED_COUNT = 6
# One cancelled order has two lines.
ZERO_QUANTITY_ITEM_COUNT = 7

# The report: order id, reference, date (UTC), total, status.
KNOWN_ROWS = (
    ("407-8949262-6149120", "#149120", "2025-11-22 12:00:24", "391.84", "SHIPPED"),
    ("408-0454849-0563521", "#563521", "2025-11-21 19:43:45", "441.5", "SHIPPED"),
    ("408-8622364-9038708", "#038708", "2025-11-21 14:03:07", "71.46", "SHIPPED"),
    ("171-3125066-7920325", "#920325", "2025-11-21 09:46:19", "1229.91", "SHIPPED"),
    ("404-2784976-3968305", "#968305", "2025-11-21 08:14:22", "83.1", "SHIPPED"),
)
# Their lines: article, quantity, unit price, shipping.
_KNOWN_LINES = (
    (("ECOM-POELE-CUIV-28", 2, "189.95", "11.94"),),
    (("ECOM-MACH-ESP-15B", 1, "441.50", "0"),),
    (("ECOM-CAF-INOX-8T", 1, "42.90", "4.99"), ("ECOM-BALANCE-5KG", 1, "23.57", "0")),
    (("ECOM-ROBOT-PATE-5L", 3, "399.99", "29.94"),),
    (("ECOM-PLAID-LAINE-GR", 1, "79.11", "3.99"),),
)

# Positions by age (0 is the oldest order) of what is not an ordinary shipped order.
_CANCELLED = (7, 19, 39, 52, 66, 79)
_PARTIAL = (85, 86)
_UNSHIPPED = (87, 88, 89, 90)
_PENDING = (91, 92, 93)
_TWO_LINES = (3, 11, 19, 24, 29, 47, 55, 58, 63, 70, 76, 82, 85, 86)
_THREE_LINES = (15, 49, 60, 73)
_EXTRAS = {"gift": (5, 27, 56, 81), "customized": (13, 45, 68), "business": (22, 61, 77), "promotion": (9, 40, 74)}


def known_rows() -> list[dict[str, Any]]:
    """The five rows of the report, typed, under the names of the columns it shows."""
    return [
        {
            "externalOrderId": order_id,
            "orderRef": reference,
            "orderDate": datetime.fromisoformat(date).replace(tzinfo=UTC),
            "totalAmount": Decimal(total),
            "orderStatus": status,
        }
        for order_id, reference, date, total, status in KNOWN_ROWS
    ]


def _moments(rng: random.Random) -> list[datetime]:
    """When the orders that are not in the report were created: 80 over the weeks, 9 in the last two days."""
    gap_start, gap_end = (datetime.fromisoformat(KNOWN_ROWS[at][2]).replace(tzinfo=UTC) for at in (-1, 0))
    first = SINCE + timedelta(minutes=30)
    calm = int((datetime(2026, 1, 9, 20, 0, tzinfo=UTC) - first).total_seconds())
    moments: list[datetime] = []
    while len(moments) < 80:
        moment = first + timedelta(seconds=rng.randint(0, calm))
        if not gap_start <= moment <= gap_end:
            moments.append(moment)
    recent = datetime(2026, 1, 10, 6, 0, tzinfo=UTC)
    moments += [recent + timedelta(seconds=rng.randint(0, 52 * 3600)) for _ in range(9)]
    return sorted(moments)


def _known_drafts() -> list[Draft]:
    drafts = []
    for number, (row, lines) in enumerate(zip(KNOWN_ROWS, _KNOWN_LINES, strict=True)):
        order_id, _reference, date, total, status = row
        created = datetime.fromisoformat(date).replace(tzinfo=UTC)
        drafts.append(
            Draft(
                number=900 + number,
                order_id=order_id,
                created=created,
                updated=created + timedelta(days=2, hours=3, milliseconds=417 + number),
                status=status,
                channel="AMAZON" if number % 2 else "MERCHANT",
                lines=tuple(
                    Line(BY_SKU[sku], quantity, Decimal(unit), Decimal(shipping))
                    for sku, quantity, unit, shipping in lines
                ),
                marketplace_id=MARKETPLACE,
                total=Decimal(total),
                total_text=total,
            )
        )
    return drafts


def _status(position: int) -> str:
    special = {
        "CANCELLED": _CANCELLED,
        "PARTIALLY_SHIPPED": _PARTIAL,
        "UNSHIPPED": _UNSHIPPED,
        "PENDING": _PENDING,
    }
    return next((status for status, positions in special.items() if position in positions), "SHIPPED")


def _lines(rng: random.Random, position: int, status: str, channel: str) -> tuple[Line, ...]:
    count = 3 if position in _THREE_LINES else 2 if position in _TWO_LINES else 1
    lines = []
    for at, product in enumerate(rng.sample(PRODUCTS, count)):
        # Amazon keeps a cancelled line with quantity 0; for every second one it still knows the price.
        quantity = 0 if status == "CANCELLED" else rng.choices((1, 2, 3), (85, 12, 3))[0]
        shipping = Decimal("4.99") if channel == "MERCHANT" and at == 0 and quantity else Decimal(0)
        priced = status != "CANCELLED" or _CANCELLED.index(position) % 2 == 1
        lines.append(Line(product, quantity, product.price, shipping, priced))
    return tuple(lines)


def _cancelled_total(position: int, lines: tuple[Line, ...]) -> Decimal | None:
    """Seen from Amazon: cancelled orders without a total, with the price once asked, and with 0.00."""
    kind = _CANCELLED.index(position)
    if kind % 2 == 0:
        return None
    return Decimal(0) if kind == 3 else lines[0].unit


def _draft(rng: random.Random, position: int, created: datetime) -> Draft:
    status = _status(position)
    channel = rng.choice(("AMAZON", "MERCHANT"))
    lines = _lines(rng, position, status, channel)
    prefix = rng.choice((171, 402, 403, 404, 405, 406, 407, 408))
    order_id = f"{prefix}-{rng.randrange(10**7):07d}-{rng.randrange(10**7):07d}"
    age = timedelta(seconds=rng.randint(7_200, 4 * 86_400), milliseconds=rng.randint(0, 999))
    cancelled = status == "CANCELLED"
    return Draft(
        number=position,
        order_id=order_id,
        created=created,
        updated=min(created + age, UNTIL - timedelta(minutes=20, seconds=position)),
        status=status,
        channel=channel,
        lines=lines,
        marketplace_id=MARKETPLACE,
        total=_cancelled_total(position, lines) if cancelled else sum((line.total for line in lines), Decimal(0)),
        cancelled_lines_priced=cancelled and _CANCELLED.index(position) == 3,
        extras=frozenset(name for name, positions in _EXTRAS.items() if position in positions),
    )


@cache
def _built() -> tuple[Order, ...]:
    rng = random.Random("ecomlg-001 2026-01-12")  # noqa: S311 - no secret, always the same
    known = {draft.created: draft for draft in _known_drafts()}
    moments = sorted([*_moments(rng), *known])
    return tuple(
        build(known.get(created) or _draft(rng, position, created)) for position, created in enumerate(moments)
    )


def orders() -> list[Order]:
    """The 94 orders with their items and every data set, oldest first. Not to be changed in place."""
    return list(_built())


def expected_rows(tenant: str = TENANT) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Orders and items as the product's tables must hold them after an import."""
    return rows_of(orders(), tenant)
