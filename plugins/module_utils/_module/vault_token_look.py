# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Looks at everything the backend's token depends on. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Owner
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import ForbiddenError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState, read_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Desired,
    Observed,
    Place,
    Superseded,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import policy, token
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import TokenRefusedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient, is_well_formed

Protect = Callable[[Iterable[str | None]], None]
T = TypeVar("T")

PREFIX = "amazon.keybuzz.io/"
ACCESSOR = f"{PREFIX}accessor"
SUPERSEDED_ACCESSOR = f"{PREFIX}superseded-accessor"
CHECKSUM_KEY = f"{PREFIX}checksum-key"

# A write by hand does not last, because these generate the Secret from somewhere else.
_GENERATORS = {
    "ExternalSecret": "External Secrets Operator",
    "ClusterExternalSecret": "External Secrets Operator",
    "VaultStaticSecret": "Vault Secrets Operator",
    "VaultDynamicSecret": "Vault Secrets Operator",
    "VaultPKISecret": "Vault Secrets Operator",
    "SealedSecret": "Sealed Secrets",
}


@dataclass(frozen=True)
class Servers:
    """Who is asked. ``bootstrap`` may write policy and role; ``None`` if no such token was given."""

    vault: VaultClient
    kube: KubeClient
    protect: Protect
    bootstrap: VaultClient | None = None


def observe(servers: Servers, desired: Desired) -> tuple[Observed, SecretState]:
    """Read the Secret, ask Vault about the token with the token itself, and read policy and role."""
    place = desired.place
    state = read_secret(servers.kube, place.namespace, place.secret, servers.protect)
    value = state.data.get(place.key)
    if value is None and place.key in state.binary:
        value = "\N{REPLACEMENT CHARACTER}"  # bytes that are no text: there is something, and it is no token
    noted = state.annotations.get(SUPERSEDED_ACCESSOR) or ""
    observed = Observed(
        namespace_exists=state.namespace_exists,
        secret_exists=state.exists,
        value=value,
        token=_ask(servers.vault, value),
        recorded=state.annotations.get(ACCESSOR) or None,
        superseded=tuple(Superseded(accessor, "unknown") for accessor in noted.split(",") if accessor),
        resource_version=state.resource_version,
        foreign_owner=generator(state),
        owner=_owner(state),
    )
    if desired.strategy == "copy":
        observed = _with_source(servers, desired, observed)
    else:
        observed = replace(
            observed,
            policy=_or_refusal(lambda: policy.read_policy(servers.vault, desired.policy_name)),
            role=_or_refusal(lambda: policy.read_role(servers.vault, desired.role_name)),
        )
    others = _others(servers, desired, observed)
    if desired.revoke_superseded and observed.superseded:
        observed = _with_fates(servers, observed, others)
    if desired.strategy == "scoped":
        observed = _with_sharing(observed, others)
    return observed, state


def generator(state: SecretState) -> str | None:
    """Who generates the Secret, with the object's name; ``None`` if nobody is known to."""
    for owner in state.owners:
        kind = owner.split(" ", 1)[0]
        if kind in _GENERATORS:
            return f"{_GENERATORS[kind]} ({owner})"
    if state.labels.get("reconcile.external-secrets.io/managed") == "true":
        return "External Secrets Operator"
    if state.labels.get("app.kubernetes.io/managed-by") == "hashicorp-vso":
        return "Vault Secrets Operator"
    return None


@dataclass(frozen=True)
class _Other:
    """Another place and the text in it, or why it could not be read."""

    place: Place
    value: str | None = None
    refusal: KeybuzzError | None = None


def _others(servers: Servers, desired: Desired, observed: Observed) -> tuple[_Other, ...]:
    """Read the places to compare with, if there is a token to compare, or one whose fate hangs on them."""
    waiting = desired.revoke_superseded and observed.superseded
    if desired.strategy == "copy" or (observed.token is None and not waiting):
        return ()
    found = []
    for place in desired.compare_with:
        try:
            state = read_secret(servers.kube, place.namespace, place.secret, servers.protect)
            found.append(_Other(place, value=state.data.get(place.key)))
        except ForbiddenError as refusal:
            found.append(_Other(place, refusal=refusal))
    return tuple(found)


def _with_sharing(observed: Observed, others: tuple[_Other, ...]) -> Observed:
    if observed.token is None or observed.value is None:
        return observed
    mine, same = observed.value, Fingerprints().same
    return replace(
        observed,
        shared_with=tuple(str(other.place) for other in others if other.value and same(other.value, mine)),
        unread=tuple((str(other.place), other.refusal) for other in others if other.refusal),
    )


def _with_fates(servers: Servers, observed: Observed, others: tuple[_Other, ...]) -> Observed:
    """What may be done with the tokens that were replaced: Vault itself has to say that they were made here."""
    in_use = {observed.recorded, observed.token.accessor if observed.token else None}
    elsewhere = {found.accessor for other in others if (found := _ask(servers.vault, other.value))}
    all_read = not any(other.refusal for other in others)
    fates: list[Superseded] = []
    for entry in observed.superseded:
        found = token.lookup_accessor(servers.vault, entry.accessor)
        if found is None:
            fates.append(Superseded(entry.accessor, "gone"))
        elif entry.accessor in in_use or found.is_root or not found.made_here:
            fates.append(Superseded(entry.accessor, "foreign"))
        elif entry.accessor in elsewhere:
            fates.append(Superseded(entry.accessor, "shared"))
        else:
            fates.append(Superseded(entry.accessor, "living" if all_read else "unknown"))
    return replace(observed, superseded=tuple(fates))


def _with_source(servers: Servers, desired: Desired, observed: Observed) -> Observed:
    source = desired.copy_from
    if source is None:
        return observed
    value = read_secret(servers.kube, source.namespace, source.secret, servers.protect).data.get(source.key)
    if value is not None and observed.value is not None and Fingerprints().same(value, observed.value):
        return replace(observed, source=value, source_token=observed.token)
    return replace(observed, source=value, source_token=_ask(servers.vault, value))


def _ask(vault: VaultClient, value: str | None) -> token.Token | None:
    return token.lookup_self(vault.acting_as(value)) if value and is_well_formed(value) else None


def _or_refusal(look: Callable[[], T]) -> T | KeybuzzError:
    """What may not be read concerns its own item; a token that is no good, or no answer at all, concerns everything."""
    try:
        return look()
    except TokenRefusedError:
        raise
    except ForbiddenError as refusal:
        return refusal


def _owner(state: SecretState) -> Owner:
    return Owner(managers=state.managers, revert_risk="certain" if generator(state) else "none")
