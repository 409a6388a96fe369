# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The one class of the token in the Secret: the worst thing about it. Pure: asks nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.vault_token_state import Desired, Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import is_well_formed
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.policy import period_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.token import Token

TokenClass = Literal[
    "namespace_missing",
    "secret_missing",
    "key_missing",
    "empty",
    "placeholder",
    "malformed",
    "unknown",
    "invalid",
    "root",
    "wrong_policies",
    "over_privileged",
    "shared",
    "not_orphan",
    "not_renewable",
    "ttl_low",
    "period_capped",
    "good",
]

# Words people put where a secret belongs, and template marks that were never filled in.
_FILLERS = re.compile(
    r"change[-_ ]?me|replace[-_ ]?me|to[-_ ]?do|tbd|x{3,}|\*+|none|null|undefined|example|dummy|placeholder"
    r"|(your|my|the)[-_ ]?(vault[-_ ]?)?token|<.*>|\$\{.*\}|\{\{.*\}\}",
    re.IGNORECASE,
)

SLACK = 60
"""Seconds by which the life that was given may fall short of the period: times are told in whole seconds."""


def classify(observed: Observed, desired: Desired) -> TokenClass:
    """The one class of the token in the Secret: the worst thing about it."""
    missing = _missing(observed)
    if missing:
        return missing
    if observed.token is None:
        return "unknown" if observed.doubt else "invalid"
    faults = _copy_faults if desired.strategy == "copy" else _scoped_faults
    return next((name for name, found in faults(observed, observed.token, desired) if found), "good")


def obtainable_life(observed: Observed, desired: Desired) -> int | None:
    """Seconds that a renewal would give a token of the role, as far as role and server let it be known."""
    period = role_period(observed, desired)
    if period is None or observed.longest_life is None:
        return None
    return min(period, observed.longest_life)


def role_period(observed: Observed, desired: Desired) -> int | None:
    """The period that the role has, or will have once this run has written it; ``None`` if that is not known."""
    if desired.bootstrap_given and not isinstance(observed.role, KeybuzzError):
        return desired.period
    return period_of(observed.role) if isinstance(observed.role, Mapping) else None


def falls_short(observed: Observed, token: Token, desired: Desired) -> bool:
    """Whether a token of the role was last given less life than the role asks for."""
    period = role_period(observed, desired)
    return token.role == desired.role_name and period is not None and _given(token) + SLACK < period


def _copy_faults(observed: Observed, token: Token, desired: Desired) -> Iterator[tuple[TokenClass, bool]]:
    yield "root", token.is_root
    yield "ttl_low", 0 < token.ttl_seconds < desired.renew_below


def _scoped_faults(observed: Observed, token: Token, desired: Desired) -> Iterator[tuple[TokenClass, bool]]:
    """The worst first."""
    yield "root", token.is_root
    yield "wrong_policies", desired.policy_name not in token.policies
    yield "over_privileged", set(token.policies) != {desired.policy_name}
    yield "shared", bool(observed.shared_with)
    yield "not_orphan", not token.orphan
    yield "not_renewable", not _lives_by_renewal(token, desired)
    yield "ttl_low", token.ttl_seconds < _threshold(observed, token, desired) or _would_gain(observed, token, desired)
    yield "period_capped", _capped(observed, token, desired)


def _missing(observed: Observed) -> TokenClass | None:
    if observed.value is None:
        if observed.secret_exists:
            return "key_missing"
        return "namespace_missing" if observed.namespace_exists is False else "secret_missing"
    if not observed.value.strip():
        return "empty"
    if _FILLERS.fullmatch(observed.value.strip()):
        return "placeholder"
    return None if is_well_formed(observed.value) else "malformed"


def _lives_by_renewal(token: Token, desired: Desired) -> bool:
    periodic = token.period_seconds > 0 or token.role == desired.role_name
    bounded = token.explicit_max_ttl_seconds > 0 or token.uses_left > 0
    return token.renewable and periodic and not bounded and token.kind != "batch"


def _given(token: Token) -> int:
    return token.given_seconds or token.creation_ttl_seconds


def _threshold(observed: Observed, token: Token, desired: Desired) -> int:
    """A server whose maximum is below the period gives less life; half of that, so that renewing can succeed.

    Where the maximum is not told, the life that the token was made with has to stand for it.
    """
    obtainable = obtainable_life(observed, desired) or max(_given(token), token.creation_ttl_seconds)
    return min(desired.renew_below, obtainable // 2) if 0 < obtainable < desired.period else desired.renew_below


def _would_gain(observed: Observed, token: Token, desired: Desired) -> bool:
    """A renewal gives more than the last one did: the role's period, or the server's maximum, was raised since."""
    obtainable = obtainable_life(observed, desired)
    return obtainable is not None and falls_short(observed, token, desired) and _given(token) + SLACK < obtainable


def _capped(observed: Observed, token: Token, desired: Desired) -> bool:
    obtainable, period = obtainable_life(observed, desired), role_period(observed, desired)
    if obtainable is None:
        # Nobody said what the maximum is. The token was made, and last renewed, for less than its role asks for now.
        return falls_short(observed, token, desired) and token.creation_ttl_seconds + SLACK < (period or 0)
    return period is not None and obtainable + SLACK < period
