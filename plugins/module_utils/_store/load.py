# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Loading orders, guarded so that nothing older, equal or weaker rewrites a row.

What is stored already is asked first. Orders that are not there take the short way, COPY: an INSERT that looks for
a conflict with every row costs about twice as much (tests/bench/load.py). Should somebody else have inserted one of
them meanwhile, the unique key says so, and all of them take the guarded way (load_upsert.py) instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, NamedTuple

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.load_upsert import Target, insert_new, probe, upsert
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.rows import Columns, literal, texts

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

__all__ = ["INSERTED", "STALE", "UNCHANGED", "UPDATED", "Known", "Loaded", "Target", "load_orders"]

INSERTED, UPDATED, UNCHANGED, STALE = "inserted", "updated", "unchanged", "stale"


class Known(NamedTuple):
    """An order as the table had it before this load.

    :param newer: its version is newer than the incoming one.
    :param equal: both versions are the same moment.
    :param basis: what its amount is, where the table says so.
    :param placed: its ``orderDate``, aware and in UTC.
    """

    newer: bool
    equal: bool
    basis: str | None
    status: str
    placed: datetime


@dataclass(frozen=True)
class Loaded:
    """What became of orders.

    :param outcome: order id to ``inserted``, ``updated``, ``unchanged`` or ``stale``.
    :param kept: those of ``unchanged`` which the table has from a stronger source: their lines stay as well.
    :param known: those that were in the table before.
    """

    outcome: Mapping[str, str]
    kept: frozenset[str]
    known: Mapping[str, Known]


def load_orders(cursor: Cursor, target: Target, tenant: str, orders: Columns, *, weaker: bool = False) -> Loaded:
    """Insert and update orders, never with an older version of one.

    :param orders: logical column names to values; every order at most once.
    :param weaker: the amounts are not Amazon's grand total (a report, API v0). An equal version then replaces the
        stored one only if both amounts have the same basis; otherwise it is kept.
    """
    if not orders["externalOrderId"]:
        return Loaded({}, frozenset(), {})
    orders = {**orders, "lastUpdatedAt": texts(orders["lastUpdatedAt"])}  # written out once, and sent twice
    known = _known(cursor, target, tenant, orders)
    missing = [order_id not in known for order_id in orders["externalOrderId"]]
    new = orders if not known else _where(orders, missing)
    outcome = dict.fromkeys(new["externalOrderId"], INSERTED)
    if outcome and not insert_new(cursor, target, tenant, new):
        known = _known(cursor, target, tenant, orders)
        new = _where(orders, [order_id not in known for order_id in orders["externalOrderId"]])
        written = _upsert(cursor, target, tenant, new, weaker=weaker)
        outcome = {order_id: INSERTED if (order_id,) in written else UNCHANGED for order_id in new["externalOrderId"]}
    if not known:
        return Loaded(outcome, frozenset(), known)
    kept = _kept(target, orders, known) if weaker else frozenset()
    outcome |= {order_id: STALE if before.newer else UNCHANGED for order_id, before in known.items()}
    tried = [
        order_id in known and not known[order_id].newer and order_id not in kept
        for order_id in orders["externalOrderId"]
    ]
    written = _upsert(cursor, target, tenant, _where(orders, tried), weaker=weaker)
    outcome |= {order_id: UPDATED for (order_id,) in written}
    return Loaded(outcome, kept, known)


def _kept(target: Target, orders: Columns, known: Mapping[str, Known]) -> frozenset[str]:
    """Orders whose stored version is the same moment, and whose amount is another thing than the incoming one."""
    bases = orders["amountBasis"] if "amountBasis" in target.table.columns else [None] * len(orders["externalOrderId"])
    return frozenset(
        order_id
        for order_id, basis in zip(orders["externalOrderId"], bases, strict=True)
        if order_id in known and known[order_id].equal and (basis is None or known[order_id].basis != basis)
    )


def _upsert(cursor: Cursor, target: Target, tenant: str, orders: Columns, *, weaker: bool) -> set[tuple[str, ...]]:
    if not orders["externalOrderId"]:
        return set()
    return upsert(cursor, target, tenant, orders, version="lastUpdatedAt", weaker=weaker)


def _where(orders: Columns, chosen: Sequence[bool]) -> Columns:
    return {
        name: [value for value, taken in zip(values, chosen, strict=True) if taken] for name, values in orders.items()
    }


def _known(cursor: Cursor, target: Target, tenant: str, orders: Columns) -> dict[str, Known]:
    table, types = target.table, target.types
    stored, incoming = f"stored.{table.own('lastUpdatedAt')}", f"page.version::{types[table.columns['lastUpdatedAt']]}"
    basis = f"stored.{table.own('amountBasis')}::text" if "amountBasis" in table.columns else "NULL::text"
    shown = (
        f"{stored} > {incoming}, {stored} = {incoming}, {basis},"
        f" stored.{table.own('orderStatus')}::text, stored.{table.own('orderDate')}"
    )
    cursor.execute(
        "SELECT page.id, stored.* FROM unnest(%(ids)s::text[], %(versions)s::text[]) AS page (id, version)"  # noqa: S608
        f" {probe(target, {'externalOrderId': 'page.id'}, shown)}",
        {"ids": literal(orders["externalOrderId"]), "versions": literal(orders["lastUpdatedAt"]), "tenant": tenant},
    )
    # A row without a version is older than any: the column may have been added to a table that had rows.
    return {row[0]: Known(bool(row[1]), bool(row[2]), row[3], str(row[4]), _utc(row[5])) for row in cursor.fetchall()}


def _utc(moment: date) -> datetime:
    """A column without time zone holds UTC; a date is its first moment."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
