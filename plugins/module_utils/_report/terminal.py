# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report for a terminal: 80 columns, readable without colour."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import resume
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import PER_TENANT, Environment, Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.tally import by_status

WIDTH = 80
COLUMNS = (31, 18, 14, 11)
"""Widths of the résumé: step, found, done, now; with two spaces between them 80."""
NAME, CELL, BESIDE = 16, 13, 4
"""Widths of the table across environments, and how many stand side by side: with the spaces between them 80."""
MARKS = {".": "clean", "!": "differs", "?": "unchecked", "-": "not looked at"}
ENVIRONMENTS = 24
"""With more of them the table counts them instead, and only so many are shown one by one: the worst."""
TENANTS, ROWS = 10, 100
"""With more tenants, or more items of one check, the check has one row with counts instead of a row for each item."""
DETAILS = 50
"""How many items of an environment are told in full."""
SENTENCES = {
    "in_sync": "in sync: every check was made, nothing differs.",
    "drift": "drift: what differs is listed above.",
    "incomplete": "incomplete: not everything could be checked, so nothing is called good.",
    "error": "error: a check failed; see above.",
}


def render(report: Report) -> list[str]:
    """Lines of at most 80 columns, but that no word is broken: one block an environment, then the verdict."""
    lines = _changes(report.since_last)
    shown = report.environments
    if len(shown) > ENVIRONMENTS:
        lines += _counted_across(shown)
        shown = tuple(sorted((one for one in shown if one.verdict != "in_sync"), key=_badness)[:ENVIRONMENTS])
    elif len(shown) > 1:
        lines += _across(shown)
    for environment in shown:
        lines += _environment(environment, report)
    lines.append("")
    left = len(report.environments) - len(shown)
    if left:
        said = f"{left} of {len(report.environments)} environments are only counted here"
        lines += _wrap(f"{said}; {report.whereabouts(report.environments[0])}.", indent=0)
    lines += [part for text in report.rules for part in _wrap(text, indent=0)]
    lines.append(f"VERDICT  {SENTENCES[report.verdict]}")
    return lines


def _changes(since_last: Sequence[str]) -> list[str]:
    """What has changed since the last report: in all, then by environment."""
    lines = [""] if since_last else []
    for number, text in enumerate(since_last):
        margin = "  " if number else ""
        lines += textwrap.wrap(
            text, WIDTH, initial_indent=margin, subsequent_indent=f"{margin}  ", break_on_hyphens=False
        )
    return lines


def _badness(environment: Environment) -> int:
    return ("error", "incomplete", "drift", "in_sync").index(environment.verdict)


def _across(environments: Sequence[Environment]) -> list[str]:
    """Checks by environments, as many side by side as fit: ``.`` all clean, ``! 2`` two differ, ``? 1`` one unknown."""
    checks, lines = _checks(environments), list[str]()
    for at in range(0, len(environments), BESIDE):
        shown = environments[at : at + BESIDE]
        lines += ["", _across_row("", [environment.name for environment in shown])]
        lines += [_across_row(check, [_cell(environment, check) for environment in shown]) for check in checks]
        lines.append(_across_row("verdict", [environment.verdict for environment in shown]))
    return [*lines, "", "  . clean   ! differs   ? could not be checked   - not looked at"]


def _counted_across(environments: Sequence[Environment]) -> list[str]:
    """Checks by how many environments are so."""
    lines = ["", _across_row("environments", list(MARKS.values()))]
    for check in _checks(environments):
        marks = Counter(_cell(environment, check)[0] for environment in environments)
        lines.append(_across_row(check, [str(marks[mark]) for mark in MARKS]))
    verdicts = Counter(str(environment.verdict) for environment in environments)
    said = ", ".join(f"{verdicts[one]} {one}" for one in SENTENCES if verdicts[one])
    return [*lines, *_wrap(f"verdicts of {len(environments)} environments: {said}", indent=2)]


def _checks(environments: Sequence[Environment]) -> list[str]:
    return list(dict.fromkeys(kind.check for environment in environments for kind in environment.tally))


def _across_row(name: str, cells: Sequence[str]) -> str:
    padded = "  ".join(_shorten(cell, CELL).ljust(CELL) for cell in cells)
    return f"  {_shorten(name, NAME).ljust(NAME)}  {padded}".rstrip()


def _cell(environment: Environment, check: str) -> str:
    marks: Counter[str] = Counter()
    for kind, count in environment.tally.items():
        if kind.check == check:
            marks[_mark(kind.status)] += count
    wrong = [f"{mark} {marks[mark]}" for mark in ("!", "?") if marks[mark]]
    return " ".join(wrong) or ("." if marks else "-")


