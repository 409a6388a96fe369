# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The broken states of the proof: every subset of eight things, each broken in one of its ways.

Which way, and whether two more things are broken beside them, is drawn from the seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.parity.difference import RESTART, ROW, SECRET, TENANT

# The eight things, and the lab's pieces (lab.pieces) that break them.
THINGS: tuple[tuple[str, ...], ...] = (
    ("vault-token-secret", "root-token"),
    ("token-policy",),
    ("token-role",),
    ("vault-addr",),
    ("tls-trust", "ca-content"),
    ("tls-bypass",),
    ("app-creds", "app-creds-deleted"),
    ("tenant-connection", "tenant-row"),
)
BESIDE = ("env-from", "orders")
# How often a sampled or complete run breaks one of those beside the eight.
BESIDE_SHARE = 0.25

_CONFIG = "backend_access/config/vault-ca"
ITEMS: dict[str, frozenset[str]] = {
    "vault-token-secret": frozenset({SECRET, RESTART}),
    "root-token": frozenset({SECRET, RESTART}),
    "token-policy": frozenset({"vault_token/policy"}),
    "token-role": frozenset({"vault_token/role"}),
    "vault-addr": frozenset({"backend_access/env/VAULT_ADDR"}),
    "tls-trust": frozenset({"backend_access/env/NODE_EXTRA_CA_CERTS", _CONFIG, "backend_access/mount/vault-ca"}),
    "ca-content": frozenset({_CONFIG}),
    "tls-bypass": frozenset({"backend_access/forbidden/NODE_TLS_REJECT_UNAUTHORIZED"}),
    "env-from": frozenset({"backend_access/env_from/keybuzz-backend-db"}),
    "app-creds": frozenset({"amazon_app/document"}),
    "app-creds-deleted": frozenset({"amazon_app/document"}),
    "tenant-connection": frozenset({f"amazon_tenant/{TENANT}/document", ROW}),
    "tenant-row": frozenset({ROW}),
    "orders": frozenset({f"amazon_orders/{TENANT}/window"}),
}
ROLLS_OUT = frozenset({"vault-addr", "tls-trust", "tls-bypass", "env-from"})


@dataclass(frozen=True)
class Combination:
    """Pieces to be broken at once. ``number`` is the subset of the eight things, a bit for each."""

    number: int
    pieces: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.number}:{'+'.join(self.pieces) or 'none'}"

    @property
    def items(self) -> frozenset[str]:
        """What these pieces are to the collection, stated here by hand: the third opinion beside check and apply."""
        found: set[str] = set()
        for piece in self.pieces:
            found |= ITEMS[piece]
        # Content that pods have read takes a restart of its own only where no change of the template restarts them.
        if "ca-content" in self.pieces and not ROLLS_OUT & set(self.pieces):
            found.add(RESTART)
        return frozenset(found)


def everything(seed: int) -> list[Combination]:
    """All 256 subsets, each with its ways drawn from the seed."""
    return [_drawn(number, seed) for number in range(2 ** len(THINGS))]


def sample(seed: int, size: int) -> list[Combination]:
    """None, all, each single way of breaking, and then as many drawn subsets as there is room for."""
    last = 2 ** len(THINGS) - 1
    fixed = [
        Combination(0, ()),
        *_singles(),
        *(Combination(last, ways) for ways in _all_ways()),
    ]
    known = {combination.number for combination in fixed}
    rest = [number for number in range(last) if number not in known]
    drawn = random.Random(seed).sample(rest, max(size - len(fixed), 0))  # noqa: S311 - a draw of test cases
    return [*fixed, *(_drawn(number, seed) for number in drawn)]


def _drawn(number: int, seed: int) -> Combination:
    draw = random.Random(f"{seed}:{number}")  # noqa: S311 - a draw of test cases
    chosen = [draw.choice(ways) for place, ways in enumerate(THINGS) if number >> place & 1]
    return Combination(number, (*chosen, *(one for one in BESIDE if draw.random() < BESIDE_SHARE)))


def _singles() -> Iterator[Combination]:
    for place, ways in enumerate(THINGS):
        for way in ways:
            yield Combination(1 << place, (way,))
    for one in BESIDE:
        yield Combination(0, (one,))


def _all_ways() -> Iterable[tuple[str, ...]]:
    """Every thing at once, so that each way is in one of them."""
    for number in range(max(map(len, THINGS))):
        yield (*(ways[number % len(ways)] for ways in THINGS), *BESIDE)
