# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The item of tokens that were replaced and are to be revoked. Pure: asks nobody."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_notes import SUPERSEDED_ACCESSOR
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_setup import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import Desired, Observed

SUPERSEDED = f"{CHECK}/superseded"
REVOCABLE = frozenset({"living", "gone"})
UNPROVEN = (
    "No consumers are given, so nobody looked whether pods still run with a token that was replaced and is to be "
    "revoked."
)


def superseded_items(observed: Observed, desired: Desired) -> tuple[Item, ...]:
    """One item while tokens wait to be revoked and that is asked for; none otherwise."""
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
    if not ended:
        return (_kept(item, {token.fate for token in kept}, desired),)
    doubts = tuple(seen.why for seen in observed.consumers if not seen.proven)
    if observed.token is None and desired.login is None:
        doubts = (f"Vault was not seen to accept the token that {desired.place} holds now", *doubts)
    if doubts and any(token.fate == "living" for token in ended):
        return (
            replace(
                item,
                status="blocked",
                action="none",
                after=item.before,
                reason=f"A token that was replaced is not revoked, because it may be in use: {'; '.join(doubts)}.",
                hint="Restart the pods (module k8s_deployment_env with restart_for, or kubectl rollout restart), wait "
                "for the rollout, and run again.",
            ),
        )
    return (item,)


def revokes_blindly(observed: Observed, desired: Desired) -> bool:
    """Living tokens are to be revoked, and nobody said which Deployments might still use them."""
    living = any(token.fate == "living" for token in observed.superseded)
    return desired.revoke_superseded and living and not desired.consumers


def _kept(item: Item, fates: set[str], desired: Desired) -> Item:
    why = {"foreign": "Vault says it was not made for this Secret", "shared": "another place uses it"}
    reasons = sorted({why.get(fate, "whether it is in use elsewhere is not known") for fate in fates})
    item = replace(
        item,
        status="ignored",
        action="none",
        after=item.before,
        reason=f"A token noted as replaced is not revoked: {'; '.join(reasons)}.",
    )
    if "unknown" in fates:
        hint = "Allow the caller update on auth/token/lookup-accessor, and get on each Secret of compare_with."
        return replace(item, status="unknown", hint=hint)
    return replace(
        item,
        hint=f"Decide about it by hand, then remove the annotation {SUPERSEDED_ACCESSOR} "
        f"from Secret {desired.place.namespace}/{desired.place.secret}.",
    )