def _environment(environment: Environment, report: Report) -> list[str]:
    lines = ["", *_wrap(f"{report.mode.upper()} of {environment.name}{_tenants(environment)}", indent=0), "=" * WIDTH]
    if environment.error:
        lines += _wrap(f"Not finished: {environment.error}", indent=2)
    if report.mode == "repair" and environment.found:
        lines += _resume(environment)
    else:
        lines += _matrix(environment)
    few = len(environment.wrong) <= DETAILS
    wrong = [item for item in environment.items if item.status not in CLEAN] if few else environment.wrong[:DETAILS]
    for item in wrong:
        lines += _detail(item, environment.history.get(item.id, {}))
    if not few:
        said = f"The worst {DETAILS} of {len(environment.wrong)} items that are not clean are listed here"
        lines += ["", *_wrap(f"{said}; {report.whereabouts(environment)}.", indent=0)]
    # Only where a tool would undo the repair: elsewhere it would be noise.
    if environment.git_fragment and any(item.owner.gitops for item in (*environment.found, *environment.wrong)):
        lines += ["", "To keep the change, put this where the Deployment is applied from:", ""]
        lines += [f"    {line}".rstrip() for line in environment.git_fragment.splitlines()]
    return lines


def _tenants(environment: Environment) -> str:
    if len(environment.tenants) > TENANTS:
        return f", {len(environment.tenants)} tenants"
    return f", tenant {', '.join(environment.tenants)}" if environment.tenants else ""


def _matrix(environment: Environment) -> list[str]:
    if not environment.looked_at:
        return []
    width = WIDTH - 34
    titles = dict(resume.STEPS)
    listed: dict[str, list[Item]] = {}
    for item in environment.items:
        listed.setdefault(item.check, []).append(item)
    lines = [f"{'check':<{width}}  {'status':<18} {'repair':<12}".rstrip()]
    for check in _checks([environment]):
        lines += _wrap(f"{check}: {titles.get(check, '')}".rstrip(": "), indent=0)
        if _is_counted(environment, check, listed.get(check, ())):
            lines += _counted(environment, check)
            continue
        for item in listed[check]:
            name = _shorten(item.id.removeprefix(f"{check}/"), width - 4)
            action = "" if item.action == "none" else item.action
            lines.append(f"  {_mark(item.status)} {name:<{width - 4}}  {item.status:<18} {action}".rstrip())
    return lines


def _is_counted(environment: Environment, check: str, items: Sequence[Item]) -> bool:
    """Whether there is too much of a check for a row an item."""
    if len(items) > ROWS or any(group.check == check for group in environment.summarised):
        return True
    return check in PER_TENANT and len({item.id.split("/")[1] for item in items if "/" in item.id}) > TENANTS


def _counted(environment: Environment, check: str) -> list[str]:
    tally = {kind: count for kind, count in environment.tally.items() if kind.check == check}
    said = ", ".join(f"{count} {status}" for status, count in by_status(tally).items())
    text = f"{_cell(environment, check)[0]} {sum(tally.values())} items: {said}"
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _resume(environment: Environment) -> list[str]:
    lines = _row("step", "found", "done", "now")
    for step in resume.steps(environment.found, environment.items):
        lines += _row(step.title, step.found, step.done, step.now)
    return lines


def _row(*cells: str) -> list[str]:
    """One row of the résumé; a cell that is too long goes on in the next line."""
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, COLUMNS, strict=True)]
    height = max(len(cell) for cell in wrapped)
    padded = [cell + [""] * (height - len(cell)) for cell in wrapped]
    return [
        "  ".join(part.ljust(width) for part, width in zip(line, COLUMNS, strict=True)).rstrip()
        for line in zip(*padded, strict=True)
    ]


def _detail(item: Item, history: Mapping[str, object]) -> list[str]:
    lines = ["", *_wrap(f"{_mark(item.status)} {item.id}: {item.status} ({item.severity})", indent=0)]
    lines += _wrap(item.address, indent=4)
    if item.reason:
        lines += _wrap(item.reason, indent=4)
    if item.hint:
        lines += _wrap(f"To do: {item.hint}", indent=4)
    if history:
        again = f", {history['times']} times" if int(str(history["times"])) > 1 else ""
        lines += _wrap(f"First seen: {history['first_seen']}{again}", indent=4)
    if item.owner.managers:
        risk = "" if item.owner.revert_risk == "none" else f" (will it be reverted: {item.owner.revert_risk})"
        since = f", so since {item.owner.since}" if item.owner.gitops and item.owner.since else ""
        lines += _wrap(f"Written by: {', '.join(item.owner.managers)}{since}{risk}", indent=4)
    if item.owner.source:
        lines += _wrap(f"Applied by: {item.owner.gitops}, {item.owner.source}", indent=4)
    return lines


def _mark(status: str) -> str:
    if status in CLEAN:
        return "."
    return "?" if status in UNCHECKED else "!"


def _wrap(text: str, *, indent: int) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        text, WIDTH, initial_indent=margin, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
