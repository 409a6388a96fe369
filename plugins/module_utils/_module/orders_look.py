# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the database says of a tenant's orders: the tables, the runs on record, the rows of the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_follow, orders_plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Targets
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_sources import AUTO
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import (
    Decision,
    Wanted,
    completed,
    decide,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import marketplaces, quota
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import (
    buckets,
    checkpoint,
    lock,
    schema,
    summary,
    tables,
    tenants,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.load import Target
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.sessions import Sessions

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

Protect = Callable[[Iterable[str | None]], None]
SAMPLE = 5
"""Newest orders that a result shows."""
LOOKING = "looking at the imported orders in"


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
    """One tenant of one call of the module.

    :param params: its options, ``tenant`` being this one.
    :param until: the option of that name, read.
    :param holder: this process, in the rows of its runs.
    :param own: numbers of this process's other sessions at the server, which hold locks for it.
    """

    params: Mapping[str, Any]
    protect: Protect
    store: Store
    sessions: Sessions
    until: datetime | None
    holder: str
    check_mode: bool
    own: tuple[int, ...] = ()

    @property
    def tenant(self) -> str:
        """The tenant's id."""
        return str(self.params["tenant"])

    @property
    def mode(self) -> str:
        """What is to be done."""
        return str(self.params["mode"])

    @property
    def where(self) -> str:
        """The database, for messages."""
        return self.sessions.where


@dataclass(frozen=True)
class Seen:
    """What the database says.

    :param decision: what follows from it.
    :param summary: rows of the decided window.
    :param importer: who imports this tenant at the moment.
    :param denied: rights in the database that an import needs and the caller has not; asked in check mode only.
    :param plan: which source would be taken, and what it would need; ``None`` when nothing is to be read.
    :param runs: all runs on record that still say something.
    """

    wanted: Wanted
    decision: Decision
    summary: summary.Summary
    sample: tuple[Mapping[str, Any], ...]
    importer: str | None
    targets: Targets
    runs: tuple[checkpoint.Run, ...] = ()
    denied: tuple[str, ...] = ()
    plan: orders_plan.Plan | None = None


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


def look(call: Call, now: datetime | None = None) -> Seen:
    """Everything the decision rests on, in one transaction that writes nothing. Of many: :mod:`orders_batch`.

    :raises SchemaError: tables, columns, keys or privileges are missing.
    :raises KeybuzzError: the tenant has no row, or its marketplace is not known.
    """
    store, now = call.store, now or datetime.now(UTC)
    with call.sessions.transaction(LOOKING) as cursor:
        found, targets = inspected(cursor, call)
        row = tenants.read(cursor, store.tenants, call.tenant)
        wanted = wanted_of(call, row, () if row else tenants.some(cursor, store.tenants))
        runs = found["runs_table"]
        known = (
            checkpoint.runs(cursor, store.runs, call.tenant, wanted.marketplace_id, runs.types) if runs.exists else ()
        )
        stored: dict[str, tuple[int, int]] = {}
        for run in rested_on(wanted, known, now):
            counted = summary.summary(cursor, targets.orders, targets.items, window_of(wanted, (run.after, run.before)))
            stored[run.id] = (counted.orders, counted.items)
        decision = decided(wanted, known, stored, now)
        window = window_of(wanted, decision.window)
        looking = call.check_mode and decision.kind != "complete"
        accounted = schema.complete(store.quota, found["quota_table"])
        return Seen(
            wanted=wanted,
            decision=decision,
            summary=summary.summary(cursor, targets.orders, targets.items, window),
            sample=tuple(summary.newest(cursor, targets.orders, window, SAMPLE)),
            importer=_importer(cursor, call, runs) if looking else None,
            targets=targets,
            runs=known,
            denied=lacking(cursor, call, found) if looking else (),
            plan=plan_of(call, wanted, decision, known, _believed(cursor, call, row or {}) if accounted else {})
            if looking and decision.kind != "refused"
            else None,
        )


def inspected(cursor: Cursor, call: Call) -> tuple[Mapping[str, schema.Found], Targets]:
    """What the catalogue says of the tables, by the option that names each, and those that rows are counted in.

    :raises SchemaError: they have not what is needed.
    """
    tables_of_all = call.store.all()
    found = dict(zip((table.option for table in tables_of_all), schema.inspect(cursor, tables_of_all), strict=True))
    return found, _check_tables(call, found)


def wanted_of(call: Call, row: Mapping[str, Any] | None, others: Sequence[str] = ()) -> Wanted:
    """What the options and the tenant's row ask for.

    :param others: tenants that have a row, for the message.
    :raises KeybuzzError: there is no such tenant, or its marketplace is not known.
    """
    params = call.params
    if row is None:
        raise tenants.unknown(call.store.tenants, call.tenant, call.where, others)
    return Wanted(
        tenant=call.tenant,
        marketplace_id=_marketplace(params, row),
        days=params["days"],
        until=call.until,
        fresh_for=params["fresh_for"],
        source=params["source"],
        restart=params["restart"],
        mode=call.mode,
        overlap=params["overlap"],
        max_lag=params["max_lag"],
    )


def rested_on(wanted: Wanted, known: Sequence[checkpoint.Run], now: datetime) -> tuple[checkpoint.Run, ...]:
    """The runs of whose windows the rows have to be counted before it can be decided."""
    if wanted.mode in {checkpoint.CATCH_UP, checkpoint.RECONCILE}:
        return ()
    running = (run for run in known if run.mode == checkpoint.BACKFILL and run.status == checkpoint.RUNNING)
    return tuple(filter(None, (completed(wanted, known, now), next(running, None))))


def decided(
    wanted: Wanted, known: tuple[checkpoint.Run, ...], stored: Mapping[str, tuple[int, int]], now: datetime
) -> Decision:
    """What follows. :param stored: orders and lines in the window of each run of :func:`rested_on`."""
    if wanted.mode == checkpoint.CATCH_UP:
        return orders_follow.decide_catch_up(wanted, known, now)
    if wanted.mode == checkpoint.RECONCILE:
        return orders_follow.decide_reconcile(wanted, known, now)
    return decide(wanted, known, stored, now)


def _believed(cursor: Cursor, call: Call, row: Mapping[str, Any]) -> dict[str, quota.Bucket]:
    """The seller's buckets as they stand now, without Vault's word on who he is."""
    peeked = buckets.peek(cursor, call.store.quota, str(row.get("sellerId") or call.tenant))
    return {name: quota.at(quota.Bucket(*bucket), now) for name, (bucket, now) in peeked.items()}


def plan_of(
    call: Call,
    wanted: Wanted,
    decision: Decision,
    known: tuple[checkpoint.Run, ...],
    believed: Mapping[str, quota.Bucket],
) -> orders_plan.Plan:
    """Which source ends first, as far as the database tells.

    :param believed: the buckets as they stand now.
    """
    orders, known_from = _expected(call, decision, known)
    return orders_plan.choose(
        believed,
        orders,
        known_from,
        decision.window[1] - decision.window[0],
        today=datetime.now(UTC).date(),
        making=next((float(run.counters["making"]) for run in known if run.counters.get("making")), None),
        among=_among(wanted, decision),
        page_size=call.params["page_size"],
    )


def _among(wanted: Wanted, decision: Decision) -> tuple[str, ...]:
    if decision.kind == "resume" and decision.run is not None:
        return (decision.run.source,)
    if wanted.source != AUTO:
        return (wanted.source,)
    if wanted.mode == checkpoint.RECONCILE:
        return orders_follow.other_ways(decision.looked_through)
    return ("search", "report", "v0")


def _expected(call: Call, decision: Decision, known: tuple[checkpoint.Run, ...]) -> tuple[int | None, str]:
    """How many orders the window may have: as given, else as dense as the last window that was read."""
    if call.params.get("expected_orders"):
        return int(call.params["expected_orders"]), "as given"
    for run in known:
        length = (run.before - run.after).total_seconds()
        if run.mode == checkpoint.BACKFILL and run.status == checkpoint.COMPLETED and length > 0:
            share = (decision.window[1] - decision.window[0]).total_seconds() / length
            done = int(run.counters.get("fetched", 0)) - int(run.counters.get("stale", 0))
            return max(1, round(done * share)), "as many a day as the last time"
    return None, ""


def _importer(cursor: Cursor, call: Call, runs: schema.Found) -> str | None:
    importer = lock.running(cursor, call.tenant)
    if importer is None and "heartbeatAt" in runs.types:
        return lock.beating(cursor, call.store.runs, call.tenant)
    return importer


def lacking(cursor: Cursor, call: Call, found: Mapping[str, schema.Found]) -> tuple[str, ...]:
    """Rights in the database that an import needs and the caller has not."""
    written = [(table, found[table.option]) for table in call.store.all() if table is not call.store.tenants]
    return schema.denied(cursor, written, tables.WRITE, creates=call.params["manage_schema"])


def window_of(wanted: Wanted, window: tuple[datetime, datetime]) -> summary.Window:
    """A window of the tenant's orders in the marketplace that is wanted."""
    return summary.Window(wanted.tenant, wanted.marketplace_id, *window)


def _check_tables(call: Call, found: Mapping[str, schema.Found]) -> Targets:
    """Hold the tables to what is needed. What is missing of the own tables is fine if the module may add it."""
    store = call.store
    managed = call.params["manage_schema"]
    looked_at = [store.tenants, store.orders, store.items, store.runs] if call.check_mode else list(store.all())
    required = [
        (table, found[table.option])
        for table in looked_at
        if not (managed and table.option in tables.OWN and not schema.complete(table, found[table.option]))
    ]
    schema.require(required, call.params["pg_user"], call.where)
    return Targets(
        orders=Target(store.orders, found["orders_table"].types),
        items=Target(store.items, found["items_table"].types),
        errors=store.errors,
        may_delete_items="DELETE" in found["items_table"].privileges,
    )


def manage_own_tables(call: Call) -> None:
    """Create those of the import's own tables that are missing, and add the columns that a newer release wants."""
    own = (call.store.errors, call.store.runs, call.store.quota)
    with call.sessions.transaction("creating the import's tables in") as cursor:
        for table, found in zip(own, schema.inspect(cursor, own), strict=True):
            if not found.exists:
                schema.create(cursor, table)
            elif not schema.complete(table, found):
                schema.migrate(cursor, table, found)


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
