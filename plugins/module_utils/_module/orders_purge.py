# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Mode ``purge``: orders older than the retention are deleted with their lines; the records of their windows follow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import Call, Seen, look
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import refuse_unplanned
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import iso
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import (
    checkpoint,
    lock,
    quarantine,
    retention,
    schema,
    summary,
)

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

BATCH = 5000
"""Orders of one transaction."""


def check_options(call: Call) -> None:
    """Hold the retention to what makes sense. :raises BadInputError: it is missing or would delete what is imported."""
    days = call.params.get("retention_days")
    if days is None or days < 1:
        raise BadInputError(
            "reading option",
            "retention_days",
            "mode purge needs a number of days of at least 1",
            "Orders that were created longer ago are deleted.",
        )


def predicted(call: Call) -> Outcome:
    """What check mode answers."""
    seen, cutoff, count = _seen(call)
    denied = _denied(call, seen) if count else ()
    facts = {
        **_facts(call, seen, cutoff, 0, 0),
        "repair_allowed": not denied if count else None,
        "missing_permissions": list(denied),
    }
    warnings = tuple(f"The purge would be denied: {one}." for one in denied)
    return Outcome((_item(call, cutoff, count),), changed=count > 0, facts=facts, warnings=warnings)


def apply(call: Call) -> Outcome:
    """Delete them, in transactions of :data:`BATCH` orders."""
    seen, cutoff, count = _seen(call)
    item = _item(call, cutoff, count)
    if not count:
        return Outcome((item,), changed=False, facts=_facts(call, seen, cutoff, 0, 0))
    refuse_unplanned((item,), call.params.get("planned"))
    denied = _denied(call, seen)
    if denied:
        raise schema.SchemaError(
            "deleting orders in", call.where, "missing: " + "; ".join(denied), "Grant it to pg_user.", denied
        )
    orders = lines = 0
    while True:
        with call.sessions.transaction("deleting orders in") as cursor:
            lock.settle(cursor, call.store.runs, call.tenant, holder=call.holder, where=call.where, own=call.own)
            gone = retention.delete(cursor, (seen.targets.orders, seen.targets.items), call.tenant, cutoff, most=BATCH)
            orders, lines = orders + gone[0], lines + gone[1]
            if gone[0] < BATCH:
                # What was deleted on purpose must not look lost to the next look at these windows.
                _record(cursor, call, seen, cutoff)
                break
    done = _item(call, cutoff, 0)
    return Outcome((item,), changed=True, remaining=(done,), facts=_facts(call, seen, cutoff, orders, lines))


def _seen(call: Call) -> tuple[Seen, datetime, int]:
    check_options(call)
    seen = look(call)
    cutoff = (datetime.now(UTC) - timedelta(days=call.params["retention_days"])).replace(microsecond=0)
    with call.sessions.transaction("looking for old orders in") as cursor:
        return seen, cutoff, retention.older(cursor, seen.targets.orders, call.tenant, cutoff)


def _record(cursor: Cursor, call: Call, seen: Seen, cutoff: datetime) -> None:
    for run in seen.runs:
        if run.mode == checkpoint.BACKFILL and run.after < cutoff:
            window = summary.Window(run.tenant, run.marketplace_id, run.after, run.before)
            rows = summary.counts(cursor, seen.targets.orders, seen.targets.items, window)
            checkpoint.count_again(cursor, call.store.runs, run, rows)
    if quarantine.exists(cursor, call.store.errors):
        retention.forget_rejected(cursor, call.store.errors, call.tenant, cutoff)


def _denied(call: Call, seen: Seen) -> tuple[str, ...]:
    """Rights that deleting needs beside those of an import."""
    wanted = (call.store.orders, call.store.items, call.store.errors)
    with call.sessions.transaction("looking at privileges in") as cursor:
        found = schema.inspect(cursor, wanted)
        pairs = [(table, state) for table, state in zip(wanted, found, strict=True) if state.exists]
        return schema.denied(cursor, pairs, ("SELECT", "DELETE"), creates=False)


def _facts(call: Call, seen: Seen, cutoff: datetime, orders: int, lines: int) -> dict[str, object]:
    return {
        "marketplace_id": seen.wanted.marketplace_id,
        "mode": call.mode,
        "purged": {"before": iso(cutoff), "orders": orders, "items": lines},
    }


def _item(call: Call, cutoff: datetime, count: int) -> Item:
    item = Item(
        f"{CHECK}/{call.tenant}/retention",
        f"table {call.store.orders.name} tenantId={call.tenant} in {call.where}",
        CHECK,
        "info",
        "in_sync",
        reason=f"No order is older than {call.params['retention_days']} days.",
    )
    if not count:
        return item
    return replace(
        item,
        severity="medium",
        status="forbidden_present",
        action="remove",
        before=f"{count} orders created before {iso(cutoff)}",
        after="none",
        reason=f"{count} orders are older than the {call.params['retention_days']} days they may be kept.",
        hint="Run keybuzz.amazon.amazon_orders_backfill with mode: purge and the same retention_days.",
    )
