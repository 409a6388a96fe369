# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module vault_token_secret does: look, plan, and outside check mode carry the plan out.

A crash between the making of a token and the one write that stores its value and its accessor together leaves a token
that nobody knows. It can read the Amazon documents and nothing else, and ends with its period, because nobody renews
it. When the write is refused, it is revoked at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item, Outcome, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BlockedError,
    ForbiddenError,
    KeybuzzError,
    StaleError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import client as kube_client
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import (
    SecretState,
    read_secret,
    write_secret_values,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_look import (
    ACCESSOR,
    CHECKSUM_KEY,
    SUPERSEDED_ACCESSOR,
    Protect,
    Servers,
    observe,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_plan import (
    REVOCABLE,
    SECRET,
    SUPERSEDED,
    plan,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_setup import (
    POLICY,
    ROLE,
    needs_bootstrap,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Desired,
    Observed,
    Place,
    Superseded,
    TokenClass,
    classify,
    desired_from,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import client as vault_client
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import policy, token
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import given_token

TRIES = 3
"""How often a lost race is planned anew before it is reported."""


def from_options(options: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Run with the module's options; connects first."""
    bootstrap_token = given_token(options, "vault_bootstrap_token", protect)
    desired = desired_from(options, bootstrap_given=bootstrap_token is not None)
    vault = vault_client.connect(options, protect)
    servers = Servers(
        vault=vault,
        kube=kube_client.connect(options, protect),
        protect=protect,
        bootstrap=vault.acting_as(bootstrap_token) if bootstrap_token is not None else None,
    )
    return run(servers, desired, check_mode=check_mode)


def run(servers: Servers, desired: Desired, *, check_mode: bool) -> Outcome:
    """Look, plan, and outside check mode repair.

    :raises BlockedError: outside check mode, when the Secret needs a token and cannot be given one.
    :raises StaleError: the Secret changed under our hands three times in a row.
    """
    fingerprints = Fingerprints()
    found: tuple[Item, ...] = ()
    written = False
    for tries_left in reversed(range(TRIES)):
        observed, state = observe(servers, desired)
        items = plan(observed, desired, fingerprints)
        found = found or items
        todo = pending(items)
        if not check_mode:
            _refuse_if_blocked(items)
        if check_mode or not todo:
            break
        try:
            after = _apply(servers, desired, observed, state, {item.id: item.action for item in todo})
        except StaleError:
            # Policy and role come before the Secret, so they are written by now.
            written = written or any(item.id in {POLICY, ROLE} for item in todo)
            if not tries_left:
                raise
            continue
        return _outcome(found, after, desired, changed=True, remaining=plan(after, desired, fingerprints))
    remaining = None if check_mode else items
    return _outcome(found, observed, desired, changed=written or bool(check_mode and todo), remaining=remaining)


def _refuse_if_blocked(items: tuple[Item, ...]) -> None:
    for item in items:
        if item.id == SECRET and item.status == "blocked":
            raise BlockedError("repairing", item.address, item.reason.rstrip("."), item.hint)


def _apply(
    servers: Servers, desired: Desired, observed: Observed, state: SecretState, actions: Mapping[str, str]
) -> Observed:
    """Carry the plan out. Returns what is there now, as far as the answers of the servers tell."""
    if servers.bootstrap is not None:
        if POLICY in actions:
            policy.write_policy(servers.bootstrap, desired.policy_name, desired.policy_text)
            observed = replace(observed, policy=desired.policy_text)
        if ROLE in actions:
            policy.write_role(servers.bootstrap, desired.role_name, desired.role)
            observed = replace(observed, role=desired.role)
    action = actions.get(SECRET)
    if action == "renew":
        observed = _renew(servers, observed)
    elif action is not None:
        store = _copy if desired.strategy == "copy" else _replace
        return store(servers, desired, observed, state)
    if SUPERSEDED in actions:
        observed = _revoke_superseded(servers, observed, state)
    return observed


def _renew(servers: Servers, observed: Observed) -> Observed:
    """With the token itself; by its accessor where its policy does not let it."""
    current = observed.token
    if current is None or observed.value is None:
        return observed
    try:
        life = token.renew_self(servers.vault.acting_as(observed.value))
    except ForbiddenError:
        life = token.renew_accessor(servers.vault, current.accessor)
    expires_at = datetime.now(UTC) + timedelta(seconds=life)
    return replace(observed, token=replace(current, ttl_seconds=life, expires_at=expires_at))


def _copy(servers: Servers, desired: Desired, observed: Observed, state: SecretState) -> Observed:
    source = observed.source or ""
    superseded = _superseded_by_a_write(observed)
    write_secret_values(servers.kube, state, {desired.place.key: source}, _annotations(state, None, superseded))
    return replace(
        observed,
        namespace_exists=True,
        secret_exists=True,
        value=source,
        token=observed.source_token,
        recorded=None,
        superseded=superseded,
    )


def _replace(servers: Servers, desired: Desired, observed: Observed, state: SecretState) -> Observed:
    """Make a token and store value and accessor in one write, so that there is no state between the two."""
    place = desired.place
    _check_that_the_secret_may_be_written(servers, state)
    made = token.create(
        servers.vault,
        desired.role_name,
        desired.policy_name,
        display_name=f"keybuzz-amazon-{desired.environment}",
        metadata={"environment": desired.environment, "namespace": place.namespace, "secret": place.secret},
    )
    servers.protect([made.value])
    superseded = _superseded_by_a_write(observed)
    after = replace(
        observed,
        namespace_exists=True,
        secret_exists=True,
        value=made.value,
        token=made.token,
        shared_with=(),
        recorded=made.token.accessor,
        superseded=superseded,
    )
    try:
        _check_what_was_made(classify(after, desired), desired)
        annotations = _annotations(state, made.token.accessor, superseded)
        write_secret_values(servers.kube, state, {place.key: made.value}, annotations)
    except KeybuzzError as error:
        _discard_unless_stored(servers, place, made, error)
    return after


def _check_that_the_secret_may_be_written(servers: Servers, state: SecretState) -> None:
    """Before a token is made for nothing."""
    verb, name = ("patch", state.name) if state.exists else ("create", None)
    if not servers.kube.may(verb, "", "secrets", state.namespace, name):
        raise ForbiddenError(
            "asking whether one may write",
            f"Secret {state.namespace}/{state.name}",
            f"the caller may not {verb} it; no token was made",
            f"Give the caller a Role in namespace {state.namespace} that allows {verb} on secrets"
            + (f" with resourceNames [{state.name}]." if name else "."),
        )


def _check_what_was_made(kind: TokenClass, desired: Desired) -> None:
    if kind != "good":
        raise BlockedError(
            "making a token through",
            f"auth/token/roles/{desired.role_name}",
            f"the role makes tokens of the class {kind}; it was revoked and nothing was stored",
            "Correct the role: run once with vault_bootstrap_token_file.",
        )


def _discard_unless_stored(servers: Servers, place: Place, made: token.NewToken, error: KeybuzzError) -> None:
    """Revoke a token that found no home. Returns only if it is at home after all: an answer can be lost on its way."""
    try:
        stored = read_secret(servers.kube, place.namespace, place.secret, servers.protect)
        if stored.data.get(place.key) == made.value:
            return
        token.revoke_accessor(servers.vault, made.token.accessor)
    except KeybuzzError:
        hours = made.token.ttl_seconds / 3600
        raise BlockedError(
            error.doing,
            error.address,
            f"{error.answered}; the token made for it could not be revoked and ends by itself in {hours:.0f} h",
            error.remedy,
        ) from error
    raise error


def _superseded_by_a_write(observed: Observed) -> tuple[Superseded, ...]:
    """What is replaced for good once the Secret has another value. Only what was noted as ours, and nobody shares."""
    current = observed.token.accessor if observed.token else None
    shared = bool(observed.shared_with) and current == observed.recorded
    known = tuple(entry for entry in observed.superseded if entry.accessor != observed.recorded)
    if not observed.recorded or shared:
        return known
    return (*known, Superseded(observed.recorded, "unknown"))


def _annotations(state: SecretState, accessor: str | None, superseded: tuple[Superseded, ...]) -> dict[str, str | None]:
    noted: dict[str, str | None] = {
        ACCESSOR: accessor,
        SUPERSEDED_ACCESSOR: ",".join(entry.accessor for entry in superseded) or None,
    }
    if not state.annotations.get(CHECKSUM_KEY):
        noted[CHECKSUM_KEY] = secrets.token_hex(32)
    return noted


def _revoke_superseded(servers: Servers, observed: Observed, state: SecretState) -> Observed:
    for entry in observed.superseded:
        if entry.fate == "living":
            token.revoke_accessor(servers.vault, entry.accessor)
    kept = tuple(entry for entry in observed.superseded if entry.fate not in REVOCABLE)
    noted = {SUPERSEDED_ACCESSOR: ",".join(entry.accessor for entry in kept) or None}
    write_secret_values(servers.kube, state, {}, noted)
    return replace(observed, superseded=kept)


def _outcome(
    items: tuple[Item, ...],
    observed: Observed,
    desired: Desired,
    *,
    changed: bool,
    remaining: tuple[Item, ...] | None,
) -> Outcome:
    writes = {"create", "update"}
    warnings = tuple(
        f"{item.reason} {item.hint}" for item in items if item.id in {POLICY, ROLE} and needs_bootstrap(item)
    )
    return Outcome(
        items=items,
        changed=changed,
        remaining=remaining,
        facts={
            "token": _described(observed, desired),
            "secret_will_change": any(item.id == SECRET and item.action in writes for item in items),
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
        role_period = desired.period if found.role == desired.role_name else 0
        facts |= {
            "policies": sorted(found.policies),
            "ttl_seconds": found.ttl_seconds,
            "period_seconds": found.period_seconds or role_period,
            "orphan": found.orphan,
            "renewable": found.renewable,
            "expires_at": found.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ") if found.expires_at else None,
        }
    return facts
