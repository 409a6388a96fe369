# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module drift_report does: collect, hold against rules and history, write the files, decide."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import (
    history,
    html,
    ignore,
    junit,
    prometheus,
    sarif,
    webhook,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import (
    FAIL_ON,
    Environment,
    Report,
    iso,
    parse_items,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.files import write_text
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.terminal import render


def as_json(report: Report) -> str:
    """The JSON document, format 1.x."""
    return json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n"


OUTPUTS: Mapping[str, Callable[[Report], str]] = {
    "path": as_json,
    "html_path": html.render,
    "junit_path": junit.render,
    "prometheus_path": prometheus.render,
    "sarif_path": sarif.render,
}
"""Option that names a file to what is written into it."""


def run(params: Mapping[str, Any], now: datetime.datetime) -> tuple[Report, tuple[str, ...]]:
    """The report, with its files written and whoever wants to know told, and warnings.

    :param now: aware.
    :raises BadInputError: no environment, an entry that is none, a rule that is none, or a file that cannot be written.
    """
    report = build(params["environments"], params["mode"], now, ignore.parse_rules(params.get("ignore") or ()))
    path, url = params.get("history_path"), params.get("webhook_url")
    known, changes = None, history.Changes(None)
    if url:
        webhook.check(url, path)
    if path:
        known, changes = history.update(history.read(path), report, now)
        report = _remembered(report, known, changes)
    for option, output in OUTPUTS.items():
        if params.get(option):
            write_text(str(params[option]), output(report))
    # Last: what nobody could be told of is new to the next run too.
    if known is not None:
        history.write(known, str(path))
    return report, _told(report, changes, params)


def _told(report: Report, changes: history.Changes, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Warnings of a notification that did not arrive: it never hides the verdict."""
    if not params.get("webhook_url") or not webhook.has_changed(changes):
        return ()
    try:
        webhook.send(
            params["webhook_url"], webhook.message(report, params["webhook_format"]), params.get("webhook_ca_cert")
        )
    except KeybuzzError as error:
        return (str(error),)
    return ()


def build(
    environments: Sequence[Mapping[str, Any]], mode: Any, now: datetime.datetime, rules: tuple[ignore.Rule, ...] = ()
) -> Report:
    """The report over what the steps of each environment returned.

    :raises BadInputError: no environment was given, or an entry is not an item.
    """
    if not environments:
        raise BadInputError(
            "collecting",
            "environments",
            "there is none, so nothing was checked",
            "Choose an inventory with hosts: -i inventories/example -l staging.",
        )
    looked_at = tuple(_environment(raw) for raw in environments)
    return Report(
        environments=tuple(
            replace(
                env,
                items=ignore.apply(env.items, env.name, rules, now),
                found=ignore.apply(env.found, env.name, rules, now),
            )
            for env in looked_at
        ),
        mode=mode,
        generated_at=now,
        rules=(
            *(
                f"Ignore rule {rule.id} of {rule.owner} expired on {rule.expires}: it counts again."
                for rule in ignore.expired(rules, now)
            ),
            *(
                f"Ignore rule {rule.id} of {rule.owner} had no effect in this run."
                for rule in ignore.unused(looked_at, rules, now)
            ),
        ),
    )


def _environment(raw: Mapping[str, Any]) -> Environment:
    name = str(raw["name"])
    return Environment(
        name=name,
        items=parse_items(raw.get("drift") or (), name),
        found=parse_items(raw.get("found") or (), name),
        tenants=tuple(str(tenant) for tenant in raw.get("tenants") or ()),
        error=str(raw.get("error") or ""),
        git_fragment=str(raw.get("git_fragment") or ""),
    )


def _remembered(report: Report, known: history.History, changes: history.Changes) -> Report:
    """The report with what the history knows of its items."""
    environments = tuple(
        replace(
            env,
            history={
                entry.id: {
                    "first_seen": iso(entry.first_seen),
                    "times": entry.times,
                    "brought_by": entry.brought_by,
                }
                for (name, _id), entry in sorted(known.entries.items())
                if name == env.name and entry.open
            },
        )
        for env in report.environments
    )
    return replace(report, environments=environments, since_last=tuple(history.summary(changes)))


def results(report: Report) -> dict[str, object]:
    """What the module returns: verdict, counts and the lines for a terminal."""
    plain, lines = report.as_dict(), render(report)
    return {
        "verdict": report.verdict,
        "verdict_line": lines[-1],
        "fails_on": [level for level in FAIL_ON if report.fails(level)],
        "counts": plain["counts"],
        "environments": {env.name: env.verdict for env in report.environments},
        "since_last": list(report.since_last),
        "lines": lines,
    }
