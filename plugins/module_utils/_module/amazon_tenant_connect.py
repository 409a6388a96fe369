# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module amazon_tenant_connect does: one tenant after the other, over one connection to each server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, applied, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    KeybuzzError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_documents as documents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    document_keys,
    tenant_connect,
    tenant_disconnect,
    tenant_keys,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_rights as rights
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_call import Call, Servers
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_connect import Done
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_names import (
    TenantsFailedError,
    could_not_check,
    names_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_plan import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import LwaClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection, schema, tables, tenants
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table

Protect = Callable[[Iterable[str | None]], None]
PATIENCE = 3
"""Tenants in a row for which a server does not answer, before it is not asked for any more."""
STATE_LIFETIMES = (600, 86400)
OF_ONE_SELLER = ("refresh_token", "refresh_token_file", "authorization_code", "oauth_state", "seller_id")


def run(params: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Connect or disconnect one tenant, or several.

    :raises BadInputError: the tenant has no row (naming those that have), or an option cannot be.
    :raises BlockedError: the application's document is missing or refused, outside check mode.
    :raises TenantsFailedError: outside check mode, when several were asked for and some failed.
    """
    names = names_of(params)
    _check_options(params, names, check_mode=check_mode)
    places = {name: documents.place({**params, "tenant": name}) for name in names}
    privileges = ("SELECT",) if check_mode else ("SELECT", "UPDATE", *(("INSERT",) if params["create_row"] else ()))
    table = tables.tenants_table(params["tenants_table"], params.get("tenant_columns"), privileges)
    purpose = f"keybuzz.amazon tenant {names[0]}" if len(names) == 1 else "keybuzz.amazon tenants"
    with closing(connection.connect(params, protect, purpose)) as database:
        where = connection.address(params)
        rows, unknown, denied = _rows(database, table, params, names, where)
        if len(names) == 1 and unknown:
            raise unknown[names[0]]
        lwa = LwaClient(
            params["amazon_lwa_url"], ca_cert=params.get("amazon_ca_cert"), timeout=params["amazon_timeout"]
        )
        with closing(vault.connect(params, protect)) as client:
            servers = Servers(protect, table, database, client, lwa, where, denied, check_mode)
            if _needs_app(params):
                servers.app = documents.read_app(client, places[names[0]], protect)
            calls = [Call({**params, "tenant": name}, servers, places[name], rows.get(name)) for name in names]
            done = _each(calls, unknown) if len(calls) > 1 else {names[0]: _one(calls[0])}
            return _together(client, done, str(params.get("depth") or "values"), check_mode=check_mode)


def _check_options(params: Mapping[str, Any], names: tuple[str, ...], *, check_mode: bool) -> None:
    document_keys.require_check_mode(params.get("depth"), check_mode=check_mode)
    if not STATE_LIFETIMES[0] <= params["oauth_state_lifetime"] <= STATE_LIFETIMES[1]:
        raise BadInputError(
            "reading option",
            "oauth_state_lifetime",
            f"{params['oauth_state_lifetime']} is not between {STATE_LIFETIMES[0]} and {STATE_LIFETIMES[1]} seconds",
            "A seller needs some minutes; a state that lives longer than a day invites misuse.",
        )
    of_one = [name for name in OF_ONE_SELLER if params.get(name)] if len(names) > 1 else []
    if of_one:
        raise BadInputError(
            "reading option",
            ", ".join(of_one),
            f"it belongs to one seller, and {len(names)} tenants are named",
            "Give it with tenant, for one of them. It may come from a variable of the environment (AMAZON_…).",
        )


def _rows(
    database: connection.Connection, table: Table, params: Mapping[str, Any], names: tuple[str, ...], where: str
) -> tuple[dict[str, dict[str, Any]], dict[str, BadInputError], dict[str, str]]:
    """The rows, what is wrong with the tenants that should have one, and what may not be done to the table.

    :raises SchemaError: the table has not what is needed.
    """
    doing = "reading the tenant's row in" if len(names) == 1 else "reading the tenants' rows in"
    with connection.transaction(database, doing, where) as cursor:
        found = schema.inspect(cursor, (table,))
        schema.require(zip((table,), found, strict=True), params["pg_user"], where)
        rows = tenants.read_all(cursor, table, names)
        wanted = params["state"] == "absent" or not params["create_row"]
        unknown = {name: tenants.unknown(cursor, table, name, where) for name in names if wanted and name not in rows}
    needs = {"update": "UPDATE", "create": "INSERT"}
    denied = {
        action: f"{privilege.lower()} table {table.name}"
        for action, privilege in needs.items()
        if privilege not in found[0].privileges
    }
    return rows, unknown, denied


def _needs_app(params: Mapping[str, Any]) -> bool:
    """With depth keys no secret is read, and a tenant is disconnected without asking Amazon."""
    return params["state"] == "present" and params.get("depth") != "keys"


def _each(calls: Sequence[Call], unknown: Mapping[str, KeybuzzError]) -> dict[str, Done]:
    """One after the other. A server that has answered to none of the last few is not waited for by all the rest."""
    done: dict[str, Done] = {}
    silences: list[UnreachableError] = []
    for call in calls:
        try:
            if call.tenant in unknown:
                raise unknown[call.tenant]
            if len(silences) >= PATIENCE:
                raise silences[-1]
            done[call.tenant] = _one(call)
            silences.clear()
        except KeybuzzError as error:
            if isinstance(error, UnreachableError):
                silences.append(error)
            done[call.tenant] = _failed(call, error)
    return done


def _one(call: Call) -> Done:
    if call.params["state"] == "absent":
        return tenant_disconnect.disconnect(call)
    return tenant_keys.look(call) if call.params.get("depth") == "keys" else tenant_connect.connect(call)


def _failed(call: Call, error: KeybuzzError) -> Done:
    """A tenant that could not be done; what was written before it failed still counts."""
    facts = {"status": "failed", "error": str(error)}
    item = could_not_check(CHECK, call.tenant, error)
    return Done(Outcome((item,), changed=bool(call.written), facts=facts), failure=error)


def _together(client: VaultClient, done: Mapping[str, Done], depth: str, *, check_mode: bool) -> Outcome:
    """One result of all tenants. :raises TenantsFailedError: outside check mode, if some failed."""
    outcomes = {name: one.outcome for name, one in done.items()}
    items = tuple(item for outcome in outcomes.values() for item in outcome.items)
    needed = [right for one in done.values() for right in one.rights]
    in_vault = rights.missing(client, needed) if check_mode and needed else ()
    in_database = tuple(dict.fromkeys(text for one in done.values() for text in one.denied))
    lacking = None if in_vault is None and not in_database else (*(in_vault or ()), *in_database)
    together = Outcome(
        items,
        changed=any(outcome.changed for outcome in outcomes.values()),
        remaining=None if check_mode else tuple(item for outcome in outcomes.values() for item in _left(outcome)),
        facts={
            **(next(iter(outcomes.values())).facts if len(outcomes) == 1 else {}),
            "tenants": {name: dict(outcome.facts) for name, outcome in outcomes.items()},
            "depth": depth,
            **rights.facts(lacking, is_pending=check_mode and bool(pending(items))),
        },
        warnings=(
            *(
                text if len(outcomes) == 1 else f"{name}: {text}"
                for name, outcome in outcomes.items()
                for text in outcome.warnings
            ),
            *rights.warnings(in_vault),
            *rights.warnings(in_database),
        ),
    )
    failed = {name: one.failure for name, one in done.items() if one.failure is not None}
    if failed and not check_mode:
        raise TenantsFailedError(failed, together)
    return together


def _left(outcome: Outcome) -> tuple[Item, ...]:
    return outcome.remaining if outcome.remaining is not None else applied(outcome.items)
