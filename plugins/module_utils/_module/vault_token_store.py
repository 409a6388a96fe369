# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Puts a token into the Secret. Whatever comes in between, at most one token is left that nobody knows.

Order: the mark (see :mod:`vault_token_intent`), the token, then value, accessor and the mark's removal in one write.
When that write fails, the Secret decides what becomes of the token, and is first made unfit for a write that may
still be on its way.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BlockedError,
    ForbiddenError,
    KeybuzzError,
    StaleError,
    UnexpectedAnswerError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import Invalid
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.secret import (
    SecretState,
    read_secret,
    write_secret_values,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import vault_token_intent as intents
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_ask import proof
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_class import TokenClass, classify
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_look import Servers
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_notes import (
    ACCESSOR,
    CHECKSUM_KEY,
    INTENT,
    PROOF,
    SUPERSEDED_ACCESSOR,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Desired,
    Intent,
    Observed,
    Superseded,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import token

TRIES = 3
"""How often the Secret is read anew, when others keep writing it, to settle the fate of a token."""


def copy(servers: Servers, desired: Desired, observed: Observed, state: SecretState) -> Observed:
    """Store another place's token."""
    source = observed.source or ""
    superseded = _superseded_by_a_write(observed)
    notes = _annotations(state, desired.place.key, source, None, superseded)
    write_secret_values(servers.kube, state, {desired.place.key: source}, notes)
    return replace(
        observed,
        namespace_exists=True,
        secret_exists=True,
        value=source,
        token=observed.source_token,
        recorded=None,
        superseded=superseded,
    )


def make(
    servers: Servers, desired: Desired, observed: Observed, state: SecretState
) -> tuple[Observed, tuple[intents.Leftover, ...]]:
    """Make a token and store it. Returns what is there now, and what interrupted runs had left.

    :raises StaleError: the Secret was changed meanwhile; no token is left.
    :raises BlockedError: the role makes wrong tokens, or the fate of the token could not be settled.
    """
    place = desired.place
    marks = _may_mark(servers, state)
    mine = intents.new_intent()
    if marks:
        noted = {INTENT: intents.written((mine, *observed.intents))}
        state = replace(write_secret_values(servers.kube, state, {}, noted), namespace_exists=True)
    leftovers = intents.clear(servers.vault, observed, desired)
    made = _made(servers, desired, mine)
    superseded = _superseded_by_a_write(observed)
    after = replace(
        observed,
        namespace_exists=True,
        secret_exists=True,
        value=made.value,
        token=made.token,
        doubt="",
        shared_with=(),
        recorded=made.token.accessor,
        superseded=superseded,
        intents=(),
    )
    try:
        _check_what_was_made(classify(after, desired), desired)
        notes = _annotations(state, place.key, made.value, made.token.accessor, superseded)
        write_secret_values(servers.kube, state, {place.key: made.value}, notes)
    except KeybuzzError as error:
        _settle(servers, desired, made, mine, error, creating=not state.exists)
    return after, leftovers


def _made(servers: Servers, desired: Desired, mine: Intent) -> token.NewToken:
    place = desired.place
    home = {"environment": desired.environment, "namespace": place.namespace, "secret": place.secret}
    try:
        made = token.create(
            servers.vault,
            desired.role_name,
            desired.policy_name,
            display_name=f"keybuzz-amazon-{desired.environment}",
            metadata={**home, intents.RUN_ID: mine.run_id},
        )
    except (BlockedError, ForbiddenError):  # Vault said no: there is no token, and nothing for the next run to look for
        _take_the_mark_away(servers, desired, mine)
        raise
    servers.protect([made.value])
    return made


def clear_marks(
    servers: Servers, desired: Desired, observed: Observed, state: SecretState
) -> tuple[Observed, SecretState, tuple[intents.Leftover, ...]]:
    """Revoke what interrupted runs left, when no token is to be made.

    Their mark is added to first: a run that is still at work cannot store its token after that, and ends it itself.
    """
    claim = intents.written((intents.new_intent(), *observed.intents))
    state = write_secret_values(servers.kube, state, {}, {INTENT: claim})
    leftovers = intents.clear(servers.vault, observed, desired)
    state = write_secret_values(servers.kube, state, {}, {INTENT: None})
    return replace(observed, intents=()), state, leftovers


def revoke_superseded(servers: Servers, observed: Observed, state: SecretState, revocable: frozenset[str]) -> Observed:
    """Revoke, then take them off the Secret; not one where the second step would be denied.

    :raises StaleError: the Secret is not what was read: somebody may have put a replaced token back.
    """
    _may_mark(servers, state)
    now = read_secret(servers.kube, state.namespace, state.name, servers.protect)
    if now.resource_version != state.resource_version:
        raise StaleError("revoking what was replaced in", state.address, "it was changed meanwhile", "Run again.")
    for entry in observed.superseded:
        if entry.fate == "living":
            token.revoke_accessor(servers.vault, entry.accessor)
    kept = tuple(entry for entry in observed.superseded if entry.fate not in revocable)
    noted = {SUPERSEDED_ACCESSOR: ",".join(entry.accessor for entry in kept) or None}
    write_secret_values(servers.kube, state, {}, noted)
    return replace(observed, superseded=kept)


def _may_mark(servers: Servers, state: SecretState) -> bool:
    """Whether a mark can be written and later changed. Nothing is made for a Secret that cannot be written.

    Who may create a Secret and not patch it gets along without a mark: it is stored in the one write that creates it.
    """
    verb = "patch" if state.exists else "create"
    may_patch = servers.kube.may("patch", "", "secrets", state.namespace, state.name)
    if may_patch if state.exists else servers.kube.may("create", "", "secrets", state.namespace, None):
        return may_patch
    raise ForbiddenError(
        "asking whether one may write",
        f"Secret {state.namespace}/{state.name}",
        f"the caller may not {verb} it; no token was made or revoked",
        f"Give the caller a Role in namespace {state.namespace} that allows {verb} on secrets"
        + (f" with resourceNames [{state.name}]." if state.exists else "."),
    )


def _check_what_was_made(kind: TokenClass, desired: Desired) -> None:
    if kind not in {"good", "period_capped"}:
        raise BlockedError(
            "making a token through",
            f"auth/token/roles/{desired.role_name}",
            f"the role makes tokens of the class {kind}; nothing was stored",
            "Correct the role: run once with vault_bootstrap_token_file.",
        )


def _settle(
    servers: Servers, desired: Desired, made: token.NewToken, mine: Intent, error: KeybuzzError, *, creating: bool
) -> None:
    """Decide about a token whose write failed. Returns only if it is at home after all: an answer can be lost.

    :param creating: the write was to create the Secret, so that nothing can keep it from being done late.
    :raises KeybuzzError: the error itself, once the token is revoked; else a BlockedError that says what is left.
    """
    hours = made.token.ttl_seconds / 3600
    try:
        if _is_at_home(servers, desired, made, mine, error, creating=creating):
            return
    except KeybuzzError:
        raise BlockedError(
            error.doing,
            error.address,
            f"{error.answered}; whether the token made for it was stored is not known, so it was not revoked and "
            f"ends by itself in {hours:.0f} h if it was not",
            f"{error.remedy} Then look at the Secret: nothing could be noted on it, as the caller may not patch it."
            if creating
            else f"{error.remedy} The next run finds its mark on the Secret and decides.",
        ) from error
    try:
        token.revoke_accessor(servers.vault, made.token.accessor)
    except KeybuzzError:
        raise BlockedError(
            error.doing,
            error.address,
            f"{error.answered}; the token made for it could not be revoked and ends by itself in {hours:.0f} h",
            error.remedy,
        ) from error
    _take_the_mark_away(servers, desired, mine)
    raise error


def _is_at_home(
    servers: Servers, desired: Desired, made: token.NewToken, mine: Intent, error: KeybuzzError, *, creating: bool
) -> bool:
    """Whether the Secret holds the token now; if not, it cannot come to hold it any more.

    :raises KeybuzzError: it cannot be known.
    """
    place = desired.place
    for _try in range(TRIES):
        stored = read_secret(servers.kube, place.namespace, place.secret, servers.protect)
        if stored.data.get(place.key) == made.value:
            return True
        if not _may_still_arrive(error) or not (stored.exists or creating):
            return False
        if not stored.exists:
            break
        try:
            # The write tests the Secret's version: once that is another, it fails whenever it arrives.
            claim = intents.written((mine, *intents.read(stored.annotations.get(INTENT))))
            write_secret_values(servers.kube, stored, {}, {INTENT: claim})
        except StaleError:
            continue
        return False
    raise error


def _may_still_arrive(error: KeybuzzError) -> bool:
    """Whether the write that failed so may yet be carried out: no answer came, or one that does not say no."""
    return isinstance(error, (UnreachableError, UnexpectedAnswerError)) and not isinstance(error, Invalid)


def _take_the_mark_away(servers: Servers, desired: Desired, mine: Intent) -> None:
    """Its own alone: another run's may stand for a token. One that stays is harmless: the next run finds none."""
    place = desired.place
    with contextlib.suppress(KeybuzzError):
        stored = read_secret(servers.kube, place.namespace, place.secret, servers.protect)
        marks = intents.read(stored.annotations.get(INTENT))
        others = tuple(one for one in marks if one.run_id != mine.run_id)
        if others != marks:
            write_secret_values(servers.kube, stored, {}, {INTENT: intents.written(others)})


def _superseded_by_a_write(observed: Observed) -> tuple[Superseded, ...]:
    """What is replaced for good once the Secret has another value. Only what was noted as ours, and nobody shares."""
    current = observed.token.accessor if observed.token else None
    shared = bool(observed.shared_with) and current == observed.recorded
    known = tuple(entry for entry in observed.superseded if entry.accessor != observed.recorded)
    if not observed.recorded or shared:
        return known
    return (*known, Superseded(observed.recorded, "unknown"))


def _annotations(
    state: SecretState, key: str, value: str, accessor: str | None, superseded: tuple[Superseded, ...]
) -> dict[str, str | None]:
    checksum_key = state.annotations.get(CHECKSUM_KEY) or secrets.token_hex(32)
    return {
        ACCESSOR: accessor,
        PROOF: proof(checksum_key, value, accessor) if accessor else None,
        SUPERSEDED_ACCESSOR: ",".join(entry.accessor for entry in superseded) or None,
        CHECKSUM_KEY: checksum_key,
        INTENT: None,
    }
