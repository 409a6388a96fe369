# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report as one page that needs nothing else: no network, no file beside it, and to be read no script.

The script only filters, unfolds and copies. The page's policy allows its own style and script by their hashes and
nothing more, so that no text of a report can do anything but be read.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, SEVERITIES, UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import resume
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html_page import SCRIPT, STYLE

LARGE_ITEMS = 2000
LARGE_ENVIRONMENTS = 200
"""Above either of the two the rows are made by the script, environment by environment, when they are asked for."""
WITHOUT_SCRIPT = 200
"""How many items and environments of a large report are readable without the script: the worst."""

SHAPES = {"sync": "●", "drift": "▲", "unchecked": "◆", "error": "■", "ignored": "○"}
KINDS = {"in_sync": "sync", "drift": "drift", "incomplete": "unchecked", "error": "error"}
SENTENCES = {
    "in_sync": "In sync: every check was made, nothing differs.",
    "drift": "Drift: what differs is listed below.",
    "incomplete": "Incomplete: not everything could be checked, so nothing is called good.",
    "error": "Error: a check failed; see below.",
}
MODES = {
    "audit": "audit (nothing was written)",
    "check": "check (what a repair would write; nothing was written)",
    "repair": "repair (the items are as they were found after it)",
}
STEP_LABELS = ("Step", "Found", "Done", "Now")


def render(report: Report) -> str:
    """The whole page as HTML. The same report gives the same bytes; the text can always be written as UTF-8."""
    environments = report.environments
    items = sum(len(env.items) for env in environments)
    large = items > LARGE_ITEMS or len(environments) > LARGE_ENVIRONMENTS
    if large:  # the worst first, for only the first are on the page at once
        environments = tuple(sorted(environments, key=lambda env: list(KINDS)[::-1].index(env.verdict)))
    seen = dict.fromkeys(item.check for env in environments for item in env.items)
    checks = (
        *(check for check, _ in resume.STEPS if check in seen),
        *(check for check in seen if check not in dict(resume.STEPS)),
    )
    parts = [_head(report), _overview(report, environments, checks, large=large), _filter()]
    parts += _large(environments, checks) if large else _lists(_section(env, n) for n, env in enumerate(environments))
    parts.append(f"</main>\n<footer><p class=quiet>Made by {_text(report.generator)}.</p></footer>\n")
    parts.append(f"<script>{SCRIPT}</script>\n</body>\n</html>\n")
    # No lone surrogate may keep the page from being written, and HTML has no NUL.
    return "".join(parts).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _head(report: Report) -> str:
    when = report.generated_at.astimezone(datetime.UTC)
    policy = (
        f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    names = ", ".join(env.name for env in report.environments[:3]) + (", …" if len(report.environments) > 3 else "")
    kind = KINDS[report.verdict]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>Amazon integration, {_words(report.verdict)}: {_text(names)}</title>\n<style>{STYLE}</style>\n"
        '</head>\n<body>\n<a class="skip" href="#lists">To the items</a>\n<header>\n'
        "<h1>Drift report of the Amazon integration</h1>\n"
        f'<p>Made <time datetime="{when:%Y-%m-%dT%H:%M:%SZ}">{when:%Y-%m-%d %H:%M:%S} UTC</time>, '
        f"mode {_text(MODES.get(report.mode, report.mode))}.</p>\n"
        f'<p class="verdict {kind}">{_shape(kind)} <span>{SENTENCES[report.verdict]}</span></p>\n</header>\n<main>\n'
    )


def _overview(report: Report, environments: Sequence[Environment], checks: Sequence[str], *, large: bool) -> str:
    statuses = Counter(item.status for env in report.environments for item in env.items)
    wrong = Counter(i.severity for env in report.environments for i in env.items if i.status not in CLEAN)
    said = ", ".join(f"{number} {_words(status)}" for status, number in sorted(statuses.items())) or "none"
    severities = ", ".join(f"{wrong[one]} {one}" for one in SEVERITIES if wrong[one]) or "none"
    shown = environments[:WITHOUT_SCRIPT] if large else environments
    cut = ""
    if len(shown) < len(environments):
        cut = (
            f'<p class="quiet" id="cut-matrix">The table has the worst {len(shown)} of {len(environments)} '
            "environments; the others need JavaScript.</p>\n"
        )
    more = '<button type="button" id="more-matrix" hidden></button>\n' if large else ""
    return (
        '<section aria-labelledby="overview">\n<h2 id="overview">Overview</h2>\n'
        f"{_said(report.since_last)}"
        f"<p>{_number(len(report.environments), 'environment')}, {sum(statuses.values())} items: {said}.<br>\n"
        f"Not clean, by severity: {severities}.</p>\n{_matrix(shown, checks, linked=not large)}{cut}{more}"
        f"{_said(report.rules)}</section>\n"
    )


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _said(lines: Sequence[str]) -> str:
    """Lines about the report as a whole: what has changed since the last one, what its rules did."""
    return "".join(f"<p>{_text(line.strip())}</p>\n" for line in lines)


