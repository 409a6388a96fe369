# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module amazon_tenant_connect does: one tenant after the other, over one connection to each server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, applied, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import amazon_documents as documents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import document_rights as rights
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import tenant_rows, tenants_stream
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.patience import Patience
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_call import Call, Servers, of_tenant
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_connect import Done
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_names import (
    FEW,
    TenantsFailedError,
    could_not_check,
    names_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_plan import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenants_stream import one
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import LwaClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

Protect = Callable[[Iterable[str | None]], None]


def run(params: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Connect or disconnect one tenant, or several.

    :raises BadInputError: the tenant has no row (naming those that have), or an option cannot be.
    :raises BlockedError: the application's document is missing or refused, outside check mode.
    :raises TenantsFailedError: outside check mode, when several were asked for and some failed.
    """
    names = names_of(params)
    tenants_stream.check_options(params, len(names), check_mode=check_mode)
    places = {name: documents.place({**params, "tenant": name}) for name in names}
    depth = str(params.get("depth") or "values")
    if check_mode and len(names) > 1:
        return _of_many(dict(tenants_stream.looks(params, protect, names)), depth)
    table = tenant_rows.table_of(params, check_mode=check_mode)
    purpose = f"keybuzz.amazon tenant {names[0]}" if len(names) == 1 else "keybuzz.amazon tenants"
    doing = "reading the tenant's row in" if len(names) == 1 else tenants_stream.READING
    with closing(connection.connect(params, protect, purpose)) as database:
        where = connection.address(params)
        with connection.transaction(database, doing, where) as cursor:
            denied = tenant_rows.denied(cursor, table, params["pg_user"], where)
            rows = tenant_rows.read(cursor, table, params, names, where)
        if len(names) == 1 and rows.unknown:
            raise rows.unknown[names[0]]
        lwa = LwaClient(
            params["amazon_lwa_url"], ca_cert=params.get("amazon_ca_cert"), timeout=params["amazon_timeout"]
        )
        with closing(vault.connect(params, protect)) as client:
            servers = Servers(protect, table, database, client, lwa, where, denied, check_mode)
            if tenants_stream.needs_app(params):
                servers.app = documents.read_app(client, places[names[0]], protect)
            calls = [Call(of_tenant(params, name), servers, places[name], rows.found.get(name)) for name in names]
            done = _each(calls, rows.unknown) if len(calls) > 1 else {names[0]: one(calls[0])}
            return _together(client, done, depth, check_mode=check_mode)


def _each(calls: Sequence[Call], unknown: Mapping[str, KeybuzzError]) -> dict[str, Done]:
    """One after the other. A server that has answered to none of the last few is not waited for by all the rest."""
    done: dict[str, Done] = {}
    patience = Patience()
    for call in calls:
        try:
            if call.tenant in unknown:
                raise unknown[call.tenant]
            done[call.tenant] = patience.asked(lambda call=call: one(call))  # type: ignore[misc]
        except KeybuzzError as error:
            done[call.tenant] = _failed(call, error)
    return done


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


def _of_many(outcomes: Mapping[str, Outcome], depth: str) -> Outcome:
    """One result of what check mode has seen of several tenants; otherwise as :func:`_together`."""
    items = tuple(item for outcome in outcomes.values() for item in outcome.items)
    allowed = {
        outcome.facts.get("repair_allowed")
        for outcome in outcomes.values()
        if pending(outcome.items) or outcome.facts.get("missing_permissions")
    }
    missing = tuple(dict.fromkeys(right for outcome in outcomes.values() for right in _missing(outcome)))
    unasked = rights.warnings(None)
    return Outcome(
        items,
        changed=any(outcome.changed for outcome in outcomes.values()),
        facts={
            "tenants": {name: dict(outcome.facts) for name, outcome in outcomes.items()},
            "depth": depth,
            "repair_allowed": False if False in allowed else True if allowed == {True} else None,
            "missing_permissions": list(missing),
        },
        warnings=(
            *(
                text if text in unasked else f"{name}: {text}"
                for name, outcome in outcomes.items()
                for text in outcome.warnings
            ),
            *rights.warnings(missing[:FEW]),
            *((f"{len(missing) - FEW} more rights are missing, see missing_permissions.",) if missing[FEW:] else ()),
        ),
    )


def _missing(outcome: Outcome) -> Sequence[str]:
    found: Any = outcome.facts.get("missing_permissions")
    return found or ()


def _left(outcome: Outcome) -> tuple[Item, ...]:
    return outcome.remaining if outcome.remaining is not None else applied(outcome.items)
