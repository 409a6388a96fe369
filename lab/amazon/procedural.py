# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orders of a big seller, each made on demand from its index: a million of them need no memory.

240 orders are drawn once for a marketplace and kept as text; order number ``i`` is one of them (which one says the
seed) with its own id, times and numbers put in. Whoever has the same parameters, in whatever process, makes the
same orders.
"""

from __future__ import annotations

import bisect
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property, lru_cache

from lab.amazon.books import Order, Position, TimeField
from lab.amazon.catalogue import PRODUCTS
from lab.amazon.drafts import Draft, Line
from lab.amazon.generator import FRANCE, build

# An index has seven digits in an order id; this much keeps every time, id and number apart.
MOST_ORDERS = 1_000_000
# How many of the 240 drawn orders have which status: 85 % shipped, 10 % cancelled.
STATUS_COUNTS = {"SHIPPED": 204, "CANCELLED": 24, "UNSHIPPED": 6, "PENDING": 4, "PARTIALLY_SHIPPED": 2}
VARIANTS = sum(STATUS_COUNTS.values())

# An order is last updated 30 hours after its creation, give or take its place in a block of 16 orders: the two
# orders of time differ, and each can be computed from the other.
UPDATE_DELAY = 30 * 3600
BLOCK = (5, 0, 9, 2, 14, 7, 11, 1, 15, 3, 8, 12, 4, 10, 6, 13)
MOST_BLOCK_SECONDS = 4 * 3600

# What the drawn orders carry where an order has its own; each is found again in every text made of them.
_ORDER_ID = "111-1111111-1111111"
_NUMBER = 987_654_321
_CREATED = datetime(2001, 1, 1, tzinfo=UTC)
_UPDATED = datetime(2001, 2, 2, 2, 2, 2, 222_000, tzinfo=UTC)
_MARKS = (
    (_ORDER_ID, "%(id)s"),
    (str(_NUMBER), "%(number)s"),
    ("2001-02-02T02:02:02.222", "%(updated)s.%(milliseconds)s"),
    ("2001-02-02T02:02:02", "%(updated)s"),
    ("2001-01-01T00:00:00", "%(created)s"),
    ("2001-01-01T20:00:00", "%(shipped)s"),
    ("2001-01-03T00:00:00", "%(latest)s"),
)
_MINUTES = tuple(f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_SECONDS = tuple(f"{second:02d}" for second in range(60))

Render = Callable[[Order], str]


@lru_cache(maxsize=1024)
def _day(day: int) -> str:
    return f"{date.fromordinal(719_163 + day).isoformat()}T"


def stamp(seconds: int) -> str:
    """``2025-10-14T12:00:00`` of seconds since the epoch; ten times as fast as a datetime."""
    day, rest = divmod(seconds, 86_400)
    return _day(day) + _MINUTES[rest // 60] + _SECONDS[rest % 60]


def _lines(rng: random.Random, at: int, status: str, channel: str) -> tuple[Line, ...]:
    lines = []
    for position in range(2 if status == "PARTIALLY_SHIPPED" else rng.choices((1, 2, 3), (82, 14, 4))[0]):
        product = rng.choice(PRODUCTS)
        quantity = 0 if status == "CANCELLED" else rng.choices((1, 2, 3), (85, 12, 3))[0]
        shipping = Decimal("4.99") if channel == "MERCHANT" and position == 0 and quantity else Decimal(0)
        lines.append(Line(product, quantity, product.price, shipping))
    if status == "SHIPPED" and at % 40 == 0:
        lines.append(Line(rng.choice(PRODUCTS), 0, Decimal(0), Decimal(0), priced=False))
    return tuple(lines)


@cache
def _drawn(marketplace_id: str) -> tuple[Order, ...]:
    """The 240 orders of a marketplace: drawn once for all its sellers, so that a hundred of them cost as one."""
    rng = random.Random(f"keybuzz procedural {marketplace_id}")  # noqa: S311 - no secret, always the same
    statuses = [status for status, count in STATUS_COUNTS.items() for _ in range(count)]
    rng.shuffle(statuses)
    orders = []
    for at, status in enumerate(statuses):
        channel = rng.choice(("AMAZON", "MERCHANT"))
        lines = _lines(rng, at, status, channel)
        total = None if status == "CANCELLED" else sum((line.total for line in lines), Decimal(0))
        draft = Draft(_NUMBER, _ORDER_ID, _CREATED, _UPDATED, status, channel, lines, marketplace_id, total)
        orders.append(build(draft))
    return tuple(orders)


# Documents in three forms, orders as JSON, and the combinations of data sets that clients ask for.
@lru_cache(maxsize=128)
def _templates(marketplace_id: str, render: Render) -> tuple[str, ...]:
    templates = []
    for order in _drawn(marketplace_id):
        text = render(order).replace("%", "%%")
        for mark, name in _MARKS:
            text = text.replace(mark, name)
        templates.append(text)
    return tuple(templates)


@dataclass(frozen=True)
class ProceduralOrders:
    """``count`` orders created between two moments (seconds since the epoch, both inclusive), oldest first.

    An index is the place of an order by creation, a rank its place by the time field in question.
    """

    count: int
    seed: int
    first: int
    last: int
    marketplace_id: str = FRANCE

    @classmethod
    def between(
        cls, count: int, seed: int, start: datetime, end: datetime, *, marketplace_id: str = FRANCE
    ) -> ProceduralOrders:
        """The arguments of ``synthetic_orders``. Raises ValueError for more than a million orders."""
        if not 0 <= count <= MOST_ORDERS:
            raise ValueError(f"a procedural book has at most {MOST_ORDERS} orders")
        return cls(count, seed, int(start.timestamp()), int(end.timestamp()), marketplace_id)

    @cached_property
    def _block(self) -> int:
        """How many orders are shuffled by last update: one (none) where they lie too close or too far apart."""
        span, steps = self.last - self.first, max(1, self.count - 1)
        return len(BLOCK) if steps <= span and span * len(BLOCK) <= MOST_BLOCK_SECONDS * steps else 1

    def variant(self, index: int) -> int:
        """Which of the drawn orders an order is made of."""
        return (index * 7_919 + (index >> 4) * (104_729 + 2 * self.seed) + self.seed * 59) % VARIANTS

    def created(self, index: int) -> int:
        """When an order was created: seconds since the epoch."""
        return self.first + index * (self.last - self.first) // max(1, self.count - 1)

    def updated(self, index: int) -> tuple[int, int]:
        """When an order was last updated: seconds since the epoch, and milliseconds."""
        if self._block == 1:
            return self.created(index) + UPDATE_DELAY, 417
        return self.created(self.rank("lastUpdatedTime", index)) + UPDATE_DELAY, index * 7 % 1000

    def index(self, field: TimeField, rank: int) -> int:
        """The order at a place of one of the two orders of time."""
        start = rank - rank % len(BLOCK)
        if field == "createdTime" or self._block == 1 or start + len(BLOCK) > self.count:
            return rank
        return start + BLOCK[rank - start]

    def rank(self, field: TimeField, index: int) -> int:
        """The place of an order: the other way round."""
        start = index - index % len(BLOCK)
        if field == "createdTime" or self._block == 1 or start + len(BLOCK) > self.count:
            return index
        return start + BLOCK.index(index - start)

    def position(self, field: TimeField, rank: int) -> Position:
        """Time and id at a place; ascending with it."""
        index = self.index(field, rank)
        if field == "createdTime":
            return float(self.created(index)), self.order_id(index)
        seconds, milliseconds = self.updated(index)
        return (seconds * 1000 + milliseconds) / 1000, self.order_id(index)

    def first_rank(self, field: TimeField, position: Position) -> int:
        """The first place at or after a position."""
        return bisect.bisect_left(range(self.count), position, key=lambda rank: self.position(field, rank))

    def ranks(self, field: TimeField, after: datetime, before: datetime) -> range:
        """The places between two times, both inclusive."""
        return range(self.first_rank(field, (after.timestamp(), "")), self.first_rank(field, (before.timestamp(), "~")))

    @cached_property
    def _prefix(self) -> str:
        # As synthetic orders have it: the seed in the middle, the index at the end; ascending with the index.
        return f"{400 + self.seed % 9}-{self.seed * 2_654_435_761 % 10_000_000:07d}-"

    def order_id(self, index: int) -> str:
        """Amazon's id of an order."""
        return f"{self._prefix}{index:07d}"

    def index_of(self, order_id: str) -> int | None:
        """The index of an id, or None for an id that is no order of these."""
        end = order_id.removeprefix(self._prefix)
        if len(end) != 7 or end == order_id or not (end.isascii() and end.isdigit()) or int(end) >= self.count:
            return None
        return int(end)

    def text(self, index: int, render: Render) -> str:
        """What ``render`` makes of an order. It may look at all of an order but compute with neither id nor times."""
        return self._text(index, _templates(self.marketplace_id, render))

    def _text(self, index: int, templates: tuple[str, ...]) -> str:
        created = self.created(index)
        updated, milliseconds = self.updated(index)
        return templates[self.variant(index)] % {
            "id": self.order_id(index),
            # Nine digits, as in the template: item ids and the numbers of packages keep their form.
            "number": 100_000_000 + self.seed % 80 * 10_000_000 + index,
            "created": stamp(created),
            "updated": stamp(updated),
            "milliseconds": f"{milliseconds:03d}",
            "shipped": stamp(created + 72_000),
            "latest": stamp(created + 172_800),
        }

    def texts(self, indexes: Iterable[int], render: Render) -> list[str]:
        """What ``render`` makes of many orders: 100,000 in about half a second."""
        templates = _templates(self.marketplace_id, render)
        return [self._text(index, templates) for index in indexes]

    def order(self, index: int) -> Order:
        """One order in Amazon's 2026-01-01 shape with every data set."""
        order: Order = json.loads(self.text(index, _json))
        return order

    def orders(self, first: int = 0, last: int | None = None) -> Iterator[Order]:
        """Orders by index, oldest first."""
        return map(self.order, range(first, self.count if last is None else min(last, self.count)))

    def wanted_variants(self, wanted: Callable[[Order], bool]) -> list[bool]:
        """For each drawn order whether ``wanted`` takes it; this may ask for anything but id, numbers and times."""
        return [wanted(order) for order in _drawn(self.marketplace_id)]


def _json(order: Order) -> str:
    return json.dumps(order, ensure_ascii=False)


assert timedelta(seconds=UPDATE_DELAY) > timedelta(hours=20 + 4)  # noqa: S101 - shipped before the last update