def _matrix(environments: Sequence[Environment], checks: Sequence[str], *, linked: bool) -> str:
    titles = dict(resume.STEPS)
    heads = "".join(
        f'<th scope="col">{_text(titles.get(check, check))}<br><code class="quiet">{_text(check)}</code></th>'
        for check in checks
    )
    rows = []
    for number, env in enumerate(environments):
        name = f'<a href="#environment-{number}">{_text(env.name)}</a>' if linked else _text(env.name)
        cells = "".join(f"<td>{_shape(kind)} {_text(said)}</td>" for kind, said in _cells(env, checks))
        verdict = f"<td>{_shape(KINDS[env.verdict])} {_words(env.verdict)}</td>"
        rows.append(f'<tr><th scope="row">{name}</th>{verdict}{cells}</tr>\n')
    return (
        '<div class="scroll tall" tabindex="0" role="region" aria-label="Checks by environment">\n<table id="matrix">\n'
        "<caption>Each check in each environment</caption>\n"
        f'<thead><tr><th scope="col">Environment</th><th scope="col">Verdict</th>{heads}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n</table>\n</div>\n"
    )


def _cells(env: Environment, checks: Sequence[str]) -> list[tuple[str, str]]:
    """Shape and words for each check: what is not in sync, counted by its status."""
    by_check: dict[str, list[Item]] = {}
    for item in env.items:
        by_check.setdefault(item.check, []).append(item)
    cells = []
    for check in checks:
        items = by_check.get(check, [])
        kinds = {_kind(item) for item in items}
        worst = next((kind for kind in ("error", "unchecked", "drift") if kind in kinds), "sync")
        counted = Counter(item.status for item in items if item.status != "in_sync")
        said = [f"{number} {_words(status)}" for status, number in sorted(counted.items())]
        if worst == "sync":
            said.insert(0, "in sync")
        cells.append((worst, ", ".join(said)) if items else ("unchecked", "not looked at"))
    return cells


def _filter() -> str:
    selects = "".join(
        f'<label>{name.title()} <select id="{name}"><option value="">all</option></select></label>\n'
        for name in ("status", "severity", "environment")
    )
    return (
        '<section aria-labelledby="items">\n<h2 id="items">Items by environment</h2>\n'
        f'<div class="filter script" role="search" aria-label="Filter the items" hidden>\n{selects}'
        '<label>Text <input id="q" type="search" autocomplete="off"></label>\n'
        '<button type="button" id="reset">Show all</button>\n'
        '<p id="shown" role="status" aria-live="polite"></p>\n</div>\n'
    )


def _lists(sections: Iterable[str]) -> list[str]:
    return ['<div id="lists" tabindex="-1">\n', *sections, "</div>\n</section>\n"]


def _section(env: Environment, number: int) -> str:
    """One environment, whole; what is in sync is folded away."""
    kind = KINDS[env.verdict]
    tenants = f'<p class="quiet">Tenants: {_text(", ".join(env.tenants))}</p>\n' if env.tenants else ""
    error = f'<p><strong class="error">Not finished:</strong> {_text(env.error)}</p>\n' if env.error else ""
    ignored = [item for item in env.items if item.status == "ignored"]
    sync = [item for item in env.items if item.status == "in_sync"]
    return (
        f'<section class="environment" id="environment-{number}" data-environment="{_text(env.name)}" '
        f'aria-labelledby="name-{number}">\n<h3 id="name-{number}">{_shape(kind)} {_text(env.name)}: '
        f"{_words(env.verdict)}</h3>\n{tenants}{error}{_steps(env)}"
        f"{''.join(_card(env, item) for item in _wrong(env))}{_fragment(env, number)}"
        + (
            f'<div class="part">\n<h4>Ignored ({len(ignored)})</h4>\n{_table(ignored, why=True)}</div>\n'
            if ignored
            else ""
        )
        + (
            f'<details class="part">\n<summary><h4>In sync ({len(sync)})</h4></summary>\n{_table(sync, why=False)}'
            "</details>\n"
            if sync
            else ""
        )
        + "</section>\n"
    )


def _wrong(env: Environment) -> list[Item]:
    """What is not clean, the worst first, else in the order of the look."""
    rank = {str(severity): number for number, severity in enumerate(SEVERITIES)}
    wrong = [item for item in env.items if item.status not in CLEAN]
    return sorted(wrong, key=lambda item: rank.get(item.severity, len(rank)))


def _steps(env: Environment) -> str:
    rows = _step_rows(env)
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{label}</th>' for label in STEP_LABELS)
    body = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>{"".join(f"<td>{_text(cell)}</td>" for cell in row[1:])}</tr>\n'
        for row in rows
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="What the repair did">\n<table>\n'
        f"<caption>What the repair found and did</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n"
        "</table>\n</div>\n"
    )


def _step_rows(env: Environment) -> list[tuple[str, str, str, str]]:
    return [(step.title, step.found, step.done, step.now) for step in resume.steps(env.found, env.items)]


