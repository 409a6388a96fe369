# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One page into the database: its rows, its rejected rows, and counters whose sum must be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Order
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Page
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import load, quarantine
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor


@dataclass(frozen=True)
class Counters:
    """What became of the rows. Orders: ``fetched`` is the sum of the five after it; lines likewise.

    :param items_removed: lines deleted because a newer version of their order does not have them.
    :param items_left: the same, but left where they are because the role may not delete.
    """

    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    quarantined: int = 0
    items_fetched: int = 0
    items_inserted: int = 0
    items_updated: int = 0
    items_unchanged: int = 0
    items_stale: int = 0
    items_quarantined: int = 0
    items_removed: int = 0
    items_left: int = 0

    def plus(self, other: Counters) -> Counters:
        """The sum of both."""
        return Counters(**{key: value + getattr(other, key) for key, value in asdict(self).items()})

    def check(self, where: str) -> None:
        """Hold the counters to their sum. :raises UnexpectedAnswerError: a row got lost on the way."""
        orders = self.inserted + self.updated + self.unchanged + self.stale + self.quarantined
        lines = (
            self.items_inserted + self.items_updated + self.items_unchanged + self.items_stale + self.items_quarantined
        )
        if (self.fetched, self.items_fetched) != (orders, lines):
            raise UnexpectedAnswerError(
                "balancing a page in",
                where,
                f"of {self.fetched} orders and {self.items_fetched} lines {orders} and {lines} are accounted for",
                "Nothing of the page was stored. Please report it: https://github.com/keybuzz/keybuzz.amazon/issues",
            )


def counters_from(stored: Mapping[str, Any]) -> Counters:
    """Counters as a run has them on record; others beside them are left alone."""
    return Counters(**{field.name: int(stored.get(field.name, 0)) for field in fields(Counters)})


@dataclass(frozen=True)
class Targets:
    """The tables of one import, with the types of the product's columns."""

    orders: load.Target
    items: load.Target
    errors: Table
    may_delete_items: bool


def store_page(cursor: Cursor, targets: Targets, tenant: str, page: Page, *, run_id: str, number: int) -> Counters:
    """Load one page inside the caller's transaction; returns what became of its rows."""
    outcome = load.load_orders(cursor, targets.orders, tenant, [order.row() for order in page.orders])
    winners = _winners(page.orders)
    accepted = [order for order in winners.values() if outcome[order.externalOrderId] != load.STALE]
    lines = [{"externalOrderId": order.externalOrderId, **item.row()} for order in accepted for item in order.items]
    items = load.load_items(cursor, targets.items, tenant, lines)
    # Only an order that was there before and is newer now can have lost a line.
    changed = [order for order in accepted if outcome[order.externalOrderId] == load.UPDATED]
    surplus = _surplus(cursor, targets, tenant, changed)
    quarantine.quarantine(
        cursor,
        targets.errors,
        tenant,
        [(row.order_id, row.reason, row.field) for row in page.rejected],
        run_id=run_id,
        page=number,
    )
    quarantine.resolve(cursor, targets.errors, tenant, [order.externalOrderId for order in accepted])
    return _counted(page, outcome, winners, items, surplus, deleted=targets.may_delete_items)


def _winners(orders: Iterable[Order]) -> dict[str, Order]:
    """Of several versions of one order the last updated, and of equal ones the last: as the statement chooses."""
    winners: dict[str, Order] = {}
    for order in orders:
        known = winners.get(order.externalOrderId)
        if known is None or order.lastUpdatedAt >= known.lastUpdatedAt:
            winners[order.externalOrderId] = order
    return winners


def _surplus(cursor: Cursor, targets: Targets, tenant: str, changed: list[Order]) -> int:
    if not changed:
        return 0
    return load.surplus_items(
        cursor,
        targets.items,
        tenant,
        [(order.externalOrderId, item.externalItemId) for order in changed for item in order.items],
        [order.externalOrderId for order in changed],
        delete=targets.may_delete_items,
    )


def _counted(
    page: Page,
    outcome: Mapping[str, str],
    winners: Mapping[str, Order],
    items: Mapping[str, int],
    surplus: int,
    *,
    deleted: bool,
) -> Counters:
    words = list(outcome.values())
    unchanged, stale = words.count(load.UNCHANGED), words.count(load.STALE)
    items_unchanged, items_stale = items.get(load.UNCHANGED, 0), 0
    for order in page.orders:
        winner = winners[order.externalOrderId]
        lost = order.lastUpdatedAt < winner.lastUpdatedAt
        if order is not winner:
            # A second copy on the same page: not loaded itself, but not lost either.
            stale, unchanged = stale + lost, unchanged + (not lost)
        if lost or outcome[order.externalOrderId] == load.STALE:
            items_stale += len(order.items)
        elif order is not winner:
            items_unchanged += len(order.items)
    rejected_lines = sum(row.lines for row in page.rejected)
    return Counters(
        fetched=page.fetched,
        inserted=words.count(load.INSERTED),
        updated=words.count(load.UPDATED),
        unchanged=unchanged,
        stale=stale,
        quarantined=len(page.rejected),
        items_fetched=sum(len(order.items) for order in page.orders) + rejected_lines,
        items_inserted=items.get(load.INSERTED, 0),
        items_updated=items.get(load.UPDATED, 0),
        items_unchanged=items_unchanged,
        items_stale=items_stale,
        items_quarantined=rejected_lines,
        items_removed=surplus if deleted else 0,
        items_left=0 if deleted else surplus,
    )
