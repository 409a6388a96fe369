# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module amazon_orders_backfill does, for one tenant or for many side by side."""

from __future__ import annotations

import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, applied
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, BlockedError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    orders_purge,
    orders_replay,
    orders_run,
    orders_seller,
    orders_window,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import (
    Call,
    Protect,
    manage_own_tables,
    store_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_seller import Seller
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_names import (
    TenantsFailedError,
    could_not_check,
    names_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection, lock
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import REPLAY
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.sessions import Sessions

PURGE = "purge"
MOST_SESSIONS = 8
"""Connections that many tenants share; between two pages none of them needs one."""


def run(params: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Bring the orders of one tenant, or of several, to what the mode asks for.

    :param params: the module's options.
    :raises KeybuzzError: see each; what was loaded before it stays, and the next call goes on behind it.
    :raises TenantsFailedError: outside check mode, when several were asked for and some failed.
    """
    names = names_of(params)
    until = orders_window.check_wanted(params["days"], params.get("until"), datetime.now(UTC))
    _check_options(params)
    where = connection.address(params)
    purpose = f"keybuzz.amazon orders {names[0]}" if len(names) == 1 else "keybuzz.amazon orders"
    sessions = Sessions(
        lambda: connection.connect(params, protect, purpose), where, 1 if len(names) == 1 else MOST_SESSIONS
    )
    # Not a name of the environment: whoever reads the run's row should find the process.
    holder = f"{socket.gethostname()[:60]}/{uuid.uuid4().hex[:12]}"
    with closing(sessions):
        call = Call(
            params={**params, "tenant": names[0]},
            protect=protect,
            store=store_of(params, check_mode=check_mode),
            sessions=sessions,
            until=until,
            holder=holder,
            check_mode=check_mode,
        )
        work = _Work(call, names)
        if len(names) == 1:
            return work.one(names[0])
        return _together(work, names, check_mode=check_mode)


def _check_options(params: Mapping[str, Any]) -> None:
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


@dataclass
class _Work:
    """What all tenants of a call share."""

    call: Call
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        self._guard = threading.Lock()
        self._sellers: dict[str, Seller | BlockedError] | None = None

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return orders_seller.trusted(self.call.params)

    def context(self) -> ssl.SSLContext:
        """One TLS context for all."""
        with self._guard:
            return self._context

    def seller(self, name: str) -> Seller:
        """The tenant's credentials; all of them are read with the first. :raises KeybuzzError: his cannot be used."""
        with self._guard:
            if self._sellers is None:
                self._sellers = orders_seller.sellers(self.call.params, self.call.protect, self.names)
        found = self._sellers[name]
        if isinstance(found, BlockedError):
            raise found
        return found

    def one(self, name: str) -> Outcome:
        """One tenant, looked at or, with its lock held and the import's own tables there, worked on."""
        call = replace(self.call, params={**self.call.params, "tenant": name})
        if call.check_mode:
            return _predicted(call)
        done = _already_done(call)
        if done is not None:
            return done
        call = self._locked(call)
        if call.params["manage_schema"]:
            manage_own_tables(call)
        if call.mode == PURGE:
            return orders_purge.apply(call)
        step: Callable[..., Outcome] = orders_replay.apply if call.mode == REPLAY else orders_run.apply
        return step(call, lambda: self.seller(name), self.context)

    def _locked(self, call: Call) -> Call:
        """Take the tenant's lock in the way that works here; the call says which it is."""
        kind = call.params["lock"]
        with (
            call.sessions.borrowed() as database,
            connection.transaction(database, "taking the import's lock in", call.where) as cursor,
        ):
            if kind != "heartbeat" and lock.pooled(database, cursor):
                if kind == "session":
                    raise BadInputError(
                        "reading option",
                        "lock",
                        "a pooler stands before PostgreSQL, and behind it the lock of a session holds nobody off",
                        "Set lock: heartbeat or auto, or connect to PostgreSQL itself.",
                    )
                kind = "heartbeat"
            elif kind != "heartbeat":
                kind = "session"
                lock.hold(cursor, call.tenant, call.where)
            own = (*call.own, database.info.backend_pid)
        return replace(call, params={**call.params, "lock": kind}, own=own)


def _predicted(call: Call) -> Outcome:
    if call.mode == PURGE:
        return orders_purge.predicted(call)
    return orders_replay.predicted(call) if call.mode == REPLAY else orders_run.predicted(call)


def _already_done(call: Call) -> Outcome | None:
    """The outcome of a run that has nothing to do: it takes no lock and asks nobody."""
    if call.mode in {PURGE, REPLAY}:
        return None
    return orders_run.complete_already(call)


def _together(work: _Work, names: tuple[str, ...], *, check_mode: bool) -> Outcome:
    """All of them side by side, one thread each: nearly all of the time is spent waiting for tokens.

    :raises TenantsFailedError: outside check mode, if some failed.
    """

    def one(name: str) -> tuple[Outcome, KeybuzzError | None]:
        try:
            return work.one(name), None
        except KeybuzzError as error:
            facts = {"error": str(error)}
            found = getattr(error, "outcome", None)
            if isinstance(found, Outcome):
                return replace(found, facts={**found.facts, **facts}), error
            return Outcome((could_not_check(CHECK, name, error),), changed=False, facts=facts), error

    with ThreadPoolExecutor(min(len(names), work.call.params["parallel"])) as pool:
        done = dict(zip(names, pool.map(one, names), strict=True))
    outcomes = {name: outcome for name, (outcome, _error) in done.items()}
    together = Outcome(
        tuple(item for outcome in outcomes.values() for item in outcome.items),
        changed=any(outcome.changed for outcome in outcomes.values()),
        remaining=None if check_mode else tuple(item for outcome in outcomes.values() for item in _left(outcome)),
        facts=_facts(outcomes),
        warnings=tuple(f"{name}: {text}" for name, outcome in outcomes.items() for text in outcome.warnings),
    )
    failed = {name: error for name, (_outcome, error) in done.items() if error is not None}
    if failed and not check_mode:
        raise TenantsFailedError(failed, together)
    return together


def _facts(outcomes: Mapping[str, Outcome]) -> dict[str, object]:
    facts: dict[str, object] = {"tenants": {name: dict(outcome.facts) for name, outcome in outcomes.items()}}
    missing = [
        right
        for outcome in outcomes.values()
        for right in outcome.facts.get("missing_permissions", ())  # type: ignore[attr-defined]
    ]
    allowed = [outcome.facts["repair_allowed"] for outcome in outcomes.values() if "repair_allowed" in outcome.facts]
    if allowed:
        asked = [one for one in allowed if one is not None]
        facts |= {"repair_allowed": all(asked) if asked else None, "missing_permissions": list(dict.fromkeys(missing))}
    return facts


def _left(outcome: Outcome) -> tuple[Item, ...]:
    return outcome.remaining if outcome.remaining is not None else applied(outcome.items)
