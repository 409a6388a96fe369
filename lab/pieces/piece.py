# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every piece can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lab.pieces.backend import BackendWorkload
    from lab.world import World

# All that is needed to put a piece back; its shape is the piece's own business. JSON, and mostly secret.
Kept = dict[str, Any]


class Piece(Protocol):
    """One thing of the healthy world that can be broken."""

    @property
    def name(self) -> str:
        """As it is typed."""
        ...

    @property
    def what(self) -> str:
        """What it is, in one line."""
        ...

    @property
    def family(self) -> str:
        """Pieces of one family are ways in which the same thing can be broken: one of them at a time."""
        ...

    @property
    def harmless(self) -> bool:
        """Whether the backend stays up while it is broken."""
        ...

    def broken(self, world: World, kept: Kept | None) -> bool:
        """Whether it is missing now. ``kept`` is what was stored when it was broken, if it was."""
        ...

    def whole(self, world: World) -> str:
        """What ``status`` says when it is not broken."""
        ...

    def look(self, world: World, workload: BackendWorkload) -> Kept:
        """What is there now, to be put back later. Changes nothing."""
        ...

    def remove(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        """Takes it away, as the report found it."""
        ...

    def restore(self, world: World, workload: BackendWorkload, kept: Kept) -> None:
        """Puts back exactly what was kept."""
        ...
