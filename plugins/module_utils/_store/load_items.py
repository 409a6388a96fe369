# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Loading the lines of orders, after the orders themselves and in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.load_upsert import (
    Target,
    insert_missing,
    insert_new,
    probe,
    upsert,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.rows import Columns, literal

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor


@dataclass(frozen=True)
class Lines:
    """What became of lines: how many of each."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    def plus(self, other: Lines) -> Lines:
        """The sum of both."""
        return Lines(self.inserted + other.inserted, self.updated + other.updated, self.unchanged + other.unchanged)


def load_new(cursor: Cursor, target: Target, tenant: str, rows: Columns) -> Lines:
    """Lines of orders that were inserted just now. The table may still have lines of them where no foreign key is."""
    count = len(rows["externalOrderId"])
    if not count or insert_new(cursor, target, tenant, rows):
        return Lines(inserted=count)
    return load(cursor, target, tenant, rows)


def load(cursor: Cursor, target: Target, tenant: str, rows: Columns) -> Lines:
    """Lines of orders that were there before: inserted, or updated where they differ."""
    if not rows["externalOrderId"]:
        return Lines()
    known = _known(cursor, target, tenant, rows)
    written = upsert(cursor, target, tenant, rows)
    return Lines(len(written - known), len(written & known), len(rows["externalOrderId"]) - len(written))


def load_missing(cursor: Cursor, target: Target, tenant: str, rows: Columns) -> Lines:
    """Lines of orders that are kept as they are: only what the table does not have is added."""
    count = len(rows["externalOrderId"])
    written = insert_missing(cursor, target, tenant, rows) if count else ()
    return Lines(inserted=len(written), unchanged=count - len(written))


def stored_keys(cursor: Cursor, target: Target, tenant: str, orders: Sequence[str]) -> set[tuple[str, str]]:
    """Order and item id of every line the table has of these orders."""
    table, types = target.table, target.types
    order, item = table.own("externalOrderId"), table.own("externalItemId")
    # No probe: the key's index may begin with the item.
    cursor.execute(
        f"SELECT stored.{order}::text, stored.{item}::text"  # noqa: S608
        f" FROM unnest(%(orders)s::text[]) AS page (id) JOIN {table.quoted} AS stored"
        f" ON stored.{table.own('tenantId')} = %(tenant)s::{types[table.columns['tenantId']]}"
        f" AND stored.{order} = page.id::{types[table.columns['externalOrderId']]}",
        {"orders": literal(orders), "tenant": tenant},
    )
    return set(cursor.fetchall())


def delete(cursor: Cursor, target: Target, tenant: str, keys: Collection[tuple[str, str]]) -> int:
    """Delete lines by order and item id. Returns how many there were."""
    if not keys:
        return 0
    table, types = target.table, target.types
    cursor.execute(
        f"DELETE FROM {table.quoted} AS stored"  # noqa: S608
        " USING unnest(%(orders)s::text[], %(items)s::text[]) AS gone (order_id, item_id)"
        f" WHERE stored.{table.own('tenantId')} = %(tenant)s::{types[table.columns['tenantId']]}"
        f" AND stored.{table.own('externalOrderId')} = gone.order_id::{types[table.columns['externalOrderId']]}"
        f" AND stored.{table.own('externalItemId')} = gone.item_id::{types[table.columns['externalItemId']]}",
        {
            "orders": literal([order_id for order_id, _item_id in keys]),
            "items": literal([item_id for _order_id, item_id in keys]),
            "tenant": tenant,
        },
    )
    return cursor.rowcount


def _known(cursor: Cursor, target: Target, tenant: str, rows: Columns) -> set[tuple[str, ...]]:
    """Which of these lines the table has."""
    cursor.execute(
        "SELECT page.order_id, page.item_id"  # noqa: S608
        " FROM unnest(%(orders)s::text[], %(items)s::text[]) AS page (order_id, item_id) "
        + probe(target, {"externalOrderId": "page.order_id", "externalItemId": "page.item_id"}, "1"),
        {"orders": literal(rows["externalOrderId"]), "items": literal(rows["externalItemId"]), "tenant": tenant},
    )
    return set(cursor.fetchall())
