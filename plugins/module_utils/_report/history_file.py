# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The history as a file beside the report: a head and one line an item. Format 1.0."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import iso
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.files import write_text
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history import (
    FORMAT_VERSION,
    Entry,
    History,
    Key,
)

STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def read(path: str) -> History:
    """The history in the file; an empty one where there is no file yet.

    :raises BadInputError: it cannot be read, or a line is broken; the message names the line, counted from 1.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return History()
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from error
    # Written whole, the file ends with a newline: an end without one was cut off.
    if lines.pop():
        raise _unreadable(path, f"line {len(lines) + 1} has no end")
    updated_at = None
    entries: dict[Key, Entry] = {}
    for number, line in enumerate(lines or [b""], start=1):
        try:
            plain = json.loads(line)
            if number == 1:
                if not re.fullmatch(r"1\.[0-9]+", plain["format_version"]):
                    raise ValueError("another format")
                updated_at = _moment(plain["updated_at"])
                continue
            entry = _entry(plain)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            what = f"the head of a history in format {FORMAT_VERSION}" if number == 1 else "an entry of a history"
            raise _unreadable(path, f"line {number} is not {what}") from error
        if (entry.environment, entry.id) in entries:
            raise _unreadable(path, f"line {number} tells of an item that an earlier line tells of")
        entries[entry.environment, entry.id] = entry
    return History(entries, updated_at)


def write(history: History, path: str) -> None:
    """Write the file, all of it or none, readable by its owner only. What :func:`read` gives then is ``history``.

    :raises BadInputError: the folder cannot be written.
    """
    write_text(path, _lines(history))


def _lines(history: History) -> Iterator[str]:
    yield json.dumps({"format_version": FORMAT_VERSION, "updated_at": _said(history.updated_at)}) + "\n"
    for _key, entry in sorted(history.entries.items()):
        plain = {
            name: _said(value) if isinstance(value, datetime.datetime) else value for name, value in vars(entry).items()
        }
        yield json.dumps(plain) + "\n"


def _entry(plain: Mapping[str, Any]) -> Entry:
    """Keys of a later 1.x are passed over.

    :raises ValueError, KeyError, TypeError: it is none.
    """
    words = {name: plain[name] for name in ("environment", "id", "status")}
    times, by, first, last = (
        plain["times"],
        plain["brought_by"],
        _moment(plain["first_seen"]),
        _moment(plain["last_seen"]),
    )
    if not all(isinstance(word, str) and word for word in words.values()) or not isinstance(by, str | None):
        raise ValueError("no text")
    if (
        not isinstance(times, int)
        or isinstance(times, bool)
        or times < 0
        or first is None
        or last is None
        or first > last
    ):
        raise ValueError("no number or no time")
    return Entry(
        **words, first_seen=first, last_seen=last, cleared_at=_moment(plain["cleared_at"]), times=times, brought_by=by
    )


def _moment(said: Any) -> datetime.datetime | None:
    """:raises ValueError, TypeError: it is no time as :func:`iso` writes it."""
    if said is None:
        return None
    if not STAMP.fullmatch(said):
        raise ValueError("no time")
    # Ten times as fast as strptime, which counts with three times an entry.
    return datetime.datetime.fromisoformat(said)


def _said(moment: datetime.datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _unreadable(path: str, what: str) -> BadInputError:
    return BadInputError(
        "reading", path, what, "Move the file away, and a new history begins; what is in the old one is not taken over."
    )
