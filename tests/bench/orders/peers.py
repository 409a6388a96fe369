# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which peers there are, where each is installed, and which of Amazon's routes each takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
FOLDER = PROJECT / ".venv-bench"


@dataclass(frozen=True)
class Peer:
    """One loop of one peer.

    :param loop: ``module:function`` below tests.bench.orders.loops.
    :param route: one of bounds.ROUTES; says which calculation its larger sizes get.
    :param packages: distributions whose versions belong to the result.
    :param kind: whether the loop has the kindest plain retry added, which its documentation does not show.
    :param largest: the largest book it is run with; beyond that its time is computed.
    """

    name: str
    title: str
    loop: str
    route: str
    environment: str
    packages: tuple[str, ...]
    kind: bool = False
    largest: int = 100_000

    @property
    def python(self) -> Path:
        """Its environment's interpreter."""
        return FOLDER / self.environment / "bin" / "python"


def _both(name: str, title: str, loop: str, route: str, package: str) -> tuple[Peer, Peer]:
    """A loop as documented, and the one with the kindest retry."""
    largest = 10_000 if route == "v0" else 100_000
    return (
        Peer(name, title, loop, route, "peers", (package,), largest=largest),
        Peer(
            f"{name}-kind", f"{title} + retry", f"{loop}_kind", route, "peers", (package,), kind=True, largest=largest
        ),
    )


PEERS: tuple[Peer, ...] = (
    *_both("library-v0", "python-amazon-sp-api v0", "library:v0", "v0", "python-amazon-sp-api"),
    *_both("library-2026", "python-amazon-sp-api 2026", "library:search", "search", "python-amazon-sp-api"),
    *_both("iterator-2026", "amzn-selling-partner 2026", "iterator:search", "search", "amzn-selling-partner"),
    *_both("sdk-v0", "amzn-sp-api v0", "sdk:v0", "v0", "amzn-sp-api"),
    *_both("sdk-2026", "amzn-sp-api 2026", "sdk:search", "search", "amzn-sp-api"),
    Peer(
        "airbyte",
        "Airbyte connector v0",
        "airbyte:v0",
        "v0",
        "airbyte",
        ("airbyte-source-amazon-seller-partner", "airbyte-cdk"),
        # A thousand orders take a minute here: its two threads are left 20 ms at each of their sleeps.
        largest=1_000,
    ),
)


def named(names: list[str] | None) -> tuple[Peer, ...]:
    """The peers of these names (``library`` stands for all that begin so), all of them for None."""
    if names is None:
        return PEERS
    for name in names:
        if not any(peer.name.startswith(name) for peer in PEERS):
            raise ValueError(f"there is no peer {name!r}; there are {', '.join(peer.name for peer in PEERS)}")
    return tuple(peer for peer in PEERS if any(peer.name.startswith(name) for name in names))
