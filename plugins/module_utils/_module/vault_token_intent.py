# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The mark of a run that is making a token: what stands between a crash and a token that nobody knows.

Before a token is made its run writes a mark on the Secret, and the run's id goes into the token's metadata. The one
write that stores the token takes the mark away. So a mark that stays tells of at most one token, and how to find it.

A Secret that is missing is created with the mark and without data. A pod that waits for the Secret may start in that
moment, without a token, and is not ready then; the write that follows makes it ``stale`` for k8s_deployment_env, which
restarts it. The other choice, making the token first, leaves one that nobody can find when the run is killed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_setup import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import (
    Desired,
    Intent,
    Observed,
    made_for,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import capabilities, token
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

INTENT_ITEM = f"{CHECK}/intent"
RUN_ID = "run_id"
"""In the metadata of every token that is made after a mark was written."""
ALL_ACCESSORS = "auth/token/accessors"
TO_SEARCH = {
    ALL_ACCESSORS: ("list", "sudo"),
    "auth/token/lookup-accessor": ("update",),
    "auth/token/revoke-accessor": ("update",),
}
MOST_LOOKUPS = 2000
"""A server with more tokens is not searched: at some 10 ms a look-up this takes 20 s."""
FRESH = timedelta(seconds=30)
PATIENCE = 5.0
"""Seconds for which a young mark is watched: a run that lives takes it away in well under one."""


@dataclass(frozen=True)
class Leftover:
    """What became of an interrupted run's token. ``unsought``: the caller may not list all accessors."""

    intent: Intent
    fate: str
    ends_by: datetime

    def described(self) -> dict[str, object]:
        return {"since": _text(self.intent.since), "token": self.fate, "ends_by": _text(self.ends_by)}


def new_intent() -> Intent:
    return Intent(datetime.now(UTC).replace(microsecond=0), secrets.token_hex(8))


def written(intents: tuple[Intent, ...]) -> str | None:
    """The annotation: ``2026-01-12T12:00:00Z 0123456789abcdef``, with commas between several; ``None`` for none."""
    return ",".join(f"{_text(one.since)} {one.run_id}" for one in intents) or None


def read(annotation: str | None) -> tuple[Intent, ...]:
    """The marks in an annotation. What somebody else wrote there counts as a mark whose run cannot be found."""
    found = []
    for part in (annotation or "").split(","):
        since, _space, run_id = part.strip().partition(" ")
        if not since:
            continue
        try:
            moment = datetime.fromisoformat(since.replace("Z", "+00:00"))
        except ValueError:
            moment = datetime.now(UTC)
        found.append(Intent(moment if moment.tzinfo else moment.replace(tzinfo=UTC), run_id.strip()))
    return tuple(found)


def may_search(vault: VaultClient) -> bool:
    """Whether the caller may list the accessors of all tokens, look up and revoke by one. Asked, not tried."""
    held = capabilities.held(vault, TO_SEARCH)
    return held is not None and all(capabilities.allows(held[path], wanted) for path, wanted in TO_SEARCH.items())


def wait_for_a_living_run(intents: tuple[Intent, ...], look_again: Callable[[], str | None]) -> None:
    """Give a run that may be at work the time to end. Returns when the mark has changed, or has stayed long enough.

    This is politeness only: whoever takes a mark over changes the Secret first, so that the other's write fails.

    :param look_again: reads the annotation.
    """
    if not any(datetime.now(UTC) - one.since < FRESH for one in intents):
        return
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and look_again() == written(intents):
        time.sleep(0.25)


def clear(vault: VaultClient, observed: Observed, desired: Desired) -> tuple[Leftover, ...]:
    """Revoke what interrupted runs left. Only after the Secret was written with their marks still in it.

    Only a token that Vault itself says was made here, by that run, for this Secret; never the one in the Secret.
    """
    wanted = {one.run_id: one for one in observed.intents if one.run_id}
    in_use = {observed.recorded, observed.token.accessor if observed.token else None}
    fates = dict.fromkeys((one.run_id for one in observed.intents), "unsought")
    if observed.searchable and wanted:
        known = token.accessors(vault)
        if len(known) <= MOST_LOOKUPS:
            fates |= dict.fromkeys(wanted, "none")
            for accessor in known:
                if accessor in in_use:
                    continue
                found = token.lookup_accessor(vault, accessor)
                if found and found.metadata.get(RUN_ID) in wanted and made_for(found, desired) and not found.is_root:
                    token.revoke_accessor(vault, accessor)
                    fates[found.metadata[RUN_ID]] = "revoked"
    return tuple(Leftover(one, fates[one.run_id], ends_by(one, desired)) for one in observed.intents)


def ends_by(intent: Intent, desired: Desired) -> datetime:
    """When a token of that run is dead at the latest, as nobody renews it."""
    return intent.since + timedelta(seconds=desired.period)


def intent_item(observed: Observed, desired: Desired) -> tuple[Item, ...]:
    """The item of marks that were found; none where there are none."""
    if not observed.intents:
        return ()
    last = max(ends_by(one, desired) for one in observed.intents)
    since = ", ".join(_text(one.since) for one in observed.intents)
    many = len(observed.intents)
    item = Item(
        id=INTENT_ITEM,
        address=f"Secret {desired.place.namespace}/{desired.place.secret}",
        check=CHECK,
        severity="low",
        status="stale",
        action="remove",
        before=f"{many} interrupted",
        reason=f"A run set out to make a token and has not stored it: it was interrupted, or is still at work "
        f"(begun {since}).",
        precondition={"resource_version": observed.resource_version} if observed.resource_version else {},
    )
    if observed.searchable:
        return (replace(item, hint="A repair looks for its token by the run's id, revokes it and removes the mark."),)
    at_most = "one token" if many == 1 else f"{many} tokens"
    left = (
        f"At most {at_most} of it may live, until {_text(last)} at the latest."
        if last > datetime.now(UTC)
        else f"A token of it has ended by itself by {_text(last)}."
    )
    needed = "; ".join(f"{' and '.join(wanted)} on {path}" for path, wanted in TO_SEARCH.items())
    hint = f"A repair removes the mark. To look for the token it needs {needed}."
    return (replace(item, reason=f"{item.reason} {left}", hint=hint),)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
