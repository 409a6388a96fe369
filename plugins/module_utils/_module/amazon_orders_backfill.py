# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module amazon_orders_backfill does: look, decide, and outside check mode import what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, applied
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_documents as documents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_import, orders_window
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import (
    SAMPLE,
    Call,
    Protect,
    Seen,
    create_own_tables,
    look,
    store_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Counters, counters_from
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_patience import Patience
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_progress import Progress
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import marketplaces, sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.client import Credentials, SellingPartner
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import LwaClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import checkpoint, connection, lock, summary
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import Run
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Connection


def run(params: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Bring the orders of a window into the database, unless they are there.

    :param params: the module's options.
    :raises KeybuzzError: see each; what was loaded before it stays, and the next call goes on behind it.
    """
    place = documents.place(params)
    call = Call(
        params=params,
        protect=protect,
        store=store_of(params, check_mode=check_mode),
        until=orders_window.check_wanted(params["days"], params.get("until"), datetime.now(UTC)),
        where=connection.address(params),
        check_mode=check_mode,
    )
    if not 1 <= params["page_size"] <= sources.LARGEST_PAGE:
        raise BadInputError(
            "reading option",
            "page_size",
            f"{params['page_size']} is not between 1 and {sources.LARGEST_PAGE}",
            "Leave it at 100: each page costs one call of Amazon's usage plan.",
        )
    with closing(connection.connect(params, protect, f"keybuzz.amazon orders {params['tenant']}")) as database:
        seen = look(call, database)
        item = orders_window.plan(seen.wanted, seen.decision, call.store.orders.name, call.where, seen.importer)
        if check_mode:
            return _predicted(seen, item)
        if seen.decision.kind == "complete":
            return Outcome((item,), changed=False, facts=_facts(seen))
        lock.hold(database, params["tenant"], call.where)
        if params["manage_schema"]:
            create_own_tables(call, database)
        # Somebody else may have imported between the first look and the lock.
        seen = look(call, database)
        if seen.decision.kind == "complete":
            return Outcome((item,), changed=False, remaining=applied((item,)), facts=_facts(seen))
        if seen.decision.kind == "refused":
            raise BadInputError("importing", item.address, seen.decision.why.rstrip("."), item.hint)
        return _import(call, database, place, seen, item)


def _predicted(seen: Seen, item: Item) -> Outcome:
    """What check mode answers: the item, and whether the database would let this caller carry it out."""
    pending = item.action != "none"
    facts = _facts(seen) | {
        "repair_allowed": not seen.denied if pending else None,
        "missing_permissions": list(seen.denied) if pending else [],
    }
    warnings = tuple(f"The repair would be denied: {missing}." for missing in seen.denied) if pending else ()
    return Outcome((item,), changed=pending, facts=facts, warnings=warnings)


def _import(call: Call, database: Connection, place: documents.Place, seen: Seen, item: Item) -> Outcome:
    params, where = call.params, call.where
    partner, key = _partner(call, place, seen.wanted.marketplace_id)
    work = orders_import.Import(
        connection=database,
        where=where,
        runs=call.store.runs,
        targets=seen.targets,
        page_size=params["page_size"],
        max_quarantine_ratio=params["max_quarantine_ratio"],
    )
    with (
        closing(partner),
        closing(Progress(params.get("progress_file"), expected=seen.summary.orders or None)) as progress,
    ):
        patience = Patience(
            database,
            call.store.quota,
            key,
            budget=params["wait_budget"],
            progress=progress,
            interval=params["progress_interval"],
            where=where,
        )
        finished, loaded = orders_import.complete(work, _begin(work, seen), partner, patience, progress)
    window = summary.Window(finished.tenant, finished.marketplace_id, finished.after, finished.before)
    with connection.transaction(database, "counting the orders in", where) as cursor:
        rows = summary.summary(cursor, work.targets.orders, work.targets.items, window)
        sample = tuple(summary.newest(cursor, work.targets.orders, window, SAMPLE))
    done = orders_window.Decision("complete", (finished.after, finished.before), seen.decision.why, finished)
    facts = _facts(Seen(seen.wanted, done, rows, sample, None, seen.targets))
    facts |= {
        "resumed": seen.decision.kind == "resume",
        "this_call": {"calls": patience.calls, "throttled_seconds": round(patience.waited, 1), **asdict(loaded)},
    }
    return Outcome((item,), changed=True, facts=facts, warnings=_warnings(loaded, counters_from(finished.counters)))


def _begin(work: orders_import.Import, seen: Seen) -> Run:
    """The run to go on with, or a new one, recorded before Amazon is asked for anything."""
    decision, wanted = seen.decision, seen.wanted
    with connection.transaction(work.connection, "recording the import in", work.where) as cursor:
        checkpoint.abandon(cursor, work.runs, decision.abandon)
        if decision.kind != "resume":
            return checkpoint.begin(
                cursor,
                work.runs,
                tenant=wanted.tenant,
                marketplace_id=wanted.marketplace_id,
                source=wanted.source,
                days=wanted.days,
                window=decision.window,
                query=sources.search_query(wanted.marketplace_id, *decision.window),
                counters=asdict(Counters()),
            )
    if decision.run is None:
        raise LookupError("a decision to go on names the run to go on with")
    return orders_import.from_start(work, decision.run) if decision.from_start else decision.run


def _partner(call: Call, place: documents.Place, marketplace_id: str) -> tuple[SellingPartner, tuple[str, str, str]]:
    """The seller at Amazon, and the key of the usage plan's bucket."""
    params, protect = call.params, call.protect
    # An import takes long; a login for these two reads ends with them.
    with closing(vault.connect(params, protect)) as client:
        app = documents.read_app(client, place, protect)
        documents.require_app(app, "client_id", "client_secret")
        tenant = documents.read_tenant(client, place, protect)
        documents.require_tenant(tenant, params["tenant"], "refresh_token")
    lwa = LwaClient(params["amazon_lwa_url"], ca_cert=params.get("amazon_ca_cert"), timeout=params["amazon_timeout"])
    partner = SellingPartner(
        params.get("amazon_endpoint") or marketplaces.endpoint_of(marketplace_id),
        Credentials(app.values["client_id"], app.values["client_secret"], tenant.values["refresh_token"]),
        lwa,
        protect=protect,
        ca_cert=params.get("amazon_ca_cert"),
        timeout=params["amazon_timeout"],
    )
    # Amazon counts by application and selling partner; a document without the seller's id counts by tenant.
    application = app.values.get("application_id") or app.values["client_id"]
    seller = tenant.values.get("seller_id") or params["tenant"]
    return partner, (application, seller, sources.SEARCH_OPERATION)


def _facts(seen: Seen) -> dict[str, object]:
    run, rows = seen.decision.run, seen.summary
    return {
        "window": {"after": sources.iso(seen.decision.window[0]), "before": sources.iso(seen.decision.window[1])},
        "marketplace_id": seen.wanted.marketplace_id,
        "run_id": run.id if run else None,
        "pages": run.pages if run else 0,
        "counts": asdict(counters_from(run.counters if run else {})),
        "order_count": rows.orders,
        "item_count": rows.items,
        "by_status": rows.by_status,
        "by_currency": rows.by_currency,
        "by_line_status": rows.by_line_status,
        "resumed": False,
        "this_call": {"calls": 0, "throttled_seconds": 0.0, **asdict(Counters())},
        "sample": [_shown(row) for row in seen.sample],
    }


def _shown(row: Mapping[str, Any]) -> dict[str, object]:
    """A row in JSON types: Ansible takes no Decimal, and times are ISO 8601 in UTC."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> object:
    if isinstance(value, datetime):
        return sources.iso(value if value.tzinfo else value.replace(tzinfo=UTC))
    return None if value is None else str(value)


def _warnings(loaded: Counters, total: Counters) -> tuple[str, ...]:
    warnings = []
    if total.quarantined:
        warnings.append(
            f"{total.quarantined} of {total.fetched} orders could not be stored; errors_table names them and why."
        )
    if loaded.items_left:
        warnings.append(
            f"{loaded.items_left} lines are not in the new versions of their orders any more; they are still in "
            "items_table because pg_user may not DELETE there."
        )
    return tuple(warnings)
