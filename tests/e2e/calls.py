# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests a run made, by the servers' own logs."""

from __future__ import annotations

from dataclasses import dataclass

from tests.e2e.evidence import Evidence, Marks


@dataclass(frozen=True)
class Calls:
    """Requests of the collection's accounts; the lab's own parts are left out."""

    vault: int
    kubernetes: int
    amazon: int

    def within(self, most: Calls) -> bool:
        """Whether no server was asked more often than that."""
        return self.vault <= most.vault and self.kubernetes <= most.kubernetes and self.amazon <= most.amazon


def calls_of(evidence: Evidence, since: Marks) -> Calls:
    """What was asked since then."""
    return Calls(
        vault=len(evidence.vault_requests(since)),
        kubernetes=len(evidence.kubernetes_requests(since)),
        amazon=sum(evidence.amazon_calls(since).values()),
    )
