# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module drift_report does: collect, hold against rules and history, write the files, decide."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_history import remembered
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import insecure_options
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import (
    history,
    html,
    ignore,
    items_file,
    json_document,
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
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history_summary import summary
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.tally import counts
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.terminal import render
from ansible_collections.keybuzz.amazon.plugins.module_utils._secrets import protect

OUTPUTS: Mapping[str, Callable[[Report], Iterable[str]]] = {
    "path": json_document.render,
    "html_path": html.render,
    "junit_path": junit.render,
    "prometheus_path": prometheus.render,
    "sarif_path": sarif.render,
}
"""Option that names a file to what is written into it."""
READABLE = 0o644
MODES = {"prometheus_path": READABLE}
"""Permissions of a file that another user reads: node exporter's. It has counts, names of checks and environments."""


def answer(module: Any) -> None:
    """Report, and answer Ansible.

    :param module: an :class:`AnsibleModule`, or what stands for it in the controller's own process.
    """
    params = module.params
    try:
        protect(module, [params["webhook_url"], params["pg_password"]])
        report, warnings = run(params, datetime.datetime.now(tz=datetime.UTC), partial(protect, module))
    except KeybuzzError as error:
        module.fail_json(msg=str(error), verdict="error")
        return
    for warning in (*warnings, *(insecure_options(params) if params["history_table"] else ())):
        module.warn(warning)
    found = results(report)
    if report.fails(params["fail_on"]):
        module.fail_json(msg=found["verdict_line"], changed=False, **found)
        return
    module.exit_json(changed=False, **found)


def run(
    params: Mapping[str, Any], now: datetime.datetime, protect: Callable[[Iterable[str | None]], None]
) -> tuple[Report, tuple[str, ...]]:
    """The report, with its files written and whoever wants to know told, and warnings.

    :param now: aware.
    :param protect: called with each secret before it is used.
    :raises BadInputError: no environment, an entry that is none, a rule that is none, or a file that cannot be read or
        written.
    :raises KeybuzzError: the history's table cannot be had.
    """
    rules = ignore.parse_rules(params.get("ignore") or ())
    if params.get("webhook_url"):
        remembers = bool(params.get("history_path") or params.get("history_table"))
        webhook.check(params["webhook_url"], remembers=remembers)
    with remembered(params, protect) as kept:
        before = kept.history if kept else history.History()
        report = build(params["environments"], params["mode"], now, rules, before)
        report = replace(report, path=str(params.get("path") or ""))
        changes = history.Changes(None)
        if kept:
            after, changes = history.update(before, report, now)
            report = _remembered(report, after, changes)
        for option, output in OUTPUTS.items():
            if params.get(option):
                write_text(str(params[option]), output(report), MODES.get(option, 0o600))
        if params.get("repair_path"):
            write_text(str(params["repair_path"]), str(params["repair_text"]).rstrip() + "\n", READABLE)
        # Last: what nobody could be told of is new to the next run too.
        if kept:
            kept.keep(after)
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
    environments: Sequence[Mapping[str, Any]],
    mode: Any,
    now: datetime.datetime,
    rules: tuple[ignore.Rule, ...] = (),
    before: history.History | None = None,
) -> Report:
    """The report over what the steps of each environment returned.

    :param before: the history before this report.
    :raises BadInputError: no environment was given, or an entry is not an item.
    """
    if not environments:
        raise BadInputError(
            "collecting",
            "environments",
            "there is none, so nothing was checked",
            "Choose an inventory with hosts: -i inventories/example -l staging.",
        )
    known = history.open_by_environment(before or history.History())
    looked_at = tuple(_environment(raw, known) for raw in environments)
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


def _environment(raw: Mapping[str, Any], known: Mapping[str, Iterable[str]]) -> Environment:
    name, path = str(raw["name"]), str(raw.get("items_path") or "")
    streamed = items_file.Streamed()
    if path:
        try:
            streamed = items_file.read(path, history.watch(known.get(name, ())).wants)
        except BadInputError as error:  # which hides none of the other environments
            streamed = items_file.Streamed(error=str(error))
    return Environment(
        name=name,
        items=parse_items(raw.get("drift") or (), name) + streamed.items,
        found=parse_items(raw.get("found") or (), name),
        tenants=tuple(str(tenant) for tenant in raw.get("tenants") or ()),
        error="; ".join(filter(None, (str(raw.get("error") or ""), streamed.error))),
        git_fragment=str(raw.get("git_fragment") or ""),
        summarised=streamed.summarised,
        seen=streamed.seen,
        items_path=path,
    )


def _remembered(report: Report, known: history.History, changes: history.Changes) -> Report:
    """The report with what the history knows of its items."""
    told: dict[str, dict[str, Mapping[str, object]]] = {}
    for (name, _id), entry in sorted(known.entries.items()):
        if entry.open:
            told.setdefault(name, {})[entry.id] = {
                "first_seen": iso(entry.first_seen),
                "times": entry.times,
                "brought_by": entry.brought_by,
            }
    environments = tuple(replace(env, history=told.get(env.name, {})) for env in report.environments)
    return replace(report, environments=environments, since_last=tuple(summary(changes)))


def results(report: Report) -> dict[str, object]:
    """What the module returns: verdict, counts and the lines for a terminal."""
    lines = render(report)
    return {
        "verdict": report.verdict,
        "verdict_line": lines[-1],
        "fails_on": [level for level in FAIL_ON if report.fails(level)],
        "counts": counts(report.tally),
        "environments": {env.name: env.verdict for env in report.environments},
        "since_last": list(report.since_last),
        "lines": lines,
    }
