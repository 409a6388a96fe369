# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Items of the policy and the token role that the backend's token is made with. Pure: asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import Desired, Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.policy import role_differences, same_policy

CHECK = "vault_token"
POLICY, ROLE = f"{CHECK}/policy", f"{CHECK}/role"


def policy_item(observed: Observed, desired: Desired) -> Item:
    address = f"{desired.vault_addr}/v1/sys/policies/acl/{desired.policy_name}"
    if isinstance(observed.policy, KeybuzzError):
        return unreadable(POLICY, address, observed.policy)
    present = observed.policy is not None
    same = observed.policy is not None and same_policy(observed.policy, desired.policy_text)
    command = f"vault policy write {desired.policy_name} - <<'EOF'\n{desired.policy_text.rstrip()}\nEOF"
    return set_up(
        Item(
            id=POLICY,
            address=address,
            check=CHECK,
            severity="info" if same else "high",
            status="in_sync" if same else "drifted" if present else "missing",
            action="none" if same else "update" if present else "create",
            before=observed.policy,
            after=observed.policy if same else desired.policy_text,
            reason="The policy says what it should."
            if same
            else "The policy says something else: the backend may read too much, or too little."
            if present
            else "There is no such policy, so no token can be made that reads the Amazon documents alone.",
        ),
        desired,
        command,
    )


def role_item(observed: Observed, desired: Desired) -> Item:
    address = f"{desired.vault_addr}/v1/auth/token/roles/{desired.role_name}"
    if isinstance(observed.role, KeybuzzError):
        return unreadable(ROLE, address, observed.role)
    present = observed.role is not None
    different = role_differences(observed.role or {}, desired.role)
    same = present and not different
    wanted = {name: desired.role[name] for name in different}
    command = f"vault write auth/token/roles/{desired.role_name} {arguments(desired.role)}"
    return set_up(
        Item(
            id=ROLE,
            address=address,
            check=CHECK,
            severity="info" if same else "high",
            status="in_sync" if same else "drifted" if present else "missing",
            action="none" if same else "update" if present else "create",
            before=(different or None) if present else None,
            after=wanted or None if present else dict(desired.role),
            reason="The role makes orphan periodic tokens with the backend's policy alone."
            if same
            else f"The role makes other tokens than it should: {', '.join(different)}."
            if present
            else "There is no such role, so a repair cannot make a token for the backend.",
        ),
        desired,
        command,
    )


def set_up(item: Item, desired: Desired, command: str) -> Item:
    """Policy and role need a credential of their own, which day-to-day repairs do not have."""
    if item.action == "none":
        return item
    if desired.bootstrap_given:
        return replace(item, hint="A repair writes it with the bootstrap token.")
    return replace(
        item,
        action="none",
        reason=f"{item.reason} No bootstrap token was given, so a repair cannot write it.",
        hint=f"Run once with vault_bootstrap_token_file, or as an administrator: {command}",
    )


def arguments(role: Mapping[str, object]) -> str:
    """The fields as ``vault write`` takes them."""
    words = []
    for name, value in role.items():
        if isinstance(value, (list, tuple)):
            text = ",".join(str(entry) for entry in value)
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
        words.append(f"{name}={text}")
    return " ".join(words)


def unreadable(item_id: str, address: str, error: KeybuzzError) -> Item:
    """The item of what could not be looked at."""
    return Item(
        id=item_id,
        address=address,
        check=CHECK,
        severity="medium",
        status="unknown",
        reason=f"While {error.doing} {error.address}: {error.answered}.",
        hint=error.remedy,
    )


def needs_bootstrap(item: Item) -> bool:
    """It differs, and this run may not write it."""
    return item.status in {"missing", "drifted"} and item.action == "none"


def stands_in_the_way(item: Item) -> bool:
    """A policy that differs still lets the backend work; a missing one, or a role that differs, makes a wrong token."""
    return needs_bootstrap(item) and (item.id == ROLE or item.before is None)
