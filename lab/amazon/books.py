# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orders of one seller, indexed by the two times Amazon lets one search by."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from lab.amazon.clock import parse_iso

Order = dict[str, Any]
TimeField = Literal["createdTime", "lastUpdatedTime"]
# Time (seconds since the epoch) and order id of a row: where a page begins, unaffected by rows added before it.
Position = tuple[float, str]


@dataclass(frozen=True)
class Page:
    """Rows, and the position of the first row that did not fit (None: there is none)."""

    rows: list[Order]
    following: Position | None


@dataclass(frozen=True)
class Query:
    """Which orders a page is made of: between two times, both inclusive, from ``start`` on or ``rewind`` earlier."""

    field: TimeField
    after: datetime
    before: datetime
    wanted: Callable[[Order], bool]
    size: int
    start: Position | None = None
    rewind: int = 0


@dataclass(frozen=True)
class Snapshot:
    """Orders as they were at one moment; later changes of the book do not reach it."""

    orders: tuple[Order, ...]

    def __len__(self) -> int:
        return len(self.orders)

    def batches(self, render: Callable[[Order], str], size: int = 500) -> Iterator[list[str]]:
        """The text of every order, ``size`` at a time, oldest first."""
        for at in range(0, len(self.orders), size):
            yield [render(order) for order in self.orders[at : at + size]]


class OrderBook:
    """Orders in Amazon's 2026-01-01 shape with every data set in them; oldest first in every listing."""

    def __init__(self, orders: Iterable[Order] = ()) -> None:
        self._orders: dict[str, Order] = {}
        self._indexes: dict[TimeField, list[Position]] = {}
        self.add(orders)

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, orders: Iterable[Order]) -> None:
        """Adds orders; one with a known id replaces it."""
        self._orders.update((order["orderId"], order) for order in orders)
        self._indexes.clear()

    def clear(self) -> None:
        """Forgets all orders."""
        self._orders.clear()
        self._indexes.clear()

    def get(self, order_id: str) -> Order | None:
        """One order by Amazon's id."""
        return self._orders.get(order_id)

    def all(self) -> list[Order]:
        """Every order, oldest creation first."""
        return [self._orders[order_id] for _, order_id in self._index("createdTime")]

    def _index(self, field: TimeField) -> list[Position]:
        if field not in self._indexes:
            self._indexes[field] = sorted(
                (parse_iso(order[field]).timestamp(), order_id) for order_id, order in self._orders.items()
            )
        return self._indexes[field]

    def page(
        self,
        field: TimeField,
        after: datetime,
        before: datetime,
        *,
        wanted: Callable[[Order], bool],
        size: int,
        start: Position | None = None,
        rewind: int = 0,
    ) -> Page:
        """Up to ``size`` rows between two times, both inclusive, from ``start`` on (``rewind`` rows earlier)."""
        index = self._index(field)
        lowest = bisect.bisect_left(index, (after.timestamp(), ""))
        at = lowest if start is None else max(lowest, bisect.bisect_left(index, start) - rewind)
        latest = before.timestamp()
        rows: list[Order] = []
        for position in index[at:]:
            if position[0] > latest:
                break
            order = self._orders[position[1]]
            if not wanted(order):
                continue
            if len(rows) == size:
                return Page(rows, position)
            rows.append(order)
        return Page(rows, None)

    def texts(self, query: Query, render: Callable[[Order], str]) -> tuple[list[str], Position | None]:
        """A page as text, one for each order, and where the next one begins."""
        page = self.page(
            query.field,
            query.after,
            query.before,
            wanted=query.wanted,
            size=query.size,
            start=query.start,
            rewind=query.rewind,
        )
        return [render(order) for order in page.rows], page.following

    def snapshot(
        self, field: TimeField, after: datetime, before: datetime, wanted: Callable[[Order], bool]
    ) -> Snapshot:
        """The wanted orders between two times, both inclusive, as they are now."""
        index = self._index(field)
        low = bisect.bisect_left(index, (after.timestamp(), ""))
        high = bisect.bisect_left(index, (before.timestamp(), "~"))
        orders = (self._orders[order_id] for _, order_id in index[low:high])
        return Snapshot(tuple(order for order in orders if wanted(order)))
