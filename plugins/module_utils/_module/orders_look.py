# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the database says of a tenant's orders: the tables, the runs on record, the rows of the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Targets
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import (
    Decision,
    Wanted,
    completed,
    decide,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import marketplaces
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import (
    checkpoint,
    connection,
    lock,
    schema,
    summary,
    tables,
    tenants,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.load import Target
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Connection, Cursor

Protect = Callable[[Iterable[str | None]], None]
SAMPLE = 5
"""Newest orders that a result shows."""


@dataclass(frozen=True)
class Store:
    """The tables of the import as the user named them."""

    tenants: Table
    orders: Table
    items: Table
    errors: Table
    runs: Table
    quota: Table

    def all(self) -> tuple[Table, ...]:
        """Every table an import touches."""
        return (self.tenants, self.orders, self.items, self.errors, self.runs, self.quota)


@dataclass(frozen=True)
class Call:
    """One call of the module.

    :param params: its options.
    :param until: the option of that name, read.
    :param where: the database, for messages.
    """

    params: Mapping[str, Any]
    protect: Protect
    store: Store
    until: datetime | None
    where: str
    check_mode: bool


@dataclass(frozen=True)
class Seen:
    """What the database says.

    :param decision: what follows from it.
    :param summary: rows of the decided window.
    :param importer: the session that imports this tenant at the moment.
    :param denied: rights in the database that an import needs and the caller has not; asked in check mode only.
    """

    wanted: Wanted
    decision: Decision
    summary: summary.Summary
    sample: tuple[Mapping[str, Any], ...]
    importer: str | None
    targets: Targets
    denied: tuple[str, ...] = ()


def store_of(params: Mapping[str, Any], *, check_mode: bool) -> Store:
    """The tables from a module's options; looking needs no more than SELECT."""
    privileges = tables.READ if check_mode else tables.WRITE
    return Store(
        tenants=tables.tenants_table(params["tenants_table"], params.get("tenant_columns")),
        orders=tables.orders_table(params["orders_table"], params.get("order_columns"), privileges),
        items=tables.items_table(params["items_table"], params.get("item_columns"), privileges),
        errors=tables.own_table("errors_table", params["errors_table"], privileges),
        runs=tables.own_table("runs_table", params["runs_table"], privileges),
        quota=tables.own_table("quota_table", params["quota_table"], privileges),
    )


def look(call: Call, database: Connection) -> Seen:
    """Everything the decision rests on, in one transaction that writes nothing.

    :raises SchemaError: tables, columns, keys or privileges are missing.
    :raises KeybuzzError: the tenant has no row, or its marketplace is not known.
    """
    params, store, where, now = call.params, call.store, call.where, datetime.now(UTC)
    tenant = params["tenant"]
    with connection.transaction(database, "looking at the imported orders in", where) as cursor:
        found = schema.inspect(cursor, store.all())
        targets, runs_exist = _check_tables(call, found)
        row = tenants.read(cursor, store.tenants, tenant)
        if row is None:
            raise tenants.unknown(cursor, store.tenants, tenant, where)
        wanted = Wanted(
            tenant=tenant,
            marketplace_id=_marketplace(params, row),
            days=params["days"],
            until=call.until,
            fresh_for=params["fresh_for"],
            source=params["source"],
            restart=params["restart"],
        )
        known = checkpoint.runs(cursor, store.runs, tenant, wanted.marketplace_id) if runs_exist else ()
        stored: dict[str, tuple[int, int]] = {}
        unfinished = next((run for run in known if run.status == checkpoint.RUNNING), None)
        for run in filter(None, (completed(wanted, known, now), unfinished)):
            counted = summary.summary(cursor, targets.orders, targets.items, _window(wanted, (run.after, run.before)))
            stored[run.id] = (counted.orders, counted.items)
        decision = decide(wanted, known, stored, now)
        window = _window(wanted, decision.window)
        return Seen(
            wanted=wanted,
            decision=decision,
            summary=summary.summary(cursor, targets.orders, targets.items, window),
            sample=tuple(summary.newest(cursor, targets.orders, window, SAMPLE)),
            importer=lock.running(cursor, tenant) if call.check_mode and decision.kind != "complete" else None,
            targets=targets,
            denied=_denied(cursor, call, found) if call.check_mode and decision.kind != "complete" else (),
        )


def _denied(cursor: Cursor, call: Call, found: tuple[schema.Found, ...]) -> tuple[str, ...]:
    written = [pair for pair in zip(call.store.all(), found, strict=True) if pair[0] is not call.store.tenants]
    return schema.denied(cursor, written, tables.WRITE, creates=call.params["manage_schema"])


def _window(wanted: Wanted, window: tuple[datetime, datetime]) -> summary.Window:
    return summary.Window(wanted.tenant, wanted.marketplace_id, *window)


def _check_tables(call: Call, states: tuple[schema.Found, ...]) -> tuple[Targets, bool]:
    """Hold the tables to what is needed. Own tables that are missing are fine if the module may create them."""
    store = call.store
    wanted = store.all()
    found = dict(zip((table.option for table in wanted), states, strict=True))
    looked_at = [store.tenants, store.orders, store.items, store.runs] if call.check_mode else list(wanted)
    required = [
        (table, found[table.option])
        for table in looked_at
        if not (call.params["manage_schema"] and table.option in tables.OWN and not found[table.option].exists)
    ]
    schema.require(required, call.params["pg_user"], call.where)
    targets = Targets(
        orders=Target(store.orders, found["orders_table"].types),
        items=Target(store.items, found["items_table"].types),
        errors=store.errors,
        may_delete_items="DELETE" in found["items_table"].privileges,
    )
    return targets, found["runs_table"].exists


def create_own_tables(call: Call, database: Connection) -> None:
    """Create those of the import's own tables that are missing."""
    store, where = call.store, call.where
    own = (store.errors, store.runs, store.quota)
    with connection.transaction(database, "creating the import's tables in", where) as cursor:
        for table, found in zip(own, schema.inspect(cursor, own), strict=True):
            if not found.exists:
                schema.create(cursor, table)


def _marketplace(params: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    chosen = params.get("marketplace_id") or row.get("marketplaceId")
    if not chosen:
        raise BlockedError(
            "reading option",
            "marketplace_id",
            f"it is not given, and the row of tenant {params['tenant']!r} names no marketplace",
            "Give marketplace_id, or connect the tenant first with keybuzz.amazon.amazon_tenant_connect.",
        )
    return marketplaces.marketplace(str(chosen)).id
