# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One tenant of a module, or a list of them: who is named, and what it is called when some of them fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import could_not_look
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError

FEW = 20
"""Tenants of one call whose results are told in full, and of which each is warned of by itself."""


class TenantsFailedError(KeybuzzError):
    """Some of the tenants could not be done. ``outcome`` holds what became of each."""

    def __init__(self, failed: Mapping[str, KeybuzzError], outcome: Outcome) -> None:
        first = next(iter(failed.values()))
        self.outcome = outcome
        answered = f"{len(failed)} of the tenants failed ({', '.join(failed)}); the first because: {first}"
        super().__init__("working on", "the tenants", answered, "The others were done. Mend these and run again.")


def names_of(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The tenants that a module's options name, each once. :raises BadInputError: none, or both ways are used."""
    one, several = params.get("tenant"), params.get("tenants")
    if (one is None) == (several is None) or several == []:
        raise BadInputError(
            "reading options",
            "tenant and tenants",
            "the list is empty" if several == [] else "both are given" if one is not None else "neither is given",
            "Give tenant for one of them, or tenants for a list.",
        )
    return (str(one),) if several is None else tuple(dict.fromkeys(str(name) for name in several))


def could_not_check(check: str, tenant: str, error: KeybuzzError) -> Item:
    """A tenant that could not be looked at, or not be done."""
    return could_not_look(check, error, tenant).items[0]


def not_looked_at(check: str, tenant: str, error: KeybuzzError, **facts: object) -> Outcome:
    """The outcome of such a tenant in check mode: that item, and the rights whose lack is the cause."""
    outcome = could_not_look(check, error, tenant)
    return replace(outcome, facts={**facts, "error": str(error), **outcome.facts})
