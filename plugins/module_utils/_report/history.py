# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What was wrong, since when, and how often it came back: a file beside the report, one line an item. Format 1.0.

The file holds ids, statuses, times and names of field managers; never a value, a reason or an address.
"""

from __future__ import annotations

import datetime
import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report, iso
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.files import write_text
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.terminal import WIDTH

FORMAT_VERSION = "1.0"
"""Of the first line. Within 1.x keys are only added."""
STAMP = "%Y-%m-%dT%H:%M:%SZ"
KEPT = datetime.timedelta(days=400)
"""A year and a month, so that what comes once a year is known when it comes back."""
NOT_SEEN: frozenset[str] = UNCHECKED | {"error"}
"""Statuses of an item that nobody could look at. They are told, but are not counted as drift that came back."""
OURS = "keybuzz-amazon"
"""This collection's field manager: it brings nothing back."""
COULD_NOT_CHECK = "could-not-check"
"""Last part of the id that stands for a whole check while that cannot be made."""
PER_TENANT = frozenset({"amazon_tenant", "amazon_orders"})
"""Checks of which a run looks at the tenants and the parts it was asked for; the others are looked at as a whole."""


@dataclass(frozen=True)
class Entry:
    """One item that is or was not clean. Times are aware UTC, to the second.

    :param status: what the last look at it found; ``in_sync`` once it is cleared, also where it is gone altogether.
    :param first_seen: when it was first found not clean.
    :param last_seen: when it was last found not clean.
    :param cleared_at: when it was last found clean after that; None while drift stands. It stays while a cleared item
        cannot be checked: nobody knows then that it came back.
    :param times: how often drift was found that was not there before: 1 at first, 2 when it came back. 0 where the
        item never was anything but impossible to check.
    :param brought_by: who held the field when the drift was found so, other than this collection.
    """

    environment: str
    id: str
    status: str
    first_seen: datetime.datetime
    last_seen: datetime.datetime
    cleared_at: datetime.datetime | None = None
    times: int = 0
    brought_by: str | None = None

    @property
    def open(self) -> bool:
        return self.status != "in_sync"


Key = tuple[str, str]
"""Environment and id."""


@dataclass(frozen=True)
class History:
    """``updated_at``: the last report in it, aware UTC; None before the first."""

    entries: Mapping[Key, Entry] = field(default_factory=dict)
    updated_at: datetime.datetime | None = None


@dataclass(frozen=True)
class Change:
    """What became of one item. ``before`` is None for one that the history did not know."""

    environment: str
    id: str
    before: str | None
    after: str
    times: int
    brought_by: str | None


@dataclass(frozen=True)
class Changes:
    """What is different from the last report. A repair lists what it found and cleared under both.

    :param since: the last report; None if this is the first.
    :param appeared: not clean for the first time.
    :param returned: drift that had been cleared is there again.
    :param cleared: found in sync, or gone.
    :param changed: not clean in another way than before; also what can no longer be checked, or is ignored now.
    """

    since: datetime.datetime | None
    appeared: tuple[Change, ...] = ()
    returned: tuple[Change, ...] = ()
    cleared: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()


def update(history: History, report: Report, now: datetime.datetime) -> tuple[History, Changes]:
    """The history with ``report`` in it, and what that changed. Neither argument is changed.

    :param report: after the ignore rules were applied to both its looks. An ignored item is not repaired, so it stays
        open until it is found in sync; but it opens nothing.
    :param now: aware. A clock that went back is taken for standing still, so that no time is before an earlier one.

    Cleared is what is found in sync. What is no longer in the report is cleared only where its check is there and was
    complete; an environment with an error clears nothing, and one that is not in the report is left as it was.
    """
    moment = now.astimezone(datetime.UTC).replace(microsecond=0)
    if history.updated_at is not None:
        moment = max(moment, history.updated_at)
    entries = dict(history.entries)
    told: dict[str, list[Change]] = {"appeared": [], "returned": [], "cleared": [], "changed": []}

    def note(key: Key, after: Entry | None) -> None:
        before = entries.get(key)
        if after is None or after == before:
            return
        entries[key] = after
        kind = _kind(before, after)
        if kind:
            was = before.status if before else None
            told[kind].append(Change(*key, was, after.status, after.times, after.brought_by))

    for environment in report.environments:
        for look in (environment.found, environment.items):
            for item in _worst_of_each(look):
                if item.status != "in_sync" or not environment.error:
                    key = (environment.name, item.id)
                    note(key, _after(entries.get(key), environment.name, item, moment))
        for key in _gone(entries, environment):
            note(key, replace(entries[key], status="in_sync", cleared_at=moment))
    kept = {
        key: entry
        for key, entry in sorted(entries.items())
        if max(entry.last_seen, entry.cleared_at or entry.last_seen) >= moment - KEPT
    }
    changes = Changes(history.updated_at, **{kind: tuple(those) for kind, those in told.items()})
    return History(kept, moment), changes


def _after(entry: Entry | None, environment: str, item: Item, moment: datetime.datetime) -> Entry | None:
    if item.status in CLEAN:
        if entry is None or not entry.open:
            return entry
        if item.status == "ignored":
            return replace(entry, status=item.status, last_seen=moment)
        return replace(entry, status=item.status, cleared_at=moment)
    seen = item.status not in NOT_SEEN
    if entry is None:
        entry = Entry(environment, item.id, item.status, first_seen=moment, last_seen=moment)
    entry = replace(entry, status=item.status, last_seen=moment)
    if seen and (entry.times == 0 or entry.cleared_at is not None):
        return replace(entry, cleared_at=None, times=entry.times + 1, brought_by=_brought_by(item))
    return entry


