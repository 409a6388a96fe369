# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Mode ``replay``: the orders that could not be stored are asked for once more, one by one, and tried again."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_facts
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import Asking
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import Call, Seen, look
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Counters, store_page
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_progress import Progress
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_seller import Seller, asking, partner_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import refuse_unplanned
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import NotFound
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Order, Rejected
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.source_search import read_order
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import Page
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import checkpoint, lock, quarantine

BATCH = 50
"""Orders of one transaction: about as many as can be asked for at once (Amazon: getOrder, burst 30)."""


def predicted(call: Call) -> Outcome:
    """What check mode answers."""
    seen = look(call)
    waiting, nameless = _waiting(call)
    item = _item(call, seen, len(waiting), nameless)
    pending = item.action != "none"
    facts = {"marketplace_id": seen.wanted.marketplace_id, "mode": call.mode, "waiting": len(waiting)}
    return Outcome((item,), changed=pending, facts=facts)


def apply(call: Call, seller: Callable[[], Seller], context: Callable[[], ssl.SSLContext]) -> Outcome:
    """Ask for every order that could not be stored, and store those that can be stored now."""
    seen = look(call)
    waiting, nameless = _waiting(call)
    item = _item(call, seen, len(waiting), nameless)
    if not waiting:
        return Outcome((item,), changed=False)
    refuse_unplanned((item,), call.params.get("planned"))
    run = _begun(call, seen)
    who = seller()
    loaded, gone = Counters(), 0
    with (
        closing(partner_of(call, who, seen.wanted.marketplace_id, context())) as partner,
        closing(Progress(call.params.get("progress_file"), tenant=call.tenant)) as progress,
    ):
        progress.expects(len(waiting), "getOrder")
        ask = asking(call, who, partner, progress)
        for at in range(0, len(waiting), BATCH):
            page, missing = _page(ask, waiting[at : at + BATCH])
            gone += missing
            with call.sessions.transaction("storing orders asked for again in") as cursor:
                counted = store_page(cursor, seen.targets, call.tenant, page, run_id=run.id, number=1).counted
                counted.check(call.where)
                loaded = loaded.plus(counted)
                last = at + BATCH >= len(waiting)
                checkpoint.advance(
                    cursor, call.store.runs, run, page_token=None, counters=asdict(loaded), completed=last
                )
            run = checkpoint.moved(run)
            progress.page(loaded.fetched, run.pages)
    left, nameless = _waiting(call)
    facts = {
        "marketplace_id": seen.wanted.marketplace_id,
        "mode": call.mode,
        "run_id": run.id,
        "waiting": len(left),
        "this_call": orders_facts.this_call(ask, loaded),
    }
    warnings = (f"Amazon does not have {gone} of these orders any more.",) if gone else ()
    return Outcome(
        (item,), changed=True, remaining=(_item(call, seen, len(left), nameless),), facts=facts, warnings=warnings
    )


def _waiting(call: Call) -> tuple[tuple[str, ...], int]:
    with call.sessions.transaction("looking for orders that could not be stored in") as cursor:
        if not quarantine.exists(cursor, call.store.errors):
            return (), 0
        return quarantine.open_orders(cursor, call.store.errors, call.tenant)


def _begun(call: Call, seen: Seen) -> checkpoint.Run:
    now = datetime.now(UTC)
    with call.sessions.transaction("recording the import in") as cursor:
        lock.settle(cursor, call.store.runs, call.tenant, holder=call.holder, where=call.where, own=call.own)
        unfinished = [run.id for run in seen.runs if (run.mode, run.status) == (checkpoint.REPLAY, checkpoint.RUNNING)]
        checkpoint.abandon(cursor, call.store.runs, unfinished)
        return checkpoint.begin(
            cursor,
            call.store.runs,
            tenant=call.tenant,
            marketplace_id=seen.wanted.marketplace_id,
            source="search",
            days=seen.wanted.days,
            window=(now, now),
            query={},
            counters=asdict(Counters()),
            mode=checkpoint.REPLAY,
            holder=call.holder,
        )


def _page(ask: Asking, order_ids: tuple[str, ...]) -> tuple[Page, int]:
    """These orders as a page, and how many of them Amazon does not have."""
    answers: list[Order | Rejected] = []
    for order_id in order_ids:
        try:
            answers.append(read_order(ask, order_id))
        except NotFound:
            continue
    page = Page(
        fetched=len(answers),
        orders=tuple(one for one in answers if isinstance(one, Order)),
        rejected=tuple(one for one in answers if isinstance(one, Rejected)),
        next_token=None,
        last=True,
    )
    return page, len(order_ids) - len(answers)


def _item(call: Call, seen: Seen, waiting: int, nameless: int) -> Item:
    item_id = f"{CHECK}/{call.tenant}/quarantine"
    address = f"table {call.store.errors.name} tenantId={call.tenant} in {call.where}"
    if not waiting:
        left = f" {nameless} rows without an order id can only come again with their window." if nameless else ""
        return Item(item_id, address, CHECK, "info", "in_sync", reason=f"No order waits to be stored.{left}")
    return Item(
        item_id,
        address,
        CHECK,
        "medium",
        "drifted",
        "update",
        before=f"{waiting} orders could not be stored",
        after="stored, or asked for once more",
        reason=f"{waiting} orders of Amazon's are not in table {call.store.orders.name}; reasonCode and field say why.",
        hint="Run keybuzz.amazon.amazon_orders_backfill with mode: replay.",
        depends_on=(f"amazon_tenant/{call.tenant}/grant",),
    )
