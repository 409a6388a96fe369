# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Parts of the report's page: an item, a table, and the words and shapes they are told by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import resume
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.tally import Group

SHAPES = {"sync": "●", "drift": "▲", "unchecked": "◆", "error": "■", "ignored": "○"}
KINDS = {"in_sync": "sync", "drift": "drift", "incomplete": "unchecked", "error": "error"}
"""A shape and colour for each verdict; the statuses have theirs from :func:`kind_of`."""
STEP_LABELS = ("Step", "Found", "Done", "Now")
GROUP_LABELS = ("Check", "Status", "Severity", "Items")
NOT_LISTED = "Not listed one by one"


def lists(sections: Iterable[str]) -> list[str]:
    """The list of environments, which the script of a large report replaces."""
    return ['<div id="lists" tabindex="-1">\n', *sections, "</div>\n</section>\n"]


def steps_table(env: Environment) -> str:
    rows = step_rows(env)
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{label}</th>' for label in STEP_LABELS)
    body = "".join(
        f'<tr><th scope="row">{escaped(row[0])}</th>{"".join(f"<td>{escaped(cell)}</td>" for cell in row[1:])}</tr>\n'
        for row in rows
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="What the repair did">\n<table>\n'
        f"<caption>What the repair found and did</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n"
        "</table>\n</div>\n"
    )


def step_rows(env: Environment) -> list[tuple[str, str, str, str]]:
    return [(step.title, step.found, step.done, step.now) for step in resume.steps(env.found, env.items)]


def card(env: Environment, item: Item) -> str:
    """One item that is not in sync; who writes the object beside us is folded away."""
    kind = kind_of(item.status)
    title, owner = owner_of(item)
    folded = (
        f'<details class="owner">\n<summary>{escaped(title)}</summary>\n{_list(owner)}</details>\n' if owner else ""
    )
    return (
        f'<article class="item {kind}" data-status="{escaped(item.status)}" data-severity="{escaped(item.severity)}">\n'
        f"<h4>{shape(kind)} {escaped(item.id)}</h4>\n"
        f'<p><strong class="badge {kind}">{words(item.status)}</strong> '
        f'<span class="badge {escaped(item.severity)}">severity {escaped(item.severity)}</span></p>\n'
        f"{_list(facts_of(env, item))}{folded}</article>\n"
    )


def _list(facts: Iterable[tuple[str, str]]) -> str:
    return "<dl>\n" + "".join(f"<dt>{label}</dt><dd>{escaped(text)}</dd>\n" for label, text in facts) + "</dl>\n"


def facts_of(env: Environment, item: Item) -> list[tuple[str, str]]:
    """What there is to say of an item that is not in sync: label and text, nothing that is empty."""
    known = env.history.get(item.id, {})
    again = int(str(known.get("times", 0)))
    facts = [
        ("Address", item.address),
        ("Why", item.reason),
        ("To do", item.hint),
        ("Before", _value(item.before)),
        ("After", _value(item.after)),
        ("Repair", "" if item.action == "none" else item.action),
        ("Waits for", ", ".join(item.depends_on)),
        ("First seen", known.get("first_seen")),
        ("Came back", f"{again} times, last by {known.get('brought_by') or 'nobody known'}" if again > 1 else ""),
    ]
    return [(label, str(text)) for label, text in facts if text]


RISKS = {"certain": "it will be reverted", "possible": "it may be reverted", "unknown": "nobody can tell if it is kept"}


def owner_of(item: Item) -> tuple[str, list[tuple[str, str]]]:
    """Who writes the object beside us, in one line and in full: label and text, nothing that is empty."""
    owner = item.owner
    facts = [
        ("Written by", ", ".join(owner.managers)),
        ("So since", f"{owner.since} at least" if owner.since else ""),
        ("Applied by", ", ".join(part for part in (owner.gitops, owner.source) if part)),
        ("Declared there", "" if owner.declared is None else ("yes" if owner.declared else "no")),
        ("Field", owner.path or ""),
    ]
    who = ", ".join(dict.fromkeys(part for part in (*owner.managers, owner.gitops) if part)) or "nobody else"
    risk = RISKS.get(owner.revert_risk)
    return f"Owner: {who}" + (f"; {risk}" if risk else ""), [(label, text) for label, text in facts if text]


def _value(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def fragment(env: Environment, number: int) -> str:
    if not env.git_fragment:
        return ""
    return (
        f'<h4 id="fragment-{number}">To keep the change, put this where the Deployment is applied from</h4>\n'
        f'<pre tabindex="0" role="region" aria-labelledby="fragment-{number}">{escaped(env.git_fragment)}</pre>\n'
    )


def item_table(items: Sequence[Item], *, why: bool) -> str:
    last = '<th scope="col">Why</th>' if why else ""
    rows = "".join(
        f'<tr data-status="{escaped(item.status)}" data-severity="{escaped(item.severity)}"><th scope="row">'
        f"{shape(kind_of(item.status))} {escaped(item.id)}</th><td>{escaped(item.address)}</td>"
        + (f"<td>{escaped(item.reason)}</td>" if why else "")
        + "</tr>\n"
        for item in items
    )
    return (
        f'<table class="items">\n<thead><tr><th scope="col">Item</th><th scope="col">Address</th>{last}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n"
    )


def groups_title(groups: Iterable[Group]) -> str:
    """What a table of summarised items is called."""
    statuses = {group.status for group in groups}
    return (
        " or ".join(one for one in ("in_sync", "ignored") if one in statuses).replace("_", " ").capitalize()
        + ", summarised"
    )


def groups_table(groups: Iterable[Group]) -> str:
    """Items that are counted: one row for all of a kind."""
    rows = "".join(
        f'<tr data-status="{escaped(one.status)}" data-severity="{escaped(one.severity)}" data-count="{one.count}">'
        f'<th scope="row">{shape(kind_of(one.status))} {escaped(one.check)}</th><td>{words(one.status)}</td>'
        f"<td>{escaped(one.severity)}</td><td>{one.count}</td></tr>\n"
        for one in groups
    )
    heads = "".join(f'<th scope="col">{label}</th>' for label in GROUP_LABELS)
    return f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"


def clean_facts_of(item: Item) -> list[tuple[str, str]]:
    facts = [("Address", item.address)]
    return [*facts, ("Why", item.reason)] if item.status == "ignored" else facts


def kind_of(status: str) -> str:
    """The name of a status' shape and colour."""
    if status in CLEAN:
        return "sync" if status == "in_sync" else "ignored"
    if status in UNCHECKED:
        return "unchecked"
    return "error" if status == "error" else "drift"


def shape(kind: str) -> str:
    """Always beside a word, hence nothing for a screen reader."""
    return f'<span class="{kind}" aria-hidden="true">{SHAPES[kind]}</span>'


def words(name: str) -> str:
    return escaped(str(name).replace("_", " "))


def escaped(value: object) -> str:
    return escape(str(value))
