# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A book of procedural orders, and of the few that were changed or added since: only these are kept."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from lab.amazon.books import Order, OrderBook, Page, Position, Query, Snapshot, TimeField
from lab.amazon.procedural import ProceduralOrders

# What `all` gives out at most: the admin port sends it as one document.
MOST_LISTED = 100_000


@dataclass(frozen=True)
class ProceduralSnapshot(Snapshot):
    """Procedural orders by their ranks, without those that ``changed``, and then ``orders``."""

    made: ProceduralOrders
    field: TimeField
    ranks: range
    variants: tuple[bool, ...]
    changed: frozenset[int]

    def _indexes(self) -> Iterator[int]:
        everything = all(self.variants)
        for rank in self.ranks:
            index = self.made.index(self.field, rank)
            if (everything or self.variants[self.made.variant(index)]) and index not in self.changed:
                yield index

    def __len__(self) -> int:
        if all(self.variants):
            lost = sum(1 for index in self.changed if self.made.rank(self.field, index) in self.ranks)
            return len(self.ranks) - lost + len(self.orders)
        return sum(1 for _ in self._indexes()) + len(self.orders)

    def batches(self, render: Callable[[Order], str], size: int = 500) -> Iterator[list[str]]:
        """The text of every order, made again each time it is asked for."""
        indexes = self._indexes()
        while texts := self.made.texts([index for _, index in zip(range(size), indexes, strict=False)], render):
            yield texts
        yield from super().batches(render, size)


class ProceduralBook(OrderBook):
    """The same listings as an OrderBook. ``wanted`` may ask for anything but an order's id, numbers and times."""

    def __init__(self, made: ProceduralOrders, orders: Iterable[Order] = ()) -> None:
        self._made = made
        super().__init__(orders)

    def _changed(self) -> set[int]:
        indexes = map(self._made.index_of, self._orders)
        return {index for index in indexes if index is not None}

    def __len__(self) -> int:
        return self._made.count + len(self._orders) - len(self._changed())

    def clear(self) -> None:
        """Forgets all orders."""
        self._made = ProceduralOrders(0, 0, 0, 0)
        super().clear()

    def get(self, order_id: str) -> Order | None:
        """One order by Amazon's id."""
        if order_id in self._orders:
            return self._orders[order_id]
        index = self._made.index_of(order_id)
        return None if index is None else self._made.order(index)

    def all(self) -> list[Order]:
        """Every order, oldest creation first. Raises ValueError for more than 100,000."""
        if len(self) > MOST_LISTED:
            raise ValueError(f"a procedural book of {len(self)} orders is not listed: at most {MOST_LISTED} are")
        rows = self._rows("createdTime", None, None, 0, lambda _order: True)
        return [self._take(row) for _, row in rows]

    def _take(self, row: int | Order) -> Order:
        return self._made.order(row) if isinstance(row, int) else row

    def _rows(
        self,
        field: TimeField,
        lowest: Position | None,
        start: Position | None,
        rewind: int,
        wanted: Callable[[Order], bool],
    ) -> Iterator[tuple[Position, int | Order]]:
        begin = max(filter(None, (lowest, start)), default=(0.0, ""))
        first = self._made.first_rank(field, begin)
        if start is not None and rewind:
            first = max(self._made.first_rank(field, lowest or (0.0, "")), first - rewind)
        variants, changed = self._made.wanted_variants(wanted), self._changed()

        def made() -> Iterator[tuple[Position, int | Order]]:
            for rank in range(first, self._made.count):
                index = self._made.index(field, rank)
                if index not in changed and variants[self._made.variant(index)]:
                    yield self._made.position(field, rank), index

        def kept() -> Iterator[tuple[Position, int | Order]]:
            for position in self._index(field):
                order = self._orders[position[1]]
                if position >= begin and wanted(order):
                    yield position, order

        return heapq.merge(made(), kept(), key=lambda row: row[0]) if self._orders else made()

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
        found, following = self._page(Query(field, after, before, wanted, size, start, rewind))
        return Page([self._take(row) for row in found], following)

    def _page(self, query: Query) -> tuple[list[int | Order], Position | None]:
        latest = query.before.timestamp()
        found: list[int | Order] = []
        lowest = (query.after.timestamp(), "")
        for position, row in self._rows(query.field, lowest, query.start, query.rewind, query.wanted):
            if position[0] > latest:
                break
            if len(found) == query.size:
                return found, position
            found.append(row)
        return found, None

    def texts(self, query: Query, render: Callable[[Order], str]) -> tuple[list[str], Position | None]:
        """A page as text: 100 orders in about two milliseconds."""
        found, following = self._page(query)
        made = self._made
        return [made.text(row, render) if isinstance(row, int) else render(row) for row in found], following

    def snapshot(
        self, field: TimeField, after: datetime, before: datetime, wanted: Callable[[Order], bool]
    ) -> Snapshot:
        """The wanted orders between two times, both inclusive, as they are now; nothing of them is kept."""
        return ProceduralSnapshot(
            super().snapshot(field, after, before, wanted).orders,
            self._made,
            field,
            self._made.ranks(field, after, before),
            tuple(self._made.wanted_variants(wanted)),
            frozenset(self._changed()),
        )
