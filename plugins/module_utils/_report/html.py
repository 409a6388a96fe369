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
from collections import Counter
from collections.abc import Sequence

from ansible_collections.keybuzz.amazon.plugins.module_utils._report import html_large, resume
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html_items import (
    KINDS,
    card,
    escaped,
    fragment,
    groups_table,
    groups_title,
    item_table,
    kind_of,
    lists,
    shape,
    steps_table,
    words,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html_large import WITHOUT_SCRIPT
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html_script import SCRIPT
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.html_style import STYLE
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.tally import by_severity, by_status

LARGE_ITEMS = 2000
LARGE_ENVIRONMENTS = 200
"""Above either of the two the rows are made by the script, environment by environment, when they are asked for."""
TENANTS = 10
"""How many tenants of an environment are named."""

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


def render(report: Report) -> str:
    """The whole page as HTML. The same report gives the same bytes; the text can always be written as UTF-8."""
    environments = report.environments
    items = sum(len(env.items) for env in environments)
    large = items > LARGE_ITEMS or len(environments) > LARGE_ENVIRONMENTS
    if large:  # the worst first, for only the first are on the page at once
        environments = tuple(sorted(environments, key=lambda env: list(KINDS)[::-1].index(env.verdict)))
    seen = dict.fromkeys(kind.check for env in environments for kind in env.tally)
    checks = (
        *(check for check, _words in resume.STEPS if check in seen),
        *(check for check in seen if check not in dict(resume.STEPS)),
    )
    parts = [_head(report), _overview(report, environments, checks, large=large), _filter()]
    if large:
        parts += html_large.body(report, environments, [_cells(env, checks) for env in environments])
    else:
        parts += lists(_section(env, number) for number, env in enumerate(environments))
    parts.append(f"</main>\n<footer><p class=quiet>Made by {escaped(report.generator)}.</p></footer>\n")
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
        f"<title>Amazon integration, {words(report.verdict)}: {escaped(names)}</title>\n<style>{STYLE}</style>\n"
        '</head>\n<body>\n<a class="skip" href="#lists">To the items</a>\n<header>\n'
        "<h1>Drift report of the Amazon integration</h1>\n"
        f'<p>Made <time datetime="{when:%Y-%m-%dT%H:%M:%SZ}">{when:%Y-%m-%d %H:%M:%S} UTC</time>, '
        f"mode {escaped(MODES.get(report.mode, report.mode))}.</p>\n"
        f'<p class="verdict {kind}">{shape(kind)} <span>{SENTENCES[report.verdict]}</span></p>\n</header>\n<main>\n'
    )


def _overview(report: Report, environments: Sequence[Environment], checks: Sequence[str], *, large: bool) -> str:
    statuses, wrong = by_status(report.tally), by_severity(report.tally)
    said = ", ".join(f"{number} {words(status)}" for status, number in statuses.items()) or "none"
    severities = ", ".join(f"{number} {severity}" for severity, number in wrong.items()) or "none"
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
        f"{_changes(report.since_last)}"
        f"<p>{_number(len(report.environments), 'environment')}, {sum(statuses.values())} items: {said}.<br>\n"
        f"Not clean, by severity: {severities}.</p>\n{_matrix(shown, checks, linked=not large)}{cut}{more}"
        f"{_said(report.rules)}</section>\n"
    )


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _said(lines: Sequence[str]) -> str:
    """Lines about the report as a whole, such as what its rules did."""
    return "".join(f"<p>{escaped(line)}</p>\n" for line in lines)


def _changes(lines: Sequence[str]) -> str:
    """What has changed since the last report: in all, then by environment."""
    parts = "".join(f"<li>{escaped(line)}</li>\n" for line in lines[1:])
    return _said(lines[:1]) + (f"<ul>\n{parts}</ul>\n" if parts else "")


def _matrix(environments: Sequence[Environment], checks: Sequence[str], *, linked: bool) -> str:
    titles = dict(resume.STEPS)
    heads = "".join(
        f'<th scope="col">{escaped(titles.get(check, check))}<br><code class="quiet">{escaped(check)}</code></th>'
        for check in checks
    )
    rows = []
    for number, env in enumerate(environments):
        name = f'<a href="#environment-{number}">{escaped(env.name)}</a>' if linked else escaped(env.name)
        cells = "".join(f"<td>{shape(kind)} {escaped(said)}</td>" for kind, said in _cells(env, checks))
        verdict = f"<td>{shape(KINDS[env.verdict])} {words(env.verdict)}</td>"
        rows.append(f'<tr><th scope="row">{name}</th>{verdict}{cells}</tr>\n')
    return (
        '<div class="scroll tall" tabindex="0" role="region" aria-label="Checks by environment">\n<table id="matrix">\n'
        "<caption>Each check in each environment</caption>\n"
        f'<thead><tr><th scope="col">Environment</th><th scope="col">Verdict</th>{heads}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n</table>\n</div>\n"
    )


def _cells(env: Environment, checks: Sequence[str]) -> list[tuple[str, str]]:
    """Shape and words for each check: what is not in sync, counted by its status."""
    by_check: dict[str, Counter[str]] = {}
    for kind, count in env.tally.items():
        by_check.setdefault(kind.check, Counter())[kind.status] += count
    cells = []
    for check in checks:
        statuses = by_check.get(check, Counter())
        shapes = {kind_of(status) for status in statuses}
        worst = next((one for one in ("error", "unchecked", "drift") if one in shapes), "sync")
        order = sorted((status == "ignored", status) for status in statuses if status != "in_sync")
        said = [f"{statuses[status]} {words(status)}" for _rank, status in order]
        if worst == "sync":
            said.insert(0, "in sync")
        cells.append((worst, ", ".join(said)) if statuses else ("unchecked", "not looked at"))
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


def _section(env: Environment, number: int) -> str:
    """One environment, whole; what is in sync is folded away."""
    kind = KINDS[env.verdict]
    error = f'<p><strong class="error">Not finished:</strong> {escaped(env.error)}</p>\n' if env.error else ""
    ignored = [item for item in env.items if item.status == "ignored"]
    sync = [item for item in env.items if item.status == "in_sync"]
    parts = [
        f'<section class="environment" id="environment-{number}" data-environment="{escaped(env.name)}" '
        f'aria-labelledby="name-{number}">\n<h3 id="name-{number}">{shape(kind)} {escaped(env.name)}: '
        f"{words(env.verdict)}</h3>\n{_tenants(env)}{error}{steps_table(env)}",
        *(card(env, item) for item in env.wrong),
        fragment(env, number),
    ]
    if ignored:
        parts.append(f'<div class="part">\n<h4>Ignored ({len(ignored)})</h4>\n{item_table(ignored, why=True)}</div>\n')
    if sync:
        parts.append(_folded("In sync", len(sync), item_table(sync, why=False)))
    if env.summarised:
        count = sum(group.count for group in env.summarised)
        parts.append(_folded(groups_title(env.summarised), count, groups_table(env.summarised)))
    return "".join([*parts, "</section>\n"])


def _tenants(env: Environment) -> str:
    if not env.tenants:
        return ""
    left = len(env.tenants) - TENANTS
    more = f" and {left} more" if left > 0 else ""
    return f'<p class="quiet">Tenants: {escaped(", ".join(env.tenants[:TENANTS]))}{more}</p>\n'


def _folded(title: str, count: int, table: str) -> str:
    return f'<details class="part">\n<summary><h4>{title} ({count})</h4></summary>\n{table}</details>\n'


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
