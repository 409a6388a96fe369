# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One page into the database: its rows, its rejected rows, and counters whose sum must be right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Item, Order
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Page
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import load, load_items, quarantine
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.rows import Columns, columns

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

ORDER_COLUMNS = tuple(field.name for field in fields(Order) if field.name != "items")
ITEM_COLUMNS = tuple(field.name for field in fields(Item))


@dataclass(frozen=True)
class Counters:
    """What became of the rows. Orders: ``fetched`` is the sum of the five after it; lines likewise.

    :param items_removed: lines deleted because a newer version of their order does not have them.
    :param items_left: the same, but left where they are because the role may not delete.
    :param elsewhere: orders of another marketplace that came with the page: counted here, and not in ``fetched``.

    A table grows by ``inserted`` orders, and by ``items_inserted`` less ``items_removed`` lines.
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
    elsewhere: int = 0

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


@dataclass(frozen=True)
class Stored:
    """A page as it lies in the tables now.

    :param standing: order id, ``orderDate`` (aware, UTC) and status of each order of the page once, as the table has
        them after the page: of one that is stale or kept, what was stored before.
    :param new: ids of the orders that the table did not have before.
    """

    counted: Counters
    standing: tuple[tuple[str, datetime, str], ...]
    new: frozenset[str]


def store_page(cursor: Cursor, targets: Targets, tenant: str, page: Page, *, run_id: str, number: int) -> Stored:
    """Load one page inside the caller's transaction. Its size is the caller's choice; 100 and 5,000 orders are fine."""
    winners = _winners(page.orders)
    # In the order of the keys: both indexes grow leaf by leaf, and two sessions lock rows in the same order.
    orders = sorted(winners.values(), key=attrgetter("externalOrderId"))
    rows = columns(orders, ORDER_COLUMNS)
    loaded = load.load_orders(cursor, targets.orders, tenant, rows, weaker=page.weaker)
    lines, surplus = _store_lines(cursor, targets, tenant, orders, loaded)
    quarantine.quarantine(
        cursor,
        targets.errors,
        tenant,
        [(row.order_id, row.reason, row.field) for row in page.rejected],
        run_id=run_id,
        page=number,
    )
    accepted = [order_id for order_id, word in loaded.outcome.items() if word != load.STALE]
    quarantine.resolve(cursor, targets.errors, tenant, accepted)
    counted = _counted(page, loaded, winners, lines, surplus, deleted=targets.may_delete_items)
    new = frozenset(order_id for order_id, word in loaded.outcome.items() if word == load.INSERTED)
    return Stored(counted, _standing(rows, loaded), new)


def _winners(orders: Iterable[Order]) -> dict[str, Order]:
    """Of several versions of one order the last updated, and of equal ones the last."""
    winners: dict[str, Order] = {}
    for order in orders:
        known = winners.get(order.externalOrderId)
        if known is None or order.lastUpdatedAt >= known.lastUpdatedAt:
            winners[order.externalOrderId] = order
    return winners


def _store_lines(
    cursor: Cursor, targets: Targets, tenant: str, orders: Sequence[Order], loaded: load.Loaded
) -> tuple[load_items.Lines, int]:
    """What became of the lines of accepted orders, and how many lines their new versions do not have any more."""
    new = [order for order in orders if loaded.outcome[order.externalOrderId] == load.INSERTED]
    done = load_items.load_new(cursor, targets.items, tenant, _lines(new))
    if len(new) == len(orders):
        return done, 0
    kept = [order for order in orders if order.externalOrderId in loaded.kept]
    done = done.plus(load_items.load_missing(cursor, targets.items, tenant, _lines(kept)))
    again = [
        order
        for order in orders
        if loaded.outcome[order.externalOrderId] in (load.UPDATED, load.UNCHANGED)
        and order.externalOrderId not in loaded.kept
    ]
    if not again:
        return done, 0
    done = done.plus(load_items.load(cursor, targets.items, tenant, _lines(again)))
    # Only an order that was there before and is newer now can have lost a line.
    changed = [order for order in again if loaded.outcome[order.externalOrderId] == load.UPDATED]
    if not changed:
        return done, 0
    stored = load_items.stored_keys(cursor, targets.items, tenant, [order.externalOrderId for order in changed])
    surplus = stored - {(order.externalOrderId, item.externalItemId) for order in changed for item in order.items}
    if targets.may_delete_items:
        return done, load_items.delete(cursor, targets.items, tenant, surplus)
    return done, len(surplus)


def _lines(orders: Sequence[Order]) -> Columns:
    items = [item for order in orders for item in order.items]
    owners = [order.externalOrderId for order in orders for _item in order.items]
    return {"externalOrderId": owners, **columns(items, ITEM_COLUMNS)}


def _standing(rows: Columns, loaded: load.Loaded) -> tuple[tuple[str, datetime, str], ...]:
    before = {
        order_id: (order_id, known.placed, known.status)
        for order_id, known in loaded.known.items()
        if loaded.outcome[order_id] == load.STALE or order_id in loaded.kept
    }
    now = tuple(zip(rows["externalOrderId"], rows["orderDate"], rows["orderStatus"], strict=True))
    return tuple([before.get(row[0], row) for row in now]) if before else now


def _counted(
    page: Page,
    loaded: load.Loaded,
    winners: Mapping[str, Order],
    lines: load_items.Lines,
    surplus: int,
    *,
    deleted: bool,
) -> Counters:
    words = Counter(loaded.outcome.values())
    unchanged, stale = words[load.UNCHANGED], words[load.STALE]
    items_unchanged, items_stale = lines.unchanged, 0
    for order in page.orders if stale or len(winners) < len(page.orders) else ():
        winner = winners[order.externalOrderId]
        lost = order.lastUpdatedAt < winner.lastUpdatedAt
        if order is not winner:
            # A second copy on the same page: not loaded itself, but not lost either.
            stale, unchanged = stale + lost, unchanged + (not lost)
        if lost or loaded.outcome[order.externalOrderId] == load.STALE:
            items_stale += len(order.items)
        elif order is not winner:
            items_unchanged += len(order.items)
    rejected_lines = sum(row.lines for row in page.rejected)
    return Counters(
        fetched=page.fetched,
        inserted=words[load.INSERTED],
        updated=words[load.UPDATED],
        unchanged=unchanged,
        stale=stale,
        quarantined=len(page.rejected),
        items_fetched=sum(len(order.items) for order in page.orders) + rejected_lines,
        items_inserted=lines.inserted,
        items_updated=lines.updated,
        items_unchanged=items_unchanged,
        items_stale=items_stale,
        items_quarantined=rejected_lines,
        items_removed=surplus if deleted else 0,
        items_left=0 if deleted else surplus,
        elsewhere=page.elsewhere,
    )
