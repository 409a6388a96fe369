# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What follows from the token that was found: the items of check, diff and repair. Pure: asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import (
    Action,
    Fingerprints,
    Item,
    Severity,
    Status,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_setup import (
    CHECK,
    policy_item,
    role_item,
    stands_in_the_way,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Desired,
    Observed,
    TokenClass,
    classify,
)

SECRET, SHARING, SUPERSEDED = f"{CHECK}/secret", f"{CHECK}/sharing", f"{CHECK}/superseded"
REVOCABLE = frozenset({"living", "gone"})


@dataclass(frozen=True)
class _Finding:
    status: Status
    severity: Severity
    action: Action
    reason: str


_DOWN = "the backend cannot read its Amazon credentials"
_FINDINGS: Mapping[TokenClass, _Finding] = {
    "namespace_missing": _Finding("blocked", "critical", "none", "The namespace does not exist."),
    "secret_missing": _Finding("missing", "critical", "create", f"There is no such Secret: {_DOWN}."),
    "key_missing": _Finding("missing", "critical", "update", f"The Secret has no such key: {_DOWN}."),
    "empty": _Finding("empty", "critical", "update", f"The token is empty: {_DOWN}."),
    "placeholder": _Finding("empty", "critical", "update", f"A filler stands where the token belongs: {_DOWN}."),
    "malformed": _Finding(
        "drifted",
        "critical",
        "update",
        f"The token has spaces, line breaks or other characters that cannot be sent: {_DOWN}.",
    ),
    "invalid": _Finding(
        "drifted",
        "critical",
        "update",
        f"Vault does not accept the token: it is expired, revoked or another server's, and {_DOWN}.",
    ),
    "root": _Finding(
        "insecure",
        "critical",
        "update",
        "It is a root token: whoever reads this Secret owns all of Vault.",
    ),
    "wrong_policies": _Finding("insecure", "high", "update", "The token's policies are not exactly the backend's own."),
    "shared": _Finding(
        "insecure",
        "high",
        "update",
        "The same token is used elsewhere: the two cannot be told apart in Vault's audit log, nor revoked separately.",
    ),
    "not_orphan": _Finding(
        "expiring", "high", "update", "The token is the child of another and dies with it, without warning."
    ),
    "not_renewable": _Finding(
        "expiring", "high", "update", "The token cannot be kept alive by renewing it: it will end, without warning."
    ),
    "ttl_low": _Finding("expiring", "medium", "renew", "The token has little life left."),
    "good": _Finding("in_sync", "info", "none", "The token is the backend's own and has life left."),
}


def plan(observed: Observed, desired: Desired, fingerprints: Fingerprints) -> tuple[Item, ...]:
    """The items, in the order in which they are applied."""
    if desired.strategy == "copy":
        items: tuple[Item, ...] = (_copied(observed, desired, fingerprints),)
    else:
        policy = policy_item(observed, desired)
        role = role_item(observed, desired)
        secret = _scoped(observed, desired, fingerprints, policy, role)
        items = (policy, role, secret, *_unread(observed, desired))
    # While the Secret itself is about to change, pods still run with what it held before.
    replaces = any(item.id == SECRET and item.action in {"create", "update"} for item in items)
    return items if replaces else (*items, *_superseded(observed, desired))


def _scoped(observed: Observed, desired: Desired, fingerprints: Fingerprints, policy: Item, role: Item) -> Item:
    kind = classify(observed, desired)
    found = _FINDINGS[kind]
    replaced = found.action in {"create", "update"}
    base = _secret_item(observed, desired, fingerprints, found)
    if kind == "shared":
        base = replace(base, reason=f"{found.reason} Also in: {', '.join(observed.shared_with)}.")
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
            + (" The root token is not revoked: decide about it by hand." if kind == "root" else ""),
            depends_on=tuple(item.id for item in (policy, role) if item.action != "none"),
        )
    if found.action == "renew":
        return replace(base, hint="A repair renews it in place; the backend is not restarted.")
    return base


