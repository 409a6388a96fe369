# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What each class of token means: status, severity, what a repair does about it, and why it matters. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Action, Item, Severity, Status
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_class import TokenClass, role_period
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import Desired, Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.token import Token


@dataclass(frozen=True)
class Finding:
    """What a class of token means for its item."""

    status: Status
    severity: Severity
    action: Action
    reason: str


_DOWN = "the backend cannot read its Amazon credentials"
FINDINGS: Mapping[TokenClass, Finding] = {
    "namespace_missing": Finding("blocked", "critical", "none", "The namespace does not exist."),
    "secret_missing": Finding("missing", "critical", "create", f"There is no such Secret: {_DOWN}."),
    "key_missing": Finding("missing", "critical", "update", f"The Secret has no such key: {_DOWN}."),
    "empty": Finding("empty", "critical", "update", f"The token is empty: {_DOWN}."),
    "placeholder": Finding("empty", "critical", "update", f"A filler stands where the token belongs: {_DOWN}."),
    "malformed": Finding(
        "drifted",
        "critical",
        "update",
        f"The token has spaces, line breaks or other characters that cannot be sent: {_DOWN}.",
    ),
    "invalid": Finding(
        "drifted",
        "critical",
        "update",
        f"Vault does not accept the token: it is expired, revoked or another server's, and {_DOWN}.",
    ),
    "root": Finding(
        "insecure",
        "critical",
        "update",
        "It is a root token: whoever reads this Secret owns all of Vault.",
    ),
    "unknown": Finding("unknown", "high", "none", "What the token is cannot be known."),
    "wrong_policies": Finding("drifted", "high", "update", f"The token lacks the backend's own policy: {_DOWN}."),
    "over_privileged": Finding(
        "insecure", "high", "update", "The token may do what the backend needs, and more than that."
    ),
    "shared": Finding(
        "insecure",
        "high",
        "update",
        "The same token is used elsewhere: the two cannot be told apart in Vault's audit log, nor revoked separately.",
    ),
    "not_orphan": Finding(
        "expiring", "high", "update", "The token is the child of another and dies with it, without warning."
    ),
    "not_renewable": Finding(
        "expiring", "high", "update", "The token cannot be kept alive by renewing it: it will end, without warning."
    ),
    "ttl_low": Finding("expiring", "medium", "renew", "The token has little life left."),
    "period_capped": Finding(
        "drifted", "low", "none", "The token lives less long between renewals than was asked for."
    ),
    "good": Finding("in_sync", "info", "none", "The token is the backend's own and has life left."),
}


def told(item: Item, kind: TokenClass, observed: Observed, desired: Desired) -> Item:
    """The item with what is known of this very token in its reason."""
    if kind == "unknown":
        hint = "Allow the caller update on auth/token/lookup: it tells of tokens that one already holds, nothing more."
        return replace(item, reason=f"{observed.doubt}. It is not replaced.", hint=hint)
    found = observed.token
    if found is None:
        return item
    if kind == "wrong_policies":
        has = f"It has {', '.join(sorted(found.policies))}" if found.policies else "It has none"
        status: Status = "insecure" if set(found.policies) - {"default"} else "drifted"
        return replace(item, status=status, reason=f"{item.reason} {has} instead of {desired.policy_name}.")
    if kind == "period_capped":
        return _capped(item, found, observed, desired)
    more = {
        "over_privileged": f" Its further policies: {', '.join(sorted(set(found.policies) - {desired.policy_name}))}.",
        "shared": f" Also in: {', '.join(observed.shared_with)}.",
    }
    return replace(item, reason=item.reason + more.get(kind, ""))


def git_hint(observed: Observed, desired: Desired) -> str:
    """A sentence for a Secret that a GitOps tool applies; empty for any other."""
    tool, risk = observed.owner.gitops, observed.owner.revert_risk
    if tool is None or risk == "none":
        return ""
    return f" {tool} applies this Secret: take the key {desired.place.key} out of what it applies, or it puts it back."


def _capped(item: Item, found: Token, observed: Observed, desired: Desired) -> Item:
    asked = role_period(observed, desired) or desired.period
    given = observed.longest_life or found.given_seconds or found.creation_ttl_seconds
    gives = f"The role {desired.role_name} asks for {_life(asked)} and the server gives {_life(given)}"
    if observed.longest_life is None:
        return replace(
            item,
            reason=f"{gives}: its maximum is lower, or the role's period was raised since.",
            hint=f"Set token_period to {given}s or less, or tune the server (vault auth tune -max-lease-ttl={asked}s "
            "token/). Allow read on sys/mounts/auth/token/tune, so that the next run can tell which it is.",
        )
    return replace(
        item,
        reason=f"{gives}, which is its maximum.",
        hint=f"Set token_period to {given}s or less, or raise the maximum: vault auth tune -max-lease-ttl={asked}s "
        "token/ (bao auth tune). The token is renewed in time either way.",
    )


def _life(seconds: int) -> str:
    """``168 h``, or seconds where that would not be exact."""
    return f"{seconds // 3600} h" if seconds % 3600 == 0 else f"{seconds} s"
