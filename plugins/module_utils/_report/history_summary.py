# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What has changed since the last report, in lines: all in one, then one for each environment."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history import NOT_SEEN, Change, Changes

KINDS = ("appeared", "returned", "cleared", "changed")
ENVIRONMENTS = 20
"""How many environments are told one by one."""


def summary(changes: Changes) -> list[str]:
    """The changes: all in one line, then by environment where several have some."""
    since = f"Since {changes.since.strftime('%Y-%m-%dT%H:%MZ')}" if changes.since else "First look"
    lines = [f"{since}: {', '.join(_parts(changes)) or 'nothing changed'}"]
    by_environment = _by_environment(changes)
    if len(by_environment) < 2:
        return lines
    shown = list(by_environment.items())[:ENVIRONMENTS]
    lines += [f"{name}: {', '.join(_parts(own))}" for name, own in shown]
    left = len(by_environment) - ENVIRONMENTS
    if left > 0:
        lines.append(f"and in {left} further environments")
    return lines


def _by_environment(changes: Changes) -> Mapping[str, Changes]:
    found: dict[str, dict[str, list[Change]]] = {}
    for kind in KINDS:
        for change in getattr(changes, kind):
            found.setdefault(change.environment, {}).setdefault(kind, []).append(change)
    return {
        name: Changes(changes.since, **{kind: tuple(those) for kind, those in own.items()})
        for name, own in found.items()
    }


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
