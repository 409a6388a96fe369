# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module amazon_orders_backfill does, for one tenant or for many side by side."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, applied
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_prediction, orders_stream
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import (
    Call,
    Protect,
    store_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_names import (
    FEW,
    TenantsFailedError,
    could_not_check,
    names_of,
    not_looked_at,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.sessions import Sessions

MOST_SESSIONS = 8
"""Connections that many tenants share; between two pages none of them needs one."""


def run(params: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Bring the orders of one tenant, or of several, to what the mode asks for.

    :param params: the module's options.
    :raises KeybuzzError: see each; what was loaded before it stays, and the next call goes on behind it.
    :raises TenantsFailedError: outside check mode, when several were asked for and some failed.
    """
    names = names_of(params)
    if check_mode and _are_many(params, names):
        return _of_all(dict(looks(params, protect, names)), check_mode=True)
    with _calls(params, protect, names, check_mode=check_mode) as (one, calls):
        return one(calls[names[0]]) if len(names) == 1 else _together(one, calls, check_mode=check_mode)


def looks(params: Mapping[str, Any], protect: Protect, names: tuple[str, ...]) -> Iterator[tuple[str, Outcome]]:
    """Each tenant's orders as check mode sees them: many by few questions; of a few all that their reports show.

    :raises BadInputError: an option cannot be, or the only tenant is not known.
    """
    if _are_many(params, names):
        yield from orders_stream.looks(params, protect, names)
        return
    with _calls(params, protect, names, check_mode=True) as (one, calls):
        for name, call in calls.items():
            try:
                yield name, one(call)
            except KeybuzzError as error:
                if len(names) == 1 and isinstance(error, BadInputError):
                    raise
                yield name, not_looked_at(CHECK, name, error)


def _are_many(params: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return len(names) > FEW and params["mode"] in orders_stream.MODES


@contextmanager
def _calls(
    params: Mapping[str, Any], protect: Protect, names: tuple[str, ...], *, check_mode: bool
) -> Iterator[tuple[Callable[[Call], Outcome], dict[str, Call]]]:
    """What is done for a tenant, and the call of each."""
    until = orders_stream.check_options(params)
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
        predicting = check_mode and call.mode in orders_stream.MODES
        one = orders_prediction.predicted if predicting else _worked_on(call, names)
        yield one, {name: replace(call, params={**call.params, "tenant": name}) for name in names}


def _worked_on(call: Call, names: tuple[str, ...]) -> Callable[[Call], Outcome]:
    """Imported here, because a look needs none of it and Ansible compiles it anew in every run."""
    from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_work import Work

    return Work(call, names).one


def _together(one: Callable[[Call], Outcome], calls: Mapping[str, Call], *, check_mode: bool) -> Outcome:
    """All of them side by side, one thread each: nearly all of the time is spent waiting for tokens.

    :raises TenantsFailedError: outside check mode, if some failed.
    """

    def each(name: str) -> tuple[Outcome, KeybuzzError | None]:
        try:
            return one(calls[name]), None
        except KeybuzzError as error:
            facts = {"error": str(error)}
            found = getattr(error, "outcome", None)
            if isinstance(found, Outcome):
                return replace(found, facts={**found.facts, **facts}), error
            return Outcome((could_not_check(CHECK, name, error),), changed=False, facts=facts), error

    parallel = next(iter(calls.values())).params["parallel"]
    with ThreadPoolExecutor(min(len(calls), parallel)) as pool:
        done = dict(zip(calls, pool.map(each, calls), strict=True))
    together = _of_all({name: outcome for name, (outcome, _error) in done.items()}, check_mode=check_mode)
    failed = {name: error for name, (_outcome, error) in done.items() if error is not None}
    if failed and not check_mode:
        raise TenantsFailedError(failed, together)
    return together


def _of_all(outcomes: Mapping[str, Outcome], *, check_mode: bool) -> Outcome:
    """One result of all tenants."""
    return Outcome(
        tuple(item for outcome in outcomes.values() for item in outcome.items),
        changed=any(outcome.changed for outcome in outcomes.values()),
        remaining=None if check_mode else tuple(item for outcome in outcomes.values() for item in _left(outcome)),
        facts=_facts(outcomes),
        warnings=tuple(f"{name}: {text}" for name, outcome in outcomes.items() for text in outcome.warnings),
    )


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
