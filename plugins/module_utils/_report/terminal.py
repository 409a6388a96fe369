# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report for a terminal: 80 columns, readable without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import resume
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report

WIDTH = 80
COLUMNS = (31, 18, 14, 11)
"""Widths of the résumé: step, found, done, now; with two spaces between them 80."""
NAME, CELL, BESIDE = 16, 13, 4
"""Widths of the table across environments, and how many stand side by side: with the spaces between them 80."""
SENTENCES = {
    "in_sync": "in sync: every check was made, nothing differs.",
    "drift": "drift: what differs is listed above.",
    "incomplete": "incomplete: not everything could be checked, so nothing is called good.",
    "error": "error: a check failed; see above.",
}


def render(report: Report) -> list[str]:
    """Lines of at most 80 columns, but that no word is broken: one block an environment, then the verdict."""
    lines: list[str] = ["", *report.since_last] if report.since_last else []
    if len(report.environments) > 1:
        lines += _across(report.environments)
    for environment in report.environments:
        lines += _environment(environment, report.mode)
    lines.append("")
    lines += [part for text in report.rules for part in _wrap(text, indent=0)]
    lines.append(f"VERDICT  {SENTENCES[report.verdict]}")
    return lines


def _across(environments: Sequence[Environment]) -> list[str]:
    """Checks by environments, as many side by side as fit: ``.`` all clean, ``! 2`` two differ, ``? 1`` one unknown."""
    checks = list(dict.fromkeys(item.check for environment in environments for item in environment.items))
    lines: list[str] = []
    for at in range(0, len(environments), BESIDE):
        shown = environments[at : at + BESIDE]
        lines += ["", _across_row("", [environment.name for environment in shown])]
        lines += [_across_row(check, [_cell(environment, check) for environment in shown]) for check in checks]
        lines.append(_across_row("verdict", [environment.verdict for environment in shown]))
    return [*lines, "", "  . clean   ! differs   ? could not be checked   - not looked at"]


def _across_row(name: str, cells: Sequence[str]) -> str:
    padded = "  ".join(_shorten(cell, CELL).ljust(CELL) for cell in cells)
    return f"  {_shorten(name, NAME).ljust(NAME)}  {padded}".rstrip()


def _cell(environment: Environment, check: str) -> str:
    marks = [_mark(item) for item in environment.items if item.check == check]
    wrong = [f"{mark} {marks.count(mark)}" for mark in ("!", "?") if mark in marks]
    return " ".join(wrong) or ("." if marks else "-")


def _environment(environment: Environment, mode: str) -> list[str]:
    tenants = f", tenant {', '.join(environment.tenants)}" if environment.tenants else ""
    lines = ["", *_wrap(f"{mode.upper()} of {environment.name}{tenants}", indent=0), "=" * WIDTH]
    if environment.error:
        lines += _wrap(f"Not finished: {environment.error}", indent=2)
    if mode == "repair" and environment.found:
        lines += _resume(environment)
    else:
        lines += _matrix(environment.items)
    wrong = [item for item in environment.items if item.status not in CLEAN]
    for item in wrong:
        lines += _detail(item, environment.history.get(item.id, {}))
    # Only where a tool would undo the repair: elsewhere it would be noise.
    if environment.git_fragment and any(item.owner.gitops for item in (*environment.found, *wrong)):
        lines += ["", "To keep the change, put this where the Deployment is applied from:", ""]
        lines += [f"    {line}".rstrip() for line in environment.git_fragment.splitlines()]
    return lines


def _matrix(items: Sequence[Item]) -> list[str]:
    if not items:
        return []
    width = WIDTH - 34
    titles = dict(resume.STEPS)
    lines = [f"{'check':<{width}}  {'status':<18} {'repair':<12}".rstrip()]
    for check in dict.fromkeys(item.check for item in items):
        lines += _wrap(f"{check}: {titles.get(check, '')}".rstrip(": "), indent=0)
        for item in items:
            if item.check == check:
                name = _shorten(item.id.removeprefix(f"{check}/"), width - 4)
                action = "" if item.action == "none" else item.action
                lines.append(f"  {_mark(item)} {name:<{width - 4}}  {item.status:<18} {action}".rstrip())
    return lines


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
    lines = ["", *_wrap(f"{_mark(item)} {item.id}: {item.status} ({item.severity})", indent=0)]
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


def _mark(item: Item) -> str:
    if item.status in CLEAN:
        return "."
    return "?" if item.status in UNCHECKED else "!"


def _wrap(text: str, *, indent: int) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        text, WIDTH, initial_indent=margin, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
