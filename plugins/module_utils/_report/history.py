# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What was wrong, since when, and how often it came back.

A history holds ids, statuses, times and names of field managers; never a value, a reason or an address. It is kept in a
file (:mod:`history_file`) or in a table of PostgreSQL.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import (
    PER_TENANT,
    Environment,
    Report,
)

FORMAT_VERSION = "1.0"
"""Of a history that is kept. Within 1.x keys are only added."""
KEPT = datetime.timedelta(days=400)
"""A year and a month, so that what comes once a year is known when it comes back."""
NOT_SEEN: frozenset[str] = UNCHECKED | {"error"}
"""Statuses of an item that nobody could look at. They are told, but are not counted as drift that came back."""
OURS = "keybuzz-amazon"
"""This collection's field manager: it brings nothing back."""
COULD_NOT_CHECK = "could-not-check"
"""Last part of the id that stands for a whole check while that cannot be made."""


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

    before = open_by_environment(history)
    for environment in report.environments:
        for look in (environment.found, (*environment.seen, *environment.items)):
            for item in _worst_of_each(look):
                if item.status != "in_sync" or not environment.error:
                    key = (environment.name, item.id)
                    note(key, _after(entries.get(key), environment.name, item, moment))
        known = dict.fromkeys((*before.get(environment.name, ()), *(item.id for item in environment.found)))
        for name in _gone(known, environment):
            key = (environment.name, name)
            if key in entries and entries[key].open:
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


def open_by_environment(history: History) -> Mapping[str, list[str]]:
    """The ids of what is not clean, in the history's order."""
    found: dict[str, list[str]] = {}
    for (environment, name), entry in history.entries.items():
        if entry.open:
            found.setdefault(environment, []).append(name)
    return found


@dataclass(frozen=True)
class Watch:
    """Which of many clean items of one environment a history has to hear of.

    :param ids: what it has as not clean.
    :param places: where it knows that something could not be checked; any item from there shows that it can be.
    """

    ids: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()

    def wants(self, name: str) -> bool:
        return name in self.ids or (bool(self.places) and any(place in self.places for place in _places(name)))


def watch(ids: Iterable[str]) -> Watch:
    """What to look out for, from the ids that are open."""
    known = frozenset(ids)
    ends = (name.rpartition("/") for name in known)
    return Watch(known, frozenset(place for place, _slash, last in ends if last == COULD_NOT_CHECK))


def _places(name: str) -> Iterator[str]:
    """Everything that an id lies in: ``a`` and ``a/b`` for ``a/b/c``."""
    at = name.find("/")
    while at >= 0:
        yield name[:at]
        at = name.find("/", at + 1)


def _gone(known: Iterable[str], environment: Environment) -> list[str]:
    """Those of the known ids that are not in the report because they are no longer there."""
    if environment.error:
        return []
    there = {item.id for item in (*environment.items, *environment.seen)}
    places = {place for name in there for place in _places(name)}
    checks = {item.id.partition("/")[0] for item in environment.items} | {one.check for one in environment.summarised}
    whole = checks - PER_TENANT - {item.id.partition("/")[0] for item in environment.items if item.status in NOT_SEEN}

    def looked_at(name: str) -> bool:
        place, _slash, last = name.rpartition("/")
        if last == COULD_NOT_CHECK:  # it stands for everything in its place, and that is here instead
            return place in places
        return name.partition("/")[0] in whole

    return [name for name in known if name not in there and looked_at(name)]
