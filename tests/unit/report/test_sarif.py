# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import build
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.sarif import render

NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)


def item(status: str, name: str = "vault_token/secret", **more: Any) -> dict[str, Any]:
    check = name.split("/", maxsplit=1)[0]
    return {"id": name, "check": check, "address": "Secret a/b", "severity": "high", "status": status, **more}


def run(*environments: dict[str, Any]) -> dict[str, Any]:
    document = json.loads(render(build(environments, "audit", NOW)))
    assert document["version"] == "2.1.0" and len(document["runs"]) == 1
    found: dict[str, Any] = document["runs"][0]
    return found


def test_only_insecure_settings_and_critical_drift_are_results() -> None:
    statuses = ["in_sync", "missing", "insecure", "forbidden_present", "expiring", "ignored", "unknown", "error"]
    items = [item(status, f"backend_access/{status}") for status in statuses]
    items += [item(status, f"vault_token/{status}", severity="critical") for status in statuses]
    assert [result["properties"]["status"] for result in run({"name": "dev", "drift": items})["results"]] == [
        "insecure",
        "forbidden_present",
        "expiring",
        "missing",
        "insecure",
        "forbidden_present",
        "expiring",
    ]


def test_what_could_not_be_checked_is_told_and_the_run_is_not_called_successful() -> None:
    invocation = run(
        {"name": "dev", "drift": [item("unknown", reason="no way in")]}, {"name": "prod", "error": "stopped"}
    )["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert [one["message"]["text"] for one in invocation["toolExecutionNotifications"]] == [
        "vault_token/secret is unknown in dev. no way in",
        "prod was not finished: stopped",
    ]


def test_rules_are_the_checks_and_levels_follow_the_severity() -> None:
    levels = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
    found = run(
        {
            "name": "dev",
            "drift": [
                item("insecure", f"{check}/{severity}", severity=severity)
                for check in ("amazon_app", "vault_token")
                for severity in levels
            ],
        }
    )
    rules = found["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["amazon_app", "vault_token"]
    for result in found["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == levels[result["properties"]["severity"]]


def test_a_result_is_located_by_address_and_environment_and_in_no_file() -> None:
    location = run({"name": "dev", "drift": [item("insecure")]})["results"][0]["locations"][0]
    assert list(location) == ["logicalLocations"]
    assert [one["fullyQualifiedName"] for one in location["logicalLocations"]] == ["dev/Secret a/b", "dev"]


def test_the_fingerprint_is_that_of_the_place_whatever_its_value_is() -> None:
    def fingerprint(environment: str, **more: Any) -> str:
        result = run({"name": environment, "drift": [item("insecure", **more)]})["results"][0]
        return str(result["partialFingerprints"]["environmentAndItem/v1"])

    assert fingerprint("dev") == fingerprint("dev", before="a", after="b", reason="other", severity="low")
    assert fingerprint("dev") != fingerprint("prod")
    assert fingerprint("dev") != fingerprint("dev", name="vault_token/other")


def test_a_report_about_nothing_has_no_result_and_no_success() -> None:
    found = json.loads(render(Report((), "audit", NOW)))["runs"][0]
    assert found["results"] == [] and found["invocations"][0]["executionSuccessful"] is False
