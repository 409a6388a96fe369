# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module vault_token_secret does: look, plan, and outside check mode carry the plan out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item, Outcome, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError, ForbiddenError, StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState, read_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import vault_token_store as store
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.connections import Connections
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_class import classify
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_intent import (
    INTENT_ITEM,
    Leftover,
    wait_for_a_living_run,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_login import LOGIN_ROLE
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_look import (
    Protect,
    Servers,
    observe,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_notes import INTENT
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_permissions import (
    Permission,
    ask,
    unread,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_plan import SECRET, plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_setup import (
    POLICY,
    ROLE,
    needs_bootstrap,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Desired,
    Observed,
    desired_from,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_superseded import (
    REVOCABLE,
    SUPERSEDED,
    UNPROVEN,
    revokes_blindly,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import refuse_unplanned
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kubernetes_auth, policy, token
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.given import given_token

TRIES = 3
"""How often a lost race is planned anew before it is reported."""
SET_UP = frozenset({POLICY, ROLE, LOGIN_ROLE})
"""Written with the bootstrap token, before the Secret."""


@dataclass(frozen=True)
class _Done:
    """What a repair left behind it."""

    observed: Observed
    leftovers: tuple[Leftover, ...] = ()


def from_options(options: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Run with the module's options; connects first."""
    with Connections(options, protect) as servers:
        return with_connections(servers, options, check_mode=check_mode)


def with_connections(connections: Connections, options: Mapping[str, Any], *, check_mode: bool) -> Outcome:
    """Run over connections that are there."""
    bootstrap_token = given_token(options, "vault_bootstrap_token", connections.protect)
    desired = desired_from(options, bootstrap_given=bootstrap_token is not None)
    vault = connections.vault
    servers = Servers(
        vault=vault,
        kube=connections.kube,
        protect=connections.protect,
        bootstrap=vault.acting_as(bootstrap_token) if bootstrap_token is not None else None,
    )
    return run(servers, desired, check_mode=check_mode, planned=options.get("planned"))


def run(
    servers: Servers, desired: Desired, *, check_mode: bool, planned: Sequence[Mapping[str, Any]] | None = None
) -> Outcome:
    """Look, plan, and outside check mode repair.

    :param planned: what may be written, if that is restricted.
    :raises BlockedError: outside check mode, when the Secret needs a token and cannot be given one.
    :raises ForbiddenError: outside check mode, when the caller may not do all that is to be done.
    :raises StaleError: the Secret changed under our hands three times in a row, or something was not planned.
    """
    fingerprints = Fingerprints()
    if check_mode:
        return _look_only(servers, desired, fingerprints)
    found: tuple[Item, ...] = ()
    written = False
    for tries_left in reversed(range(TRIES)):
        observed, state = _settled(servers, desired)
        items = plan(observed, desired, fingerprints)
        found = found or items
        todo = _permitted(servers, desired, pending(items))
        _refuse_if_blocked(items)
        if not todo:
            return _outcome(found, observed, desired, changed=written, remaining=items)
        refuse_unplanned(todo, planned)
        actions = {item.id: item.action for item in todo}
        _refuse_if_denied(ask(servers, desired, observed, actions), desired)
        try:
            done = _apply(servers, desired, observed, state, actions)
        except StaleError:
            # Policy and role come before the Secret, so they are written by now.
            written = written or any(item.id in SET_UP for item in todo)
            if not tries_left:
                raise
            continue
        remaining = plan(done.observed, desired, fingerprints)
        outcome = _outcome(found, done.observed, desired, changed=True, remaining=remaining, leftovers=done.leftovers)
        blind = (UNPROVEN,) if SUPERSEDED in {item.id for item in todo} and revokes_blindly(observed, desired) else ()
        return replace(outcome, warnings=(*outcome.warnings, *blind))
    raise AssertionError("the last try returns or raises")


def _with(permission: Permission, blind: tuple[str, ...]) -> Permission:
    """A repair that does not see everything would end without knowing whether it is done."""
    if not blind:
        return permission
    warnings = tuple(f"The repair would be denied: {missing}." for missing in blind)
    return Permission(False, (*permission.missing, *blind), (*permission.warnings, *warnings))


def _look_only(servers: Servers, desired: Desired, fingerprints: Fingerprints) -> Outcome:
    observed, _evidence = observe(servers, desired)
    items = plan(observed, desired, fingerprints)
    todo = {item.id: item.action for item in pending(items)}
    permission = _with(ask(servers, desired, observed, todo), unread(servers, desired, observed, todo))
    outcome = _outcome(
        permission.noted(items), observed, desired, changed=bool(todo), remaining=None, permission=permission
    )
    blind = (UNPROVEN,) if SUPERSEDED in todo and revokes_blindly(observed, desired) else ()
    return replace(outcome, warnings=(*outcome.warnings, *permission.warnings, *blind))


def _settled(servers: Servers, desired: Desired) -> tuple[Observed, SecretState]:
    """A look at the Secret when no other run seems to be at work on it."""
    observed, state = observe(servers, desired)
    if not observed.intents:
        return observed, state
    place = desired.place

    def mark() -> str | None:
        return read_secret(servers.kube, place.namespace, place.secret, servers.protect).annotations.get(INTENT)

    wait_for_a_living_run(observed.intents, mark)
    return observe(servers, desired)


def _refuse_if_blocked(items: tuple[Item, ...]) -> None:
    for item in items:
        if item.id == SECRET and item.status == "blocked":
            raise BlockedError("repairing", item.address, item.reason.rstrip("."), item.hint)


def _refuse_if_denied(permission: Permission, desired: Desired) -> None:
    """Before the first write: what is begun can be ended."""
    if permission.missing:
        raise ForbiddenError(
            "asking whether one may repair",
            str(desired.place),
            f"the caller may not {', '.join(permission.missing)}; nothing was written and no token was made",
            "Give the caller what is missing: a policy for paths of Vault, a Role for objects of Kubernetes.",
        )


def _permitted(servers: Servers, desired: Desired, todo: tuple[Item, ...]) -> tuple[Item, ...]:
    """Without a mark that this caller may not take away: a renewal must not fail for that. It stays reported."""
    place = desired.place
    if not any(item.id == INTENT_ITEM for item in todo):
        return todo
    if servers.kube.may("patch", "", "secrets", place.namespace, place.secret):
        return todo
    return tuple(item for item in todo if item.id != INTENT_ITEM)


def _apply(
    servers: Servers, desired: Desired, observed: Observed, state: SecretState, actions: Mapping[str, str]
) -> _Done:
    """Carry the plan out. Returns what is there now, as far as the answers of the servers tell."""
    observed = _set_up(servers, desired, observed, actions)
    action = actions.get(SECRET)
    leftovers: tuple[Leftover, ...] = ()
    if action in {"create", "update"} and desired.strategy == "scoped":
        return _Done(*store.make(servers, desired, observed, state))
    if action == "renew":
        observed = _renew(servers, observed)
    if INTENT_ITEM in actions:
        observed, state, leftovers = store.clear_marks(servers, desired, observed, state)
    if action in {"create", "update"}:
        return _Done(store.copy(servers, desired, observed, state), leftovers)
    if SUPERSEDED in actions:
        observed = store.revoke_superseded(servers, observed, state, REVOCABLE)
    return _Done(observed, leftovers)


def _set_up(servers: Servers, desired: Desired, observed: Observed, actions: Mapping[str, str]) -> Observed:
    if servers.bootstrap is None:
        return observed
    if POLICY in actions:
        policy.write_policy(servers.bootstrap, desired.policy_name, desired.policy_text)
        observed = replace(observed, policy=desired.policy_text)
    if ROLE in actions:
        policy.write_role(servers.bootstrap, desired.role_name, desired.role)
        observed = replace(observed, role=desired.role)
    login, found = desired.login, observed.login
    if LOGIN_ROLE in actions and login is not None and found is not None:
        kubernetes_auth.write_role(servers.bootstrap, login.mount, login.role_name, login.role)
        kept = found.role if isinstance(found.role, Mapping) else {}
        observed = replace(observed, login=replace(found, role={**kept, **login.role}))
    return observed


def _renew(servers: Servers, observed: Observed) -> Observed:
    """With the token itself; by its accessor where its policy does not let it, or it is bound to other addresses."""
    current = observed.token
    if current is None or observed.value is None:
        return observed
    try:
        life = token.renew_self(servers.vault.acting_as(observed.value))
    except ForbiddenError:
        life = token.renew_accessor(servers.vault, current.accessor)
    expires_at = datetime.now(UTC) + timedelta(seconds=life)
    return replace(observed, token=replace(current, ttl_seconds=life, given_seconds=life, expires_at=expires_at))


def _outcome(
    items: tuple[Item, ...],
    observed: Observed,
    desired: Desired,
    *,
    changed: bool,
    remaining: tuple[Item, ...] | None,
    permission: Permission | None = None,
    leftovers: tuple[Leftover, ...] = (),
) -> Outcome:
    writes = {"create", "update"}
    warnings = tuple(f"{item.reason} {item.hint}" for item in items if item.id in SET_UP and needs_bootstrap(item))
    return Outcome(
        items=items,
        changed=changed,
        remaining=remaining,
        facts={
            "token": _described(observed, desired),
            "secret_will_change": any(item.id == SECRET and item.action in writes for item in items),
            "superseded_tokens": len(observed.superseded),
            "interrupted_runs": [one.described() for one in leftovers],
            **(permission or Permission()).facts(),
        },
        warnings=warnings,
    )


def _described(observed: Observed, desired: Desired) -> dict[str, object]:
    """The token as it may be shown: nothing of its value, not even its accessor."""
    found = observed.token
    facts: dict[str, object] = {
        "class": classify(observed, desired),
        "policies": [],
        "ttl_seconds": None,
        "period_seconds": None,
        "orphan": None,
        "renewable": None,
        "expires_at": None,
    }
    if found is not None:
        by_role, role = found.role == desired.role_name, observed.role
        of_role = policy.period_of(role) if by_role and isinstance(role, Mapping) else None if by_role else 0
        facts |= {
            "policies": sorted(found.policies),
            "ttl_seconds": found.ttl_seconds,
            "period_seconds": found.period_seconds or of_role,
            "orphan": found.orphan,
            "renewable": found.renewable,
            "expires_at": found.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ") if found.expires_at else None,
        }
    return facts
