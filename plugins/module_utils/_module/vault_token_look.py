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
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import core
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import owner_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import SecretState, read_secret
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    vault_token_consumers,
    vault_token_intent,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_ask import ask
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_class import falls_short
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_generator import generator
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_notes import (
    ACCESSOR,
    INTENT,
    SUPERSEDED_ACCESSOR,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Desired,
    Observed,
    ObservedLogin,
    Place,
    Superseded,
    made_for,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kubernetes_auth, policy, token
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import TokenRefusedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

Protect = Callable[[Iterable[str | None]], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Servers:
    """Who is asked. ``bootstrap`` may write policy and role; ``None`` if no such token was given."""

    vault: VaultClient
    kube: KubeClient
    protect: Protect
    bootstrap: VaultClient | None = None


def observe(servers: Servers, desired: Desired) -> tuple[Observed, SecretState]:
    """Read the Secret, ask Vault about the token in it, and read policy and role."""
    place = desired.place
    state = read_secret(servers.kube, place.namespace, place.secret, servers.protect)
    value = state.data.get(place.key)
    if value is None and place.key in state.binary:
        value = "\N{REPLACEMENT CHARACTER}"  # bytes that are no text: there is something, and it is no token
    noted = state.annotations.get(SUPERSEDED_ACCESSOR) or ""
    answer = ask(servers.vault, value, state)
    observed = Observed(
        namespace_exists=state.namespace_exists,
        secret_exists=state.exists,
        value=value,
        token=answer.token,
        doubt=answer.doubt,
        recorded=state.annotations.get(ACCESSOR) or None,
        superseded=tuple(Superseded(accessor, "unknown") for accessor in noted.split(",") if accessor),
        intents=vault_token_intent.read(state.annotations.get(INTENT)),
        resource_version=state.resource_version,
        foreign_owner=generator(state),
        owner=_owner(state, place),
    )
    if observed.intents:
        observed = replace(observed, searchable=vault_token_intent.may_search(servers.vault))
    if desired.strategy == "copy":
        observed = _with_source(servers, desired, observed)
    else:
        observed = replace(observed, policy=_or_refusal(lambda: policy.read_policy(servers.vault, desired.policy_name)))
        observed = _with_login(servers, desired, observed) if desired.login else _with_role(servers, desired, observed)
    others = _others(servers, desired, observed)
    if desired.revoke_superseded and observed.superseded:
        observed = _with_fates(servers, desired, observed, others)
        observed = _with_consumers(servers, desired, observed, state)
    if desired.strategy == "scoped" and desired.login is None:
        observed = _with_sharing(observed, others)
    return observed, state


def _with_role(servers: Servers, desired: Desired, observed: Observed) -> Observed:
    role = _or_refusal(lambda: policy.read_role(servers.vault, desired.role_name))
    observed = replace(observed, role=role)
    if observed.token is None or not falls_short(observed, observed.token, desired):
        return observed
    longest = _or_refusal(lambda: token.longest_life(servers.vault))
    return replace(observed, longest_life=longest if isinstance(longest, int) and longest > 0 else None)


def _with_login(servers: Servers, desired: Desired, observed: Observed) -> Observed:
    login = desired.login
    if login is None:
        return observed
    account = core(desired.place.namespace, "serviceaccounts", login.service_account)
    return replace(
        observed,
        login=ObservedLogin(
            mount=_or_refusal(lambda: kubernetes_auth.read_mount(servers.vault, login.mount)),
            role=_or_refusal(lambda: kubernetes_auth.read_role(servers.vault, login.mount, login.role_name)),
            account_exists=_or_refusal(lambda: servers.kube.get(account) is not None),
            unfit=_or_refusal(lambda: vault_token_consumers.unfit_to_log_in(servers.kube, desired.consumers, login)),
        ),
    )


@dataclass(frozen=True)
class _Other:
    """Another place and the text in it, or why it could not be read."""

    place: Place
    state: SecretState | None = None
    refusal: KeybuzzError | None = None

    @property
    def value(self) -> str | None:
        return self.state.data.get(self.place.key) if self.state else None


def _others(servers: Servers, desired: Desired, observed: Observed) -> tuple[_Other, ...]:
    """Read the places to compare with, if there is a token to compare, or one whose fate hangs on them."""
    waiting = desired.revoke_superseded and observed.superseded
    if not waiting and (desired.strategy == "copy" or observed.token is None):
        return ()
    found = []
    for place in desired.compare_with:
        try:
            found.append(_Other(place, read_secret(servers.kube, place.namespace, place.secret, servers.protect)))
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


def _with_fates(servers: Servers, desired: Desired, observed: Observed, others: tuple[_Other, ...]) -> Observed:
    """What may be done with the tokens that were replaced: Vault itself has to say that they were made for here."""
    in_use = {observed.recorded, observed.token.accessor if observed.token else None}
    asked = [ask(servers.vault, other.value, other.state) for other in others]
    elsewhere = {answer.token.accessor for answer in asked if answer.token}
    all_known = not any(other.refusal for other in others) and not any(answer.doubt for answer in asked)
    fates: list[Superseded] = []
    for entry in observed.superseded:
        found = _or_refusal(lambda accessor=entry.accessor: token.lookup_accessor(servers.vault, accessor))  # type: ignore[misc]
        if isinstance(found, KeybuzzError):
            fates.append(Superseded(entry.accessor, "unknown"))
        elif found is None:
            fates.append(Superseded(entry.accessor, "gone"))
        elif entry.accessor in in_use or found.is_root or not made_for(found, desired):
            fates.append(Superseded(entry.accessor, "foreign"))
        elif entry.accessor in elsewhere:
            fates.append(Superseded(entry.accessor, "shared"))
        else:
            fates.append(Superseded(entry.accessor, "living" if all_known else "unknown"))
    return replace(observed, superseded=tuple(fates))


def _with_consumers(servers: Servers, desired: Desired, observed: Observed, state: SecretState) -> Observed:
    """Only while a token waits to be revoked: on any other run nobody lists pods for this."""
    if not any(entry.fate == "living" for entry in observed.superseded):
        return observed
    seen = (vault_token_consumers.look(servers.kube, one, state, desired.place) for one in desired.consumers)
    return replace(observed, consumers=tuple(seen))


def _with_source(servers: Servers, desired: Desired, observed: Observed) -> Observed:
    source = desired.copy_from
    if source is None:
        return observed
    state = read_secret(servers.kube, source.namespace, source.secret, servers.protect)
    value = state.data.get(source.key)
    if value is not None and observed.value is not None and Fingerprints().same(value, observed.value):
        return replace(observed, source=value, source_token=observed.token)
    answer = ask(servers.vault, value, state)
    return replace(observed, source=value, source_token=answer.token, source_doubt=answer.doubt)


def _or_refusal(look: Callable[[], T]) -> T | KeybuzzError:
    """What may not be read concerns its own item; a token that is no good, or no answer at all, concerns everything."""
    try:
        return look()
    except TokenRefusedError:
        raise
    except ForbiddenError as refusal:
        return refusal


def _owner(state: SecretState, place: Place) -> Owner:
    if not state.exists:
        return Owner()
    found = owner_of({**state.metadata, "annotations": state.annotations}, ("f:data", f"f:{place.key}"))
    made_by = generator(state)
    if made_by:
        found = replace(found, gitops=made_by.name, source=made_by.source or None, revert_risk="certain")
    return replace(found, managers=state.managers)
