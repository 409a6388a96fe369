# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Looking at the connections of thousands of tenants: side by side over a few connections, a chunk at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_documents as documents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    document_keys,
    tenant_connect,
    tenant_disconnect,
    tenant_keys,
    tenant_rows,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_rights as rights
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.passing_secrets import PassingSecrets
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.patience import Patience
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_call import (
    PLACE_OF_TENANT,
    Call,
    Servers,
    of_tenant,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_connect import Done
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_names import not_looked_at
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_plan import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import AccessToken, LwaClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

Protect = Callable[[Iterable[str | None]], None]
SIDE_BY_SIDE = 8
"""Tenants that are looked at at the same time, and connections to each server but PostgreSQL, which has one. Where the
servers are near, four keep two processors busy; the others are for the time on the way to those that are far."""
CHUNK = 500
"""Tenants whose rows are read together and whose results are held together."""
READING = "reading the tenants' rows in"
STATE_LIFETIMES = (600, 86400)
OF_ONE_SELLER = ("refresh_token", "authorization_code", "oauth_state", "seller_id")


def looks(
    params: Mapping[str, Any], protect: Protect, names: Sequence[str], client: VaultClient | None = None
) -> Iterator[tuple[str, Outcome]]:
    """Each tenant's connection as check mode sees it, in the order of the names. Writes nothing.

    A tenant that cannot be looked at has an outcome all the same, whose one item says why. The facts of each are those
    of the module for one tenant, with ``repair_allowed`` and ``missing_permissions`` of its own.

    :param params: the module's options but for ``tenant`` and ``tenants``.
    :param protect: called with the secrets that all tenants share. Those of one tenant are masked in what is yielded
        and then forgotten, see :mod:`passing_secrets`.
    :param client: a connection to Vault that is there already, and stays.
    :raises BadInputError: an option cannot be.
    :raises KeybuzzError: nothing can be looked at: a server cannot be reached, or the table is not what is needed.
    """
    check_options(params, len(names), check_mode=True)
    table = tenant_rows.table_of(params, check_mode=True)
    documents.place({**params, "tenant": "any"})
    with ExitStack() as opened:
        if client is None:
            client = opened.enter_context(closing(vault.connect(params, protect)))
        work = _Work(params, protect, table, client, opened)
        for at in range(0, len(names), CHUNK):
            yield from work.looked_at(names[at : at + CHUNK])


def check_options(params: Mapping[str, Any], count: int, *, check_mode: bool) -> None:
    """Hold the options to what makes sense for this many tenants. :raises BadInputError: naming what does not."""
    document_keys.require_check_mode(params.get("depth"), check_mode=check_mode)
    if not STATE_LIFETIMES[0] <= params["oauth_state_lifetime"] <= STATE_LIFETIMES[1]:
        raise BadInputError(
            "reading option",
            "oauth_state_lifetime",
            f"{params['oauth_state_lifetime']} is not between {STATE_LIFETIMES[0]} and {STATE_LIFETIMES[1]} seconds",
            "A seller needs some minutes; a state that lives longer than a day invites misuse.",
        )
    of_one = [name for name in OF_ONE_SELLER if params.get(name)] if count > 1 else []
    if count > 1 and PLACE_OF_TENANT not in (params.get("refresh_token_file") or PLACE_OF_TENANT):
        of_one.append("refresh_token_file")
    if of_one:
        raise BadInputError(
            "reading option",
            ", ".join(of_one),
            f"it belongs to one seller, and {count} tenants are named",
            "Give it with tenant, for one of them; or seller_ids, and a refresh_token_file with {tenant} in its path. "
            "It may come from a variable of the environment (AMAZON_…).",
        )


def needs_app(params: Mapping[str, Any]) -> bool:
    """With depth keys no secret is read, and a tenant is disconnected without asking Amazon."""
    return params["state"] == "present" and params.get("depth") != "keys"


def one(call: Call) -> Done:
    """What the options ask for, of one tenant."""
    if call.params["state"] == "absent":
        return tenant_disconnect.disconnect(call)
    return tenant_keys.look(call) if call.params.get("depth") == "keys" else tenant_connect.connect(call)


class _PatientLwa(LwaClient):
    """Login with Amazon, asked for many sellers: when it has fallen silent the rest is not asked."""

    def __init__(self, url: str, **more: Any) -> None:
        super().__init__(url, **more)
        self._patience = Patience()

    def refresh(self, client_id: str, client_secret: str, refresh_token: str) -> AccessToken:
        grant = super().refresh
        return self._patience.asked(lambda: grant(client_id, client_secret, refresh_token))


class _Work:
    """What all tenants share. Of a tenant nothing stays here when its chunk is done."""

    def __init__(
        self, params: Mapping[str, Any], protect: Protect, table: Table, client: VaultClient, opened: ExitStack
    ) -> None:
        self._params = params
        self._protect = protect
        where = connection.address(params)
        self._connection = self._connected()
        opened.callback(self._disconnect)
        with connection.transaction(self._connection, READING, where) as cursor:
            denied = tenant_rows.denied(cursor, table, params["pg_user"], where)
        client.read_side_by_side(SIDE_BY_SIDE)
        lwa = _PatientLwa(
            params["amazon_lwa_url"],
            ca_cert=params.get("amazon_ca_cert"),
            timeout=params["amazon_timeout"],
            kept=SIDE_BY_SIDE,
        )
        opened.enter_context(closing(lwa))
        self._servers = Servers(protect, table, self._connection, client, lwa, where, denied, check_mode=True)
        if needs_app(params):
            self._servers.app = documents.read_app(client, documents.place({**params, "tenant": "any"}), protect)
        self._pool = opened.enter_context(ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="tenants"))
        self._database, self._looks = Patience(), Patience()
        self._asked_for_rights = True

    def looked_at(self, names: Sequence[str]) -> Iterator[tuple[str, Outcome]]:
        """One chunk."""
        passing = PassingSecrets()
        self._servers.protect = passing.protect
        try:
            rows = self._database.asked(lambda: self._rows(names))
        except KeybuzzError as error:
            yield from ((name, not_looked_at(CHECK, name, error, status="failed")) for name in names)
            return
        done = self._side_by_side(lambda name: self._done(name, rows), names)
        self._servers.protect = self._protect
        for name, outcome in zip(names, self._with_rights(done), strict=True):
            yield name, passing.masked(outcome)

    def _connected(self) -> connection.Connection:
        return connection.connect(self._params, self._protect, "keybuzz.amazon tenants")

    def _disconnect(self) -> None:
        self._connection.close()

    def _rows(self, names: Sequence[str]) -> tenant_rows.Rows:
        servers = self._servers
        if self._connection.closed:
            self._connection = self._connected()
        with connection.transaction(self._connection, READING, servers.where) as cursor:
            return tenant_rows.read(cursor, servers.table, self._params, names, servers.where)

    def _side_by_side(self, look: Callable[[str], Done], names: Sequence[str]) -> list[Done]:
        """The results in the order of the names."""
        waiting = deque(enumerate(names))
        done: dict[int, Done] = {}

        def work(_worker: int) -> None:
            while True:
                try:
                    at, name = waiting.popleft()
                except IndexError:
                    return
                try:
                    done[at] = look(name)
                except BaseException:  # which nobody foresaw: the others need not go on
                    waiting.clear()
                    raise

        list(self._pool.map(work, range(SIDE_BY_SIDE)))
        return [done[at] for at in range(len(names))]

    def _done(self, name: str, rows: tenant_rows.Rows) -> Done:
        try:
            params = of_tenant(self._params, name)
            place = documents.place(params)
            if name in rows.unknown:
                raise rows.unknown[name]
            call = Call(params, self._servers, place, rows.found.get(name))
            return self._looks.asked(lambda: one(call))
        except KeybuzzError as error:
            return Done(not_looked_at(CHECK, name, error, status="failed"), failure=error)

    def _with_rights(self, done: Sequence[Done]) -> Iterator[Outcome]:
        """The outcomes with what a repair of each lacks, which Vault is asked for the whole chunk."""
        needed = [right for each in done for right in each.rights]
        try:
            found = rights.missing(self._servers.vault, needed)
        except KeybuzzError:
            found = None
        lacking = None if found is None else frozenset(found)
        for each in done:
            if each.failure is not None:
                yield each.outcome
                continue
            known = lacking is not None or not each.rights
            in_vault = [str(right) for right in each.rights if str(right) in (lacking or ())]
            missing = (*in_vault, *each.denied) if known or each.denied else None
            allowed = rights.facts(missing, is_pending=bool(pending(each.outcome.items)))
            warnings = each.outcome.warnings
            if not known and self._asked_for_rights:
                self._asked_for_rights = False
                warnings = (*warnings, *rights.warnings(None))
            yield replace(each.outcome, facts={**each.outcome.facts, **allowed}, warnings=warnings)