def _copied(observed: Observed, desired: Desired, fingerprints: Fingerprints) -> Item:
    kind = classify(observed, desired)
    found = _FINDINGS[kind]
    base = _secret_item(observed, desired, fingerprints, found)
    if kind == "namespace_missing":
        return replace(base, hint=f"kubectl create namespace {desired.place.namespace}, or set namespace.")
    if observed.source_token is None:
        return replace(
            base,
            status="blocked",
            action="none",
            after=base.before,
            reason=f"{desired.copy_from} holds no token that Vault accepts, so there is nothing to copy.",
            hint="Repair that Secret first, or use strategy=scoped, which needs no other Secret.",
        )
    if observed.value is None or not fingerprints.same(observed.value, observed.source or ""):
        return _to_copy(base, kind, observed, desired, fingerprints)
    if kind == "root":
        return replace(
            base,
            action="none",
            reason=f"{found.reason} It was copied from {desired.copy_from}, as strategy=copy asks.",
            hint="Use strategy=scoped: it makes a token that can read the Amazon documents and nothing else.",
        )
    if kind == "ttl_low":
        return replace(base, action="none", hint=f"Renew it where it belongs: {desired.copy_from}.")
    return replace(base, reason=f"The token is the one in {desired.copy_from}, as strategy=copy asks.")


def _to_copy(base: Item, kind: TokenClass, observed: Observed, desired: Desired, fingerprints: Fingerprints) -> Item:
    """The item of a place that does not hold what the other one holds."""
    if observed.foreign_owner:
        return _foreign(base, observed.foreign_owner)
    broken = _FINDINGS[kind].action in {"create", "update"} and kind != "root"
    return replace(
        base,
        status=base.status if broken else "drifted",
        severity="critical" if broken else "high",
        action="create" if kind == "secret_missing" else "update",
        after=fingerprints.of(observed.source),
        reason=base.reason if broken else f"The token is not the one in {desired.copy_from}.",
        hint=f"A repair copies the token of {desired.copy_from}. strategy=scoped makes one of the backend's own.",
    )


def _secret_item(observed: Observed, desired: Desired, fingerprints: Fingerprints, found: _Finding) -> Item:
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


def _foreign(item: Item, owner: str) -> Item:
    return replace(
        item,
        status="blocked",
        action="none",
        after=item.before,
        reason=f"{item.reason} {owner} writes this Secret and would undo a change here.",
        hint=f"Repair it at its source, or take {owner} off this Secret.",
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


def _superseded(observed: Observed, desired: Desired) -> tuple[Item, ...]:
    if not (observed.superseded and desired.revoke_superseded):
        return ()
    ended = [token for token in observed.superseded if token.fate in REVOCABLE]
    kept = [token for token in observed.superseded if token.fate not in REVOCABLE]
    item = Item(
        id=SUPERSEDED,
        address=str(desired.place),
        check=CHECK,
        severity="medium",
        status="stale",
        action="remove",
        sensitive=True,
        before=f"{len(observed.superseded)} replaced",
        after=f"{len(kept)} replaced" if kept else None,
        reason="Tokens that were made for the backend and replaced are still noted, and may still be valid.",
        hint="A repair revokes them by their accessor.",
        precondition={"resource_version": observed.resource_version} if observed.resource_version else {},
    )
    if ended:
        return (item,)
    why = {"foreign": "Vault says it was not made here", "shared": "another place uses it"}
    reasons = sorted({why.get(token.fate, "Vault does not let it be looked up") for token in kept})
    return (
        replace(
            item,
            status="ignored",
            action="none",
            after=item.before,
            reason=f"A token noted as replaced is not revoked: {'; '.join(reasons)}.",
            hint=f"Decide about it by hand, then remove the annotation amazon.keybuzz.io/superseded-accessor "
            f"from Secret {desired.place.namespace}/{desired.place.secret}.",
        ),
    )
