# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One way of calling a module, and the names that the prepared lab and its variants share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab import seed

TENANT, OTHER, NEWCOMER = seed.TENANT, seed.OTHER_TENANT, "newcomer-003"
MANY = [TENANT, OTHER, *(f"stranger-{number:02}" for number in range(30))]
NAMESPACE, API_NAMESPACE, DEPLOYMENT = "keybuzz-backend-dev", "keybuzz-api-dev", "keybuzz-backend"
HOLDER, SOMEBODY = "zero-writes", "somebody-else"
OWNED, SPARE, FLAGGED = "LOG_LEVEL", "SPARE", "--enable-source-maps"
MORE = "more"
BOTH = frozenset({"repair", "audit"})
REPAIR = frozenset({"repair"})


@dataclass(frozen=True)
class Variant:
    """One call of a module.

    :param name: what it could write, or with what.
    :param given: the options that make it this variant; ``base`` are the module's others.
    :param holders: whose credentials it is called with: an auditor has no bootstrap token.
    :param idle: why it has nothing to write in a world in sync, nor anything of its own in a broken one; empty where
        it would write in at least one state.
    """

    module: str
    name: str
    given: Mapping[str, Any] = field(repr=False)
    base: Mapping[str, Any] = field(repr=False)
    check_mode: bool = True
    holders: frozenset[str] = BOTH
    idle: str = ""

    def __str__(self) -> str:
        return f"{self.module}: {self.name}{'' if self.check_mode else ' (outside check mode)'}"

    @property
    def options(self) -> dict[str, Any]:
        return {name: value for name, value in {**self.base, **self.given}.items() if value is not None}