def _kind(before: Entry | None, after: Entry) -> str | None:
    if before is None:
        return "appeared"
    if not after.open:
        return "cleared" if before.open else None
    if after.times > before.times:
        return "returned" if before.times else "appeared"
    return "changed" if after.status != before.status else None


def _brought_by(item: Item) -> str | None:
    """Those who hold the field beside us. A field that is missing is held by nobody; the tool that applies the object
    is then the one that can have taken it away."""
    others = [name for name in item.owner.managers if name != OURS]
    return ", ".join(others) or item.owner.gitops


def _worst_of_each(items: Iterable[Item]) -> tuple[Item, ...]:
    """One item an id, should an id be there twice: what is wrong before what could not be seen before what is clean."""
    worst: dict[str, Item] = {}
    for item in items:
        if item.id not in worst or _badness(item) > _badness(worst[item.id]):
            worst[item.id] = item
    return tuple(worst.values())


def _badness(item: Item) -> int:
    if item.status in NOT_SEEN:
        return 2
    return ("in_sync", "ignored").index(item.status) if item.status in CLEAN else 3


def _gone(entries: Mapping[Key, Entry], environment: Environment) -> list[Key]:
    """Open entries that are not in the report because they are no longer there."""
    if environment.error:
        return []
    there = {item.id for item in environment.items}
    checks = {item.id.partition("/")[0] for item in environment.items}
    whole = checks - PER_TENANT - {item.id.partition("/")[0] for item in environment.items if item.status in NOT_SEEN}

    def looked_at(name: str) -> bool:
        place, _, last = name.rpartition("/")
        if last == COULD_NOT_CHECK:  # it stands for everything in its place, and that is here instead
            return any(other.startswith(f"{place}/") for other in there)
        return name.partition("/")[0] in whole

    return [
        key
        for key, entry in entries.items()
        if key[0] == environment.name and entry.open and entry.id not in there and looked_at(entry.id)
    ]


def summary(changes: Changes) -> list[str]:
    """The changes for a terminal, at most 80 columns: all in one, then by environment where several have some."""
    since = f"Since {changes.since.strftime('%Y-%m-%dT%H:%MZ')}" if changes.since else "First look"
    lines = _wrap(f"{since}: {', '.join(_parts(changes)) or 'nothing changed'}", indent=0)
    kinds = ("appeared", "returned", "cleared", "changed")
    names = dict.fromkeys(change.environment for kind in kinds for change in getattr(changes, kind))
    for name in names if len(names) > 1 else ():
        own = (tuple(one for one in getattr(changes, kind) if one.environment == name) for kind in kinds)
        lines += _wrap(f"{name}: {', '.join(_parts(Changes(changes.since, *own)))}", indent=2)
    return lines


def _parts(changes: Changes) -> list[str]:
    new = [one for one in changes.appeared if one.after not in NOT_SEEN]
    unseen = [one for one in (*changes.appeared, *changes.changed) if one.after in NOT_SEEN]
    ignored = [one for one in changes.changed if one.after == "ignored"]
    other = len(changes.changed) - len(ignored) - len([one for one in changes.changed if one.after in NOT_SEEN])
    told = [f"{len(new)} new"] if new else []
    if changes.returned:
        most = max(one.times for one in changes.returned)
        often = f"{_ordinal(most)} time" if len(changes.returned) == 1 else f"up to the {_ordinal(most)} time"
        by = dict.fromkeys(one.brought_by for one in changes.returned if one.brought_by)
        told.append(f"{len(changes.returned)} came back ({', '.join([often, *by])})")
    told += [f"{len(changes.cleared)} cleared"] if changes.cleared else []
    told += [f"{other} changed status"] if other else []
    told += [f"{len(ignored)} now ignored"] if ignored else []
    return [*told, f"{len(unseen)} cannot be checked"] if unseen else told


def _ordinal(number: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    if number <= len(words):
        return words[number - 1]
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _wrap(text: str, *, indent: int) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(text, WIDTH, initial_indent=margin, subsequent_indent=f"{margin}  ", break_on_hyphens=False)


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
    head = {"format_version": FORMAT_VERSION, "updated_at": _said(history.updated_at)}
    plain = [
        {name: _said(value) if isinstance(value, datetime.datetime) else value for name, value in vars(entry).items()}
        for _, entry in sorted(history.entries.items())
    ]
    write_text(path, "".join(json.dumps(line) + "\n" for line in (head, *plain)))


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
    if type(times) is not int or times < 0 or first is None or last is None or first > last:
        raise ValueError("no number or no time")
    return Entry(
        **words, first_seen=first, last_seen=last, cleared_at=_moment(plain["cleared_at"]), times=times, brought_by=by
    )


def _moment(said: Any) -> datetime.datetime | None:
    return None if said is None else datetime.datetime.strptime(said, STAMP).replace(tzinfo=datetime.UTC)


def _said(moment: datetime.datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _unreadable(path: str, what: str) -> BadInputError:
    return BadInputError(
        "reading", path, what, "Move the file away, and a new history begins; what is in the old one is not taken over."
    )
