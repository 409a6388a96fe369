# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The work on one tenant's orders, with its lock held and the import's own tables there."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    orders_prediction,
    orders_purge,
    orders_replay,
    orders_run,
    orders_seller,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import Call, manage_own_tables
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_seller import Seller
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection, lock
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import REPLAY

PURGE = "purge"


@dataclass
class Work:
    """What all tenants of a call share, and the work on one of them."""

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

    def one(self, call: Call) -> Outcome:
        """One tenant worked on; in check mode, looked at for one of the modes that only this knows."""
        if call.check_mode:
            return orders_purge.predicted(call) if call.mode == PURGE else orders_replay.predicted(call)
        done = _already_done(call)
        if done is not None:
            return done
        call = self._locked(call)
        if call.params["manage_schema"]:
            manage_own_tables(call)
        if call.mode == PURGE:
            return orders_purge.apply(call)
        step: Callable[..., Outcome] = orders_replay.apply if call.mode == REPLAY else orders_run.apply
        return step(call, lambda: self.seller(call.tenant), self.context)

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


def _already_done(call: Call) -> Outcome | None:
    """The outcome of a run that has nothing to do: it takes no lock and asks nobody."""
    if call.mode in {PURGE, REPLAY}:
        return None
    return orders_prediction.complete_already(call)