def _card(env: Environment, item: Item) -> str:
    facts = "".join(f"<dt>{label}</dt><dd>{_text(value)}</dd>\n" for label, value in _facts(env, item))
    return (
        f'<article class="item" data-status="{_text(item.status)}" data-severity="{_text(item.severity)}">\n'
        f"<h4>{_shape(_kind(item))} {_text(item.id)}</h4>\n"
        f"<p><strong>{_words(item.status)}</strong>, severity {_text(item.severity)}</p>\n"
        f"<dl>\n{facts}</dl>\n</article>\n"
    )


def _facts(env: Environment, item: Item) -> list[tuple[str, str]]:
    """What there is to say of an item that is not in sync: label and text, nothing that is empty."""
    owner, known = item.owner, env.history.get(item.id, {})
    again = int(str(known.get("times", 0)))
    risk = {"certain": "certainly", "possible": "possibly", "unknown": "nobody can tell"}
    applied = ", ".join(part for part in (owner.gitops, owner.source) if part)
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
        ("Written by", ", ".join(owner.managers)),
        ("So since", f"{owner.since} at least" if owner.since else ""),
        ("Applied by", applied),
        ("Declared there", "" if owner.declared is None else ("yes" if owner.declared else "no")),
        ("Field", owner.path),
        ("Will it be reverted", risk.get(owner.revert_risk, "")),
    ]
    return [(label, str(text)) for label, text in facts if text]


def _value(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _fragment(env: Environment, number: int) -> str:
    if not env.git_fragment:
        return ""
    return (
        f'<h4 id="fragment-{number}">To keep the change, put this where the Deployment is applied from</h4>\n'
        f'<pre tabindex="0" role="region" aria-labelledby="fragment-{number}">{_text(env.git_fragment)}</pre>\n'
    )


def _table(items: Sequence[Item], *, why: bool) -> str:
    last = '<th scope="col">Why</th>' if why else ""
    rows = "".join(
        f'<tr data-status="{_text(item.status)}" data-severity="{_text(item.severity)}"><th scope="row">'
        f"{_shape(_kind(item))} {_text(item.id)}</th><td>{_text(item.address)}</td>"
        + (f"<td>{_text(item.reason)}</td>" if why else "")
        + "</tr>\n"
        for item in items
    )
    return (
        f'<table>\n<thead><tr><th scope="col">Item</th><th scope="col">Address</th>{last}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n"
    )


def _large(environments: Sequence[Environment], checks: Sequence[str]) -> list[str]:
    """The worst items to be read without the script, and everything as data for it."""
    total = sum(len(_wrong(env)) for env in environments)
    left = WITHOUT_SCRIPT
    sections: list[str] = []
    for env in environments:
        wrong = _wrong(env)[:left]
        left -= len(wrong)
        if wrong or (env.error and len(sections) < WITHOUT_SCRIPT):
            sections.append(_section_of_large(env, wrong))
    cut = (
        f'<p class="no-script">This report is large. Without JavaScript only {WITHOUT_SCRIPT - left} of {total} items '
        "that are not clean are listed here, and none that is ignored or in sync. The JSON report has them all.</p>\n"
    )
    data = {"steps": STEP_LABELS, "environments": [_data(env, checks) for env in environments]}
    # "<" is the one character that could end the script element.
    raw = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return [cut, *_lists(sections), f'<script type="application/json" id="data">{raw}</script>\n']


def _section_of_large(env: Environment, wrong: Sequence[Item]) -> str:
    error = f'<p><strong class="error">Not finished:</strong> {_text(env.error)}</p>\n' if env.error else ""
    return (
        '<section class="environment">\n'
        f"<h3>{_shape(KINDS[env.verdict])} {_text(env.name)}: {_words(env.verdict)}</h3>\n"
        f"{error}{''.join(_card(env, item) for item in wrong)}</section>\n"
    )


def _data(env: Environment, checks: Sequence[str]) -> dict[str, object]:
    clean = [item for item in env.items if item.status in CLEAN]
    return {
        "name": env.name,
        "verdict": _words(env.verdict),
        "kind": KINDS[env.verdict],
        "error": env.error,
        "fragment": env.git_fragment,
        "steps": _step_rows(env),
        "cells": _cells(env, checks),
        "items": [[i.id, _kind(i), i.status, i.severity, _facts(env, i)] for i in _wrong(env)]
        + [[i.id, _kind(i), i.status, i.severity, _clean_facts(i)] for i in clean],
    }


def _clean_facts(item: Item) -> list[tuple[str, str]]:
    facts = [("Address", item.address)]
    return [*facts, ("Why", item.reason)] if item.status == "ignored" else facts


def _kind(item: Item) -> str:
    if item.status in CLEAN:
        return "sync" if item.status == "in_sync" else "ignored"
    if item.status in UNCHECKED:
        return "unchecked"
    return "error" if item.status == "error" else "drift"


def _shape(kind: str) -> str:
    """Always beside a word, hence nothing for a screen reader."""
    return f'<span class="{kind}" aria-hidden="true">{SHAPES[kind]}</span>'


def _words(name: str) -> str:
    return _text(str(name).replace("_", " "))


def _text(value: object) -> str:
    return escape(str(value))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
