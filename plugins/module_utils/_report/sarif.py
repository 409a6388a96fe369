# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report's insecure settings as SARIF 2.1.0, for tools that collect security findings.

Only settings that weaken security or are critical are results. What could not be checked is no finding, so it stands
beside them as a notification, and the run is then not called successful.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, SEVERITIES, UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import resume
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report, iso

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
INSECURE = frozenset({"insecure", "forbidden_present", "expiring"})
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}


def render(report: Report) -> str:
    """JSON text with one run. Results have logical locations only: the settings are in no file."""
    found = [(env, item) for env in report.environments for item in env.items if _is_finding(item)]
    checks = list(dict.fromkeys(str(item.check) for _environment, item in found))
    run = {
        "tool": {"driver": {"name": report.generator, "rules": [_rule(check, found) for check in checks]}},
        "invocations": [
            {
                "executionSuccessful": report.verdict not in {"error", "incomplete"},
                "endTimeUtc": iso(report.generated_at),
                "toolExecutionNotifications": list(_notifications(report)),
            }
        ],
        "results": [_result(env, item, checks.index(str(item.check))) for env, item in found],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _is_finding(item: Item) -> bool:
    if item.status in CLEAN or item.status in UNCHECKED or item.status == "error":
        return False
    return item.status in INSECURE or item.severity == "critical"


def _rule(check: str, found: Sequence[tuple[Environment, Item]]) -> dict[str, object]:
    """The check; its default level is that of its worst result in this run."""
    severities = {item.severity for _environment, item in found if item.check == check}
    worst = next((severity for severity in SEVERITIES if severity in severities), "info")
    return {
        "id": check,
        "shortDescription": {"text": dict(resume.STEPS).get(check, check)},
        "defaultConfiguration": {"level": LEVELS[worst]},
        "properties": {"tags": ["security"]},
    }


def _result(environment: Environment, item: Item, rule: int) -> dict[str, object]:
    said = [
        f"{item.id} is {item.status} in {environment.name}.",
        item.reason,
        f"To do: {item.hint}" if item.hint else "",
    ]
    return {
        "ruleId": item.check,
        "ruleIndex": rule,
        "level": LEVELS.get(item.severity, "warning"),
        "message": {"text": " ".join(str(part) for part in said if part)},
        "locations": [
            {
                "logicalLocations": [
                    {
                        "name": item.address,
                        "fullyQualifiedName": f"{environment.name}/{item.address}",
                        "kind": "resource",
                    },
                    {"name": environment.name, "fullyQualifiedName": environment.name, "kind": "environment"},
                ]
            }
        ],
        "partialFingerprints": {"environmentAndItem/v1": _fingerprint(environment.name, item.id)},
        "properties": {"status": item.status, "severity": item.severity, "action": item.action},
    }


def _fingerprint(environment: str, item: str) -> str:
    """The same in every run for the same item, and made of names alone: the finding's value has no part in it."""
    return hashlib.sha256(json.dumps([environment, item]).encode()).hexdigest()


def _notifications(report: Report) -> Iterable[dict[str, object]]:
    for environment in report.environments:
        if environment.error:
            yield _notification("error", f"{environment.name} was not finished: {environment.error}")
        elif not environment.looked_at:
            yield _notification("error", f"Nothing was looked at in {environment.name}.")
        for item in environment.items:
            if item.status in UNCHECKED or item.status == "error":
                said = f"{item.id} is {item.status} in {environment.name}. {item.reason}".rstrip()
                yield _notification("error" if item.status == "error" else "warning", said)


def _notification(level: str, text: str) -> dict[str, object]:
    return {"level": level, "message": {"text": text}}
