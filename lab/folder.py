# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's folder: whose it is, who may work on it now, and how it is emptied."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from lab import postgres
from lab.errors import LabError
from lab.processes import Processes, marked

# Stands first in a lab's folder: what carries it may be removed, anything else is somebody's data.
_SIGN = "KEYBUZZ-LAB"
_SIGN_TEXT = "This folder belongs to the lab (python -m lab). python -m lab down removes it with all it holds.\n"
_OUTSIDE = "outside.json"


def sign(directory: Path) -> None:
    """Marks the folder as a lab's, before anything else is put into it."""
    (directory / _SIGN).write_text(_SIGN_TEXT)


def holds_anything(directory: Path) -> bool:
    """Whether there is more in it than its sign."""
    return any(path.name != _SIGN for path in directory.iterdir())


def note_outside(directory: Path, outside: Path) -> None:
    """Remembers a folder elsewhere that belongs to this lab and goes with it."""
    (directory / _OUTSIDE).write_text(json.dumps([str(outside)]) + "\n")


def remove(directory: Path) -> None:
    """Removes the emptied folder; its sign last, so that an interrupted ``down`` can be repeated."""
    (directory / _SIGN).unlink(missing_ok=True)
    directory.rmdir()


@contextlib.contextmanager
def alone(directory: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One command at a time for each lab; a second one says that it waits.

    The lock is on the folder itself, which may be removed by who holds it: then the wait was for nothing, and
    the folder is made again.
    """
    while True:
        _make_own(directory)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"waiting for another command at work on {directory}")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_same(descriptor, directory):
                yield
                return
        finally:
            os.close(descriptor)


def _make_own(directory: Path) -> None:
    """Makes the folder, or accepts one that is empty or a lab's. Raises LabError for anybody else's."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        unsigned = any(directory.iterdir()) and not (directory / _SIGN).exists()
    except OSError as error:
        raise LabError(f"{directory} cannot be the lab's folder: {error.strerror}") from error
    # Living processes of this lab prove as much: a folder removed under them fills again.
    if unsigned and not marked(directory):
        raise LabError(f"{directory} is not empty and not a lab: name another folder in LAB_DIR")


def _is_same(descriptor: int, directory: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), directory.stat())
    except FileNotFoundError:
        return False


def clear(directory: Path) -> int:
    """Ends the lab's processes and empties its folder but for the sign. Returns how many processes there were."""
    ended = Processes(directory).stop_everything()
    for outside in _outside(directory):
        shutil.rmtree(outside, ignore_errors=True)
        if outside.exists():
            raise LabError(f"{outside} belongs to another user: remove it as who started the lab")
    for path in directory.iterdir():
        if path.name == _SIGN:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return ended


def _outside(directory: Path) -> set[Path]:
    """What the lab made elsewhere: by its own note, or by name where the note was lost."""
    found = {postgres.private_folder(directory)}
    with contextlib.suppress(OSError, ValueError):
        found |= {Path(path) for path in json.loads((directory / _OUTSIDE).read_text())}
    return found
