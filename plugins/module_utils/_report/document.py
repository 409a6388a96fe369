# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The drift report as data: environments, items, counts and the verdict over all of them. Format 1.0."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import (
    CLEAN,
    SEVERITIES,
    UNCHECKED,
    Item,
    Owner,
    Verdict,
    verdict,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

FORMAT_VERSION = "1.1"
"""Within 1.x keys are only added. A reader of 1.0 can read every 1.x."""

REQUIRED = tuple(one.name for one in fields(Item) if one.default is MISSING and one.default_factory is MISSING)
"""What every item says: id, address, check, severity and status."""

WORST_FIRST: tuple[Verdict, ...] = ("error", "incomplete", "drift")

FailOn = Literal["never", "critical", "any", "incomplete"]
FAIL_ON: tuple[FailOn, ...] = ("never", "incomplete", "critical", "any")


@dataclass(frozen=True)
class Environment:
    """One host of the inventory.

    :param items: the last look at it.
    :param found: what the repair found before it wrote anything; empty for an audit.
    :param error: why there is no complete look, if the environment could not be finished.
    :param git_fragment: YAML that makes the repair permanent where the Deployment is declared; empty if all is well.
    :param history: of the items that are not clean and are kept in a history, by id: ``first_seen``, ``times``,
        ``brought_by``.
    """

    name: str
    items: tuple[Item, ...]
    found: tuple[Item, ...] = ()
    tenants: tuple[str, ...] = ()
    error: str = ""
    git_fragment: str = ""
    history: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        return "error" if self.error else verdict(self.items)


@dataclass(frozen=True)
class Report:
    """All environments of one run. ``generated_at`` is aware UTC.

    :param since_last: what has changed since the last report, in lines; empty without a history.
    :param rules: what is to be said of the ignore rules: those that have expired, and those without an effect.
    """

    environments: tuple[Environment, ...]
    mode: Literal["audit", "check", "repair"]
    generated_at: datetime.datetime
    generator: str = field(default="keybuzz.amazon")
    since_last: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of the environments; a report about nothing is incomplete."""
        verdicts = {environment.verdict for environment in self.environments}
        for worst in WORST_FIRST:
            if worst in verdicts:
                return worst
        return "in_sync" if verdicts else "incomplete"

    def fails(self, fail_on: FailOn) -> bool:
        """Whether the job has to fail.

        What could not be checked fails under every setting but ``never``, because nobody knows what it hides.
        """
        if fail_on == "never":
            return False
        if self.verdict in {"error", "incomplete"}:
            return True
        wrong = [item for env in self.environments for item in env.items if item.status not in CLEAN]
        if fail_on == "any":
            return bool(wrong)
        return fail_on == "critical" and any(item.severity == "critical" for item in wrong)

    def as_dict(self) -> dict[str, object]:
        """JSON types, as docs/schema/drift_report-1.0.schema.json describes them."""
        return {
            "format_version": FORMAT_VERSION,
            "generator": self.generator,
            "generated_at": iso(self.generated_at),
            "mode": self.mode,
            "verdict": self.verdict,
            "counts": counts([item for env in self.environments for item in env.items]),
            "since_last": list(self.since_last),
            "rules": list(self.rules),
            "environments": [_environment(env) for env in self.environments],
        }


def iso(moment: datetime.datetime) -> str:
    """ISO 8601 in UTC with Z, to the second. Not strftime: that writes a year before 1000 without its zeros."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _environment(env: Environment) -> dict[str, object]:
    return {
        "name": env.name,
        "tenants": list(env.tenants),
        "verdict": env.verdict,
        "error": env.error or None,
        "counts": counts(env.items),
        "items": [item.as_dict() for item in env.items],
        "found": [item.as_dict() for item in env.found],
        "git_fragment": env.git_fragment or None,
        "history": {name: dict(entry) for name, entry in env.history.items()},
    }


def counts(items: Sequence[Item]) -> dict[str, object]:
    """How many items there are, by status, and by severity among those that are not clean."""
    wrong = [item for item in items if item.status not in CLEAN]
    by_severity = Counter(item.severity for item in wrong)
    return {
        "items": len(items),
        "drift": len([item for item in wrong if item.status not in UNCHECKED]),
        "unchecked": len([item for item in wrong if item.status in UNCHECKED]),
        "by_status": dict(sorted(Counter(item.status for item in items).items())),
        "by_severity": {severity: by_severity[severity] for severity in SEVERITIES if by_severity[severity]},
    }


def parse_items(raw: Sequence[Mapping[str, Any]], environment: str) -> tuple[Item, ...]:
    """Items from the modules' results.

    :raises BadInputError: an entry is not an item; the message names the environment and the entry.
    """
    known = {one.name for one in fields(Item)}
    items = []
    for number, entry in enumerate(raw):
        lacking = REQUIRED if not isinstance(entry, Mapping) else [name for name in REQUIRED if name not in entry]
        if lacking:
            raise BadInputError(
                "reading",
                f"items of environment {environment}",
                f"entry {number} is not a drift item (it has no {', '.join(lacking)})",
                "Hand over the drift list of the collection's modules as it stands.",
            )
        values = {name: value for name, value in entry.items() if name in known}
        owner = values.get("owner") or {}
        values["owner"] = Owner(
            managers=tuple(owner.get("managers") or ()),
            gitops=owner.get("gitops"),
            revert_risk=owner.get("revert_risk") or "none",
            source=owner.get("source"),
            declared=owner.get("declared"),
            path=owner.get("path"),
            since=owner.get("since"),
        )
        values["depends_on"] = tuple(values.get("depends_on") or ())
        items.append(Item(**values))
    return tuple(items)
