# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Looking at the orders of thousands of tenants: over one connection, a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    orders_batch,
    orders_prediction,
    orders_window,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import (
    LOOKING,
    Call,
    Protect,
    Seen,
    store_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.patience import Patience
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_names import not_looked_at
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import iso
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import BACKFILL, CATCH_UP, RECONCILE
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.sessions import Sessions

MODES = (BACKFILL, CATCH_UP, RECONCILE)
"""What can be looked at many tenants at a time."""
CHUNK = 500
"""Tenants of one transaction, and whose results are held together."""


def _clock() -> datetime:
    return datetime.now(UTC)


def looks(
    params: Mapping[str, Any], protect: Protect, names: Sequence[str], *, now: Callable[[], datetime] = _clock
) -> Iterator[tuple[str, Outcome]]:
    """Each tenant's orders as check mode sees them, in the order of the names. Writes nothing.

    The items are those of a look at one tenant; a tenant that cannot be looked at has an outcome all the same, whose
    one item says why. The facts are few: what the decision rests on, ``repair_allowed`` and ``missing_permissions``.

    :param params: the module's options but for ``tenant`` and ``tenants``; the mode is one of :data:`MODES`.
    :raises BadInputError: an option cannot be.
    """
    if params["mode"] not in MODES:
        raise BadInputError(
            "reading option", "mode", f"{params['mode']} is looked at one tenant at a time", f"Use {', '.join(MODES)}."
        )
    until = check_options(params)
    where = connection.address(params)
    sessions = Sessions(lambda: connection.connect(params, protect, "keybuzz.amazon orders"), where)
    call = Call(
        params={**params, "tenant": ""},
        protect=protect,
        store=store_of(params, check_mode=True),
        sessions=sessions,
        until=until,
        holder="",
        check_mode=True,
    )
    with closing(sessions):
        work = _Work(call, now)
        for at in range(0, len(names), CHUNK):
            yield from work.looked_at(names[at : at + CHUNK])


def check_options(params: Mapping[str, Any]) -> datetime | None:
    """Hold the options to what makes sense, and read ``until``. :raises BadInputError: naming what does not."""
    if not 1 <= params["page_size"] <= sources.LARGEST_PAGE:
        raise BadInputError(
            "reading option",
            "page_size",
            f"{params['page_size']} is not between 1 and {sources.LARGEST_PAGE}",
            "Leave it at 100: each page costs one call of Amazon's usage plan.",
        )
    expected = params.get("expected_orders")
    if expected is not None and expected < 1:
        raise BadInputError("reading option", "expected_orders", f"{expected} is less than 1", "Leave the option out.")
    return orders_window.check_wanted(params["days"], params.get("until"), _clock())


class _Work:
    """What all tenants share."""

    def __init__(self, call: Call, now: Callable[[], datetime]) -> None:
        self._call = call
        self._now = now
        self._patience = Patience()
        self._tables: orders_batch.Tables | None = None
        self._warned = False

    def looked_at(self, names: Sequence[str]) -> Iterator[tuple[str, Outcome]]:
        """One chunk, in one transaction."""
        try:
            seen = self._patience.asked(lambda: self._seen(names))
        except KeybuzzError as error:
            yield from ((name, not_looked_at(CHECK, name, error)) for name in names)
            return
        for name in names:
            yield name, self._outcome(name, seen[name])

    def _seen(self, names: Sequence[str]) -> Mapping[str, Seen | KeybuzzError]:
        call = self._call
        with call.sessions.transaction(LOOKING) as cursor:
            if self._tables is None:
                self._tables = orders_batch.tables(cursor, call)
            return orders_batch.look(cursor, call, self._tables, names, self._now())

    def _outcome(self, name: str, seen: Seen | KeybuzzError) -> Outcome:
        if isinstance(seen, KeybuzzError):
            return not_looked_at(CHECK, name, seen)
        outcome = orders_prediction.prediction(orders_batch.of_tenant(self._call, name), seen, _facts(seen))
        if self._warned:  # what one lacks in the database, all of them lack
            return replace(outcome, warnings=())
        self._warned = bool(outcome.warnings)
        return outcome


def _facts(seen: Seen) -> dict[str, object]:
    """``order_count`` and ``item_count`` are ``None`` where the decision does not rest on them."""
    run = seen.decision.run
    counted = run is not None and seen.wanted.mode == BACKFILL and seen.decision.window == (run.after, run.before)
    return {
        "window": {"after": iso(seen.decision.window[0]), "before": iso(seen.decision.window[1])},
        "marketplace_id": seen.wanted.marketplace_id,
        "mode": seen.wanted.mode,
        "source": run.source if run else None,
        "run_id": run.id if run else None,
        "pages": run.pages if run else 0,
        "order_count": seen.summary.orders if counted else None,
        "item_count": seen.summary.items if counted else None,
    }
