# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What follows from the token that was found: the items of check, diff and repair. Pure: asks nobody."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_class import TokenClass, classify
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_findings import (
    FINDINGS,
    Finding,
    git_hint,
    told,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_intent import intent_item
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_login import (
    leftover_item,
    login_items,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_setup import (
    CHECK,
    policy_item,
    role_item,
    stands_in_the_way,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Desired,
    ForeignOwner,
    Observed,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_superseded import superseded_items

SECRET, SHARING = f"{CHECK}/secret", f"{CHECK}/sharing"


def plan(observed: Observed, desired: Desired, fingerprints: Fingerprints) -> tuple[Item, ...]:
    """The items, in the order in which they are applied."""
    intents = intent_item(observed, desired)
    if desired.login is not None:
        items: tuple[Item, ...] = (
            policy_item(observed, desired),
            *login_items(observed, desired),
            *intents,
            leftover_item(observed, desired, fingerprints, SECRET),
        )
    elif desired.strategy == "copy":
        items = (*intents, _copied(observed, desired, fingerprints))
    else:
        policy = policy_item(observed, desired)
        role = role_item(observed, desired)
        secret = _scoped(observed, desired, fingerprints, policy, role)
        items = (policy, role, *intents, secret, *_unread(observed, desired))
    # While the Secret itself is about to change, pods still run with what it held before.
    replaces = any(item.id == SECRET and item.action in {"create", "update"} for item in items)
    return items if replaces else (*items, *superseded_items(observed, desired))


def _scoped(observed: Observed, desired: Desired, fingerprints: Fingerprints, policy: Item, role: Item) -> Item:
    kind = classify(observed, desired)
    found = FINDINGS[kind]
    replaced = found.action in {"create", "update"}
    base = _secret_item(observed, desired, fingerprints, found)
    base = told(base, kind, observed, desired)
    if kind == "namespace_missing":
        return replace(base, hint=f"kubectl create namespace {desired.place.namespace}, or set namespace.")
    if replaced and observed.foreign_owner:
        return _foreign(base, observed.foreign_owner)
    blockers = tuple(item.id for item in (policy, role) if stands_in_the_way(item))
    if replaced and blockers:
        return replace(
            base,
            status="blocked",
            action="none",
            after=base.before,
            reason=f"{found.reason} A new token cannot be made before {' and '.join(blockers)} is in place.",
            hint="Run once with vault_bootstrap_token_file, or run the command of that item.",
            depends_on=blockers,
        )
    if replaced:
        return replace(
            base,
            after="present (a new token of its own)",
            hint="A repair makes a new token, writes it here and restarts the backend."
            + (" The root token is not revoked: decide about it by hand." if kind == "root" else "")
            + git_hint(observed, desired),
            depends_on=tuple(item.id for item in (policy, role) if item.action != "none"),
        )
    if found.action == "renew":
        return replace(base, hint="A repair renews it in place; the backend is not restarted.")
    return base


def _copied(  # noqa: PLR0911 - one return for each case
    observed: Observed, desired: Desired, fingerprints: Fingerprints
) -> Item:
    kind = classify(observed, desired)
    found = FINDINGS[kind]
    base = _secret_item(observed, desired, fingerprints, found)
    if kind == "namespace_missing":
        return replace(base, hint=f"kubectl create namespace {desired.place.namespace}, or set namespace.")
    if kind == "unknown":
        return told(base, kind, observed, desired)
    if observed.source_token is None:
        return _nothing_to_copy(base, observed, desired)
    if observed.value is None or not fingerprints.same(observed.value, observed.source or ""):
        return _to_copy(base, kind, observed, desired, fingerprints)
    as_asked = f"copied from {desired.copy_from}, as strategy=copy asks."
    if kind == "root":
        hint = "Use strategy=scoped: it makes a token that can read the Amazon documents and nothing else."
        return replace(base, action="none", reason=f"{found.reason} It was {as_asked}", hint=hint)
    if kind == "ttl_low":
        return replace(base, action="none", hint=f"Renew it where it belongs: {desired.copy_from}.")
    return replace(base, reason=f"The token is {as_asked}")


def _nothing_to_copy(base: Item, observed: Observed, desired: Desired) -> Item:
    blocked = replace(base, status="blocked", action="none", after=base.before)
    if observed.source_doubt:
        return replace(
            blocked,
            status="unknown",
            reason=f"What {desired.copy_from} holds cannot be known. {observed.source_doubt}.",
            hint="Allow the caller update on auth/token/lookup, or use strategy=scoped, which needs no other Secret.",
        )
    return replace(
        blocked,
        reason=f"{desired.copy_from} holds no token that Vault accepts, so there is nothing to copy.",
        hint="Repair that Secret first, or use strategy=scoped, which needs no other Secret.",
    )


def _to_copy(base: Item, kind: TokenClass, observed: Observed, desired: Desired, fingerprints: Fingerprints) -> Item:
    """The item of a place that does not hold what the other one holds."""
    if observed.foreign_owner:
        return _foreign(base, observed.foreign_owner)
    broken = FINDINGS[kind].action in {"create", "update"} and kind != "root"
    return replace(
        base,
        status=base.status if broken else "drifted",
        severity="critical" if broken else "high",
        action="create" if kind == "secret_missing" else "update",
        after=fingerprints.of(observed.source),
        reason=base.reason if broken else f"The token is not the one in {desired.copy_from}.",
        hint=f"A repair copies the token of {desired.copy_from}. strategy=scoped makes one of the backend's own.",
    )


def _secret_item(observed: Observed, desired: Desired, fingerprints: Fingerprints, found: Finding) -> Item:
    shown = fingerprints.of(observed.value)
    return Item(
        id=SECRET,
        address=str(desired.place),
        check=CHECK,
        severity=found.severity,
        status=found.status,
        action=found.action,
        sensitive=True,
        before=shown,
        after=shown,
        reason=found.reason,
        owner=observed.owner,
        precondition={"resource_version": observed.resource_version} if observed.resource_version else {},
    )


def _foreign(item: Item, owner: ForeignOwner) -> Item:
    source = f" from {owner.source}" if owner.source else ""
    look = f": {owner.command}" if owner.command else ""
    return replace(
        item,
        status="blocked",
        action="none",
        after=item.before,
        reason=f"{item.reason} {owner.name} writes this Secret{source} and would undo a change here.",
        hint=f"Repair it at its source{look}. Or take {owner.name} off this Secret.",
    )


def _unread(observed: Observed, desired: Desired) -> tuple[Item, ...]:
    """That a token is not shared is only known when the other places could be read."""
    return tuple(
        Item(
            id=f"{SHARING}/{place}",
            address=place,
            check=CHECK,
            severity="medium",
            status="unknown",
            reason=f"Whether {desired.place} holds the same token is not known. "
            f"While {error.doing} {error.address}: {error.answered}.",
            hint=f"{error.remedy} Or leave the place out of compare_with.",
        )
        for place, error in observed.unread
    )
