# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Drift that somebody answers for until a day: it stays in the report, as ``ignored`` and with that name."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment

NEVER_HIDDEN: frozenset[str] = UNCHECKED | {"error"}
"""Nobody can answer for what nobody has seen: what could not be checked never turns green by a rule."""
EXAMPLE = (
    "A rule reads {id: backend_access/env/*, environment: staging, owner: who answers for it, reason: why, "
    "expires: 2026-03-31}."
)


@dataclass(frozen=True)
class Rule:
    """Drift that is let be. Field names are the keys a rule may have, those without a default it must have.

    :param id: pattern for the item's id: ``*`` any characters, ``?`` one; letters as they are written.
    :param owner: who answers for it.
    :param expires: the last day, in UTC, on which the rule holds.
    """

    id: str
    owner: str
    reason: str
    expires: datetime.date
    environment: str = "*"

    def holds(self, now: datetime.datetime) -> bool:
        """Until the end of its last day in UTC. ``now`` is aware."""
        return now.astimezone(datetime.UTC).date() <= self.expires

    def matches(self, item: Item, environment: str) -> bool:
        return _fits(item.id, self.id) and _fits(environment, self.environment)


KEYS = tuple(one.name for one in fields(Rule))
REQUIRED = tuple(one.name for one in fields(Rule) if one.default is MISSING)


def parse_rules(raw: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules from the user's list, in its order, which is their precedence.

    :raises BadInputError: the message names the first rule that is wrong by its number, counted from 1, and what is.
    """
    if isinstance(raw, str) or not isinstance(raw, Sequence):
        raise BadInputError("reading", "ignore rules", "this is no list", EXAMPLE)
    return tuple(_rule(number, entry) for number, entry in enumerate(raw, start=1))


def apply(items: Iterable[Item], environment: str, rules: Sequence[Rule], now: datetime.datetime) -> tuple[Item, ...]:
    """The same items in the same order; drift that a rule in force names is ``ignored``, with its rule as the reason.

    An ignored item has no action, so what waits for it is no longer explained by it and makes the verdict incomplete.
    """
    return tuple(_judged(item, _first(item, environment, rules, now)) for item in items)


def expired(rules: Iterable[Rule], now: datetime.datetime) -> tuple[Rule, ...]:
    """The rules whose last day is over; they have no effect."""
    return tuple(rule for rule in rules if not rule.holds(now))


def unused(environments: Iterable[Environment], rules: Sequence[Rule], now: datetime.datetime) -> tuple[Rule, ...]:
    """The rules in force that matched nothing, or only what an earlier rule matches: they can be removed.

    :param environments: as they were before :func:`apply`.

    What could not be looked at may be what a rule is for. So a rule is used, too, by an item that it must not hide,
    and is not called unused where one of its environments has an error or was not looked at.
    """
    used = set()
    for environment in environments:
        if environment.error or not environment.looked_at:
            used |= {number for number, rule in enumerate(rules) if _fits(environment.name, rule.environment)}
        for item in environment.items:
            rule = _first(item, environment.name, rules, now)
            if rule is not None and item.status not in CLEAN:
                used.add(rules.index(rule))
    return tuple(rule for number, rule in enumerate(rules) if number not in used and rule.holds(now))


def _first(item: Item, environment: str, rules: Iterable[Rule], now: datetime.datetime) -> Rule | None:
    return next((rule for rule in rules if rule.holds(now) and rule.matches(item, environment)), None)


def _judged(item: Item, rule: Rule | None) -> Item:
    if rule is None or item.status in CLEAN or item.status in NEVER_HIDDEN:
        return item
    was = f"{item.status}: {item.reason}" if item.reason else item.status
    return replace(
        item,
        status="ignored",
        action="none",
        reason=f"ignored until {rule.expires.isoformat()} by {rule.owner}: {rule.reason} (was {was})",
    )


def _fits(name: str, pattern: str) -> bool:
    # fnmatch knows [abc] besides; here a bracket is a bracket.
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _rule(number: int, entry: object) -> Rule:
    if not isinstance(entry, Mapping):
        raise _wrong(number, "it is no dictionary")
    unknown = sorted(str(key) for key in entry if key not in KEYS)
    if unknown:
        raise _wrong(number, f"unknown key {', '.join(unknown)} (known are {', '.join(KEYS)})")
    lacking = [name for name in REQUIRED if entry.get(name) is None]
    if lacking:
        raise _wrong(number, f"it has no {', '.join(lacking)}")
    words = {name: _text(number, name, entry[name]) for name in ("id", "owner", "reason")}
    environment = "*" if entry.get("environment") is None else _text(number, "environment", entry["environment"])
    # Every id has a slash, so */* hides as much as * does.
    if not words["id"].strip("*?/") and not environment.strip("*?"):
        raise _wrong(number, "it would hide everything everywhere, so it is refused; name items or an environment")
    return Rule(**words, environment=environment, expires=_day(number, entry["expires"]))


def _text(number: int, name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(number, f"{name} is no text")
    words = " ".join(value.split())
    if not words:
        raise _wrong(number, f"{name} is empty")
    return words


def _day(number: int, value: object) -> datetime.date:
    """The day in UTC. YAML makes dates of what looks like one, so they arrive either way."""
    said = value.isoformat() if isinstance(value, datetime.date) else value
    if not isinstance(said, str):
        raise _wrong(number, "expires is no ISO date; quote it: '2026-03-31'")
    said = said.strip()
    try:
        return datetime.date.fromisoformat(said)
    except ValueError:
        pass
    try:
        moment = datetime.datetime.fromisoformat(said)
        if moment.tzinfo is not None:
            return moment.astimezone(datetime.UTC).date()
    except (ValueError, OverflowError) as error:
        raise _wrong(number, f"expires is no ISO date: {said!r}") from error
    raise _wrong(number, f"expires has a time without a zone: {said!r}; end it with Z for UTC, or give the day alone")


def _wrong(number: int, what: str) -> BadInputError:
    return BadInputError("reading", f"ignore rule {number}", what, EXAMPLE)
