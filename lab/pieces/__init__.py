# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces of the healthy world that can be broken, one by one or all, and put back exactly.

What a piece removes is kept in ``broken/NAME.json`` (0600) of the lab before it is removed, and put back from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lab.certificates import write_private
from lab.errors import LabError, PartFailed, UsageError
from lab.pieces.backend import BackendWorkload
from lab.pieces.documents import AppCredentials, DeletedAppCredentials, TenantConnection, TenantRow
from lab.pieces.piece import Kept, Piece
from lab.pieces.rows import Orders
from lab.pieces.template import AuthorityContent, DatabaseSource, TlsBypass, TlsTrust, VaultAddress
from lab.pieces.token import RootToken, VaultToken
from lab.pieces.token_setup import TokenPolicy, TokenRole
from lab.processes import wait_until

if TYPE_CHECKING:
    from lab.world import World

ALL: tuple[Piece, ...] = (
    VaultToken(),
    VaultAddress(),
    TlsTrust(),
    AppCredentials(),
    TenantConnection(),
    Orders(),
)
FURTHER: tuple[Piece, ...] = (
    RootToken(),
    TokenPolicy(),
    TokenRole(),
    TlsBypass(),
    AuthorityContent(),
    DatabaseSource(),
    DeletedAppCredentials(),
    TenantRow(),
)
"""What else goes wrong in such a world. ``all`` does not mean them: it is the morning of the report."""
EVERY = (*ALL, *FURTHER)
NAMES = tuple(piece.name for piece in ALL)
FURTHER_NAMES = tuple(piece.name for piece in FURTHER)
_EVERYTHING = "all"


def chosen(names: Sequence[str]) -> list[Piece]:
    """The pieces of these names, those of the report first, in its order; ``all`` is every one of the report.

    Raises UsageError for a name that is none, and for two ways of breaking the same thing.
    """
    known = (*NAMES, *FURTHER_NAMES)
    unknown = [name for name in names if name not in known and name != _EVERYTHING]
    if unknown:
        raise UsageError(
            f"there is no piece named {', '.join(unknown)}: the pieces are {', '.join(known)}, or {_EVERYTHING}"
        )
    return [piece for piece in EVERY if piece.name in names or (_EVERYTHING in names and piece.name in NAMES)]


def state(world: World, piece: Piece) -> str:
    """``broken`` or what the piece says of itself; for ``status``."""
    return "broken" if _is_broken(world, piece) else piece.whole(world)


def broken(world: World) -> list[str]:
    """The names of the pieces that are broken now, whoever broke them."""
    return [piece.name for piece in EVERY if _is_broken(world, piece)]


def _is_broken(world: World, piece: Piece) -> bool:
    """A deleted document is also one that cannot be read: what ``break`` has done to it is what counts."""
    kept = _kept(world, piece)
    if kept is None:
        for one in EVERY:
            done = _kept(world, one) if one.family == piece.family else None
            if done is not None and one.broken(world, done):
                return False
    return piece.broken(world, kept)


def break_pieces(world: World, pieces: Sequence[Piece], *, wait: bool = True) -> dict[str, str]:
    """Breaks those that are whole, with one rollout for all. Returns what was done, by name.

    ``wait=False`` does not wait until the backend says so. Raises UsageError when one thing would be broken in two
    ways.
    """
    _refuse_two_ways(world, pieces)
    folder = world.directory / "broken"
    folder.mkdir(mode=0o700, exist_ok=True)
    workload = BackendWorkload(world)
    done: dict[str, str] = {}
    to_break: list[tuple[Piece, Kept]] = []
    for piece in EVERY:
        workload.remember_orders(_kept(world, piece) or {})
    for piece in pieces:
        kept = _kept(world, piece)
        if not _is_broken(world, piece):
            to_break.append((piece, piece.look(world, workload)))
        elif kept is None:
            done[piece.name] = "was broken already, not by this command: heal cannot put it back"
        else:
            done[piece.name] = "was broken already"
    for piece, found in to_break:
        write_private(_file(world, piece), json.dumps(found, indent=1))
        piece.remove(world, workload, found)
        done[piece.name] = "broken"
    if workload.leave_only_the_new() and wait:
        done["backend"] = _wait_for(world, healthy=not any(_is_broken(world, one) for one in EVERY if not one.harmless))
    return {name: done[name] for name in (*NAMES, *FURTHER_NAMES, "backend") if name in done}


def _refuse_two_ways(world: World, pieces: Sequence[Piece]) -> None:
    for piece in pieces:
        for other in EVERY:
            if other.family != piece.family or other.name == piece.name:
                continue
            if other in pieces or (_kept(world, other) is not None and _is_broken(world, other)):
                raise UsageError(
                    f"{piece.name} and {other.name} are two ways of breaking the same thing: break one of them"
                    f" (python -m lab heal {other.name} puts the other back)"
                )


def heal_pieces(world: World, pieces: Sequence[Piece]) -> dict[str, str]:
    """Puts back what ``break_pieces`` took from those that are still broken. Returns what was done, by name.

    A piece that was repaired meanwhile stays as it is, and what was kept of it is forgotten. Raises LabError when
    nothing was kept of a broken one.
    """
    workload = BackendWorkload(world)
    done: dict[str, str] = {}
    lost: list[str] = []
    for piece in pieces:
        kept = _kept(world, piece)
        if not _is_broken(world, piece):
            done[piece.name] = "is whole"
        elif kept is None:
            lost.append(piece.name)
            continue
        else:
            piece.restore(world, workload, kept)
            done[piece.name] = "healed"
    changed = workload.settle()
    for name in done:
        (world.directory / "broken" / f"{name}.json").unlink(missing_ok=True)
    if lost:
        raise LabError(
            f"{', '.join(lost)}: broken, but not by python -m lab break, so nothing was kept to put back;"
            " repair it, or start a new lab with python -m lab down and up"
        )
    if (changed or "healed" in done.values()) and not any(_is_broken(world, one) for one in EVERY if not one.harmless):
        done["backend"] = _wait_for(world, healthy=True)
    return done


def _wait_for(world: World, *, healthy: bool) -> str:
    """The backend's own words once it is as expected; or what it said last, which is for the reader to judge."""
    said = ""
    since = time.monotonic()

    def check() -> bool:
        nonlocal said, since
        if world.backend_says() != said:
            said, since = world.backend_says(), time.monotonic()
        # While pods come and go there is a moment without any; the fault is what the new one keeps saying.
        return (said == "is healthy") == healthy and (healthy or time.monotonic() - since > 0.6)

    with suppress(PartFailed):
        wait_until("the backend", check, timeout=30 if healthy else 10, log=None)
    return said


def _file(world: World, piece: Piece) -> Path:
    return world.directory / "broken" / f"{piece.name}.json"


def _kept(world: World, piece: Piece) -> Kept | None:
    try:
        kept: Kept = json.loads(_file(world, piece).read_text())
    except FileNotFoundError:
        return None
    return kept
