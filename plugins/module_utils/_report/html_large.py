# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A large report's page: the worst items to be read without the script, and the rest as data for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html_items import (
    GROUP_LABELS,
    KINDS,
    NOT_LISTED,
    STEP_LABELS,
    card,
    clean_facts_of,
    escaped,
    facts_of,
    groups_title,
    kind_of,
    lists,
    owner_of,
    shape,
    step_rows,
    words,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.tally import Group, Kind

WITHOUT_SCRIPT = 200
"""How many items and environments of a large report are readable without the script: the worst."""
LISTED = 50_000
"""How many items the page has at most; of the others it has the counts. 50,000 make some 20 MB, which a browser opens
within about two seconds."""


@dataclass(frozen=True)
class Listed:
    """What of an environment is on the page: items one by one, the worst first, and kinds of which it has the count."""

    environment: Environment
    items: tuple[Item, ...]
    left_out: tuple[Group, ...]


def listed(environments: Sequence[Environment]) -> tuple[Listed, ...]:
    """As many items as a page can have, shared fairly: a large environment cannot crowd out a small one."""
    room = shares([len(env.items) for env in environments], LISTED)
    return tuple(_listed(env, most) for env, most in zip(environments, room, strict=True))


def _listed(env: Environment, most: int) -> Listed:
    clean = sorted((item for item in env.items if item.status in CLEAN), key=lambda item: item.status == "in_sync")
    items = (*env.wrong, *clean)
    left = Counter(Kind(item.check, item.status, item.severity) for item in items[most:])
    return Listed(env, items[:most], tuple(Group(*kind, count=count) for kind, count in left.items()))


def shares(sizes: Sequence[int], room: int) -> list[int]:
    """How much each gets of ``room``: what it wants, or as much as the others that do not get all they want."""
    given = [0] * len(sizes)
    left = room
    for place, number in enumerate(sorted(range(len(sizes)), key=lambda one: sizes[one])):
        given[number] = min(sizes[number], left // (len(sizes) - place))
        left -= given[number]
    return given


def body(report: Report, environments: Sequence[Environment], cells: Sequence[Sequence[tuple[str, str]]]) -> list[str]:
    """The list of environments: the worst items, and everything for the script.

    :param cells: of the table of checks, for each environment.
    """
    total = sum(len(env.wrong) for env in environments)
    left = WITHOUT_SCRIPT
    sections: list[str] = []
    for env in environments:
        wrong = env.wrong[:left]
        left -= len(wrong)
        if wrong or (env.error and len(sections) < WITHOUT_SCRIPT):
            sections.append(_section(env, wrong))
    cut = (
        f'<p class="no-script">This report is large. Without JavaScript only {WITHOUT_SCRIPT - left} of {total} items '
        "that are not clean are listed here, and none that is ignored or in sync. The JSON report has them all.</p>\n"
    )
    shown = listed(environments)
    return [cut, _left_out(report, shown), *lists(sections), _script_data(shown, cells)]


def _left_out(report: Report, shown: Sequence[Listed]) -> str:
    left = sum(group.count for one in shown for group in one.left_out)
    if not left:
        return ""
    count = sum(len(one.items) for one in shown)
    places = dict.fromkeys(report.whereabouts(one.environment) for one in shown if one.left_out)
    return (
        f'<p id="left-out">The first {count} of {count + left} items are listed on this page, the worst of each '
        f"environment. The other {left} are counted under \u201c{NOT_LISTED}\u201d; "
        f"{escaped('; '.join(places))}.</p>\n"
    )


def _section(env: Environment, wrong: Sequence[Item]) -> str:
    error = f'<p><strong class="error">Not finished:</strong> {escaped(env.error)}</p>\n' if env.error else ""
    return (
        '<section class="environment">\n'
        f"<h3>{shape(KINDS[env.verdict])} {escaped(env.name)}: {words(env.verdict)}</h3>\n"
        f"{error}{''.join(card(env, item) for item in wrong)}</section>\n"
    )


def _script_data(shown: Sequence[Listed], cells: Sequence[Sequence[tuple[str, str]]]) -> str:
    """A script element that is no script."""
    plain = {
        "steps": STEP_LABELS,
        "groups": GROUP_LABELS,
        "environments": [_data(one, row) for one, row in zip(shown, cells, strict=True)],
    }
    # "<" is the one character that could end the script element.
    raw = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="data">{raw}</script>\n'


def _data(one: Listed, cells: Sequence[tuple[str, str]]) -> dict[str, object]:
    env = one.environment
    return {
        "name": env.name,
        "verdict": words(env.verdict),
        "kind": KINDS[env.verdict],
        "error": env.error,
        "fragment": env.git_fragment,
        "steps": step_rows(env),
        "cells": cells,
        "items": [_record(env, item) for item in one.items],
        "groups": [
            [
                title,
                [[group.check, kind_of(group.status), group.status, group.severity, group.count] for group in groups],
            ]
            for title, groups in ((groups_title(env.summarised), env.summarised), (NOT_LISTED, one.left_out))
            if groups
        ],
    }


def _record(env: Environment, item: Item) -> list[object]:
    clean = item.status in CLEAN
    title, owner = owner_of(item)
    told: list[object] = [item.id, kind_of(item.status), item.status, item.severity]
    told.append(clean_facts_of(item) if clean else facts_of(env, item))
    return told if clean or not owner else [*told, title, owner]
