# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
from typing import Any
from xml.etree import ElementTree

from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import build
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.junit import render

NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)


def item(status: str, name: str = "vault_token/secret", **more: Any) -> dict[str, Any]:
    check = name.split("/", maxsplit=1)[0]
    return {"id": name, "check": check, "address": "Secret a/b", "severity": "high", "status": status, **more}


def suites(*environments: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(render(build(environments, "audit", NOW)))  # noqa: S314 (our own text)


def test_each_item_is_a_case_and_only_what_is_in_sync_passes() -> None:
    statuses = ["in_sync", "missing", "insecure", "blocked", "unknown", "error", "ignored"]
    root = suites({"name": "dev", "drift": [item(status, f"vault_token/{status}") for status in statuses]})
    cases = root.findall("testsuite/testcase")
    assert {case.get("name"): [child.tag for child in case] for case in cases} == {
        "vault_token/in_sync": [],
        "vault_token/missing": ["failure"],
        "vault_token/insecure": ["failure"],
        "vault_token/blocked": ["error"],
        "vault_token/unknown": ["error"],
        "vault_token/error": ["error"],
        "vault_token/ignored": ["skipped"],
    }
    assert {case.get("classname") for case in cases} == {"vault_token"}
    for element in (root, root[0]):
        assert [element.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["7", "2", "3", "1"]
    assert root[0].get("timestamp") == "2026-01-12T09:30:00Z"


def test_a_failure_says_status_reason_and_what_to_do_and_a_skipped_case_why() -> None:
    root = suites(
        {"name": "dev", "drift": [item("empty", reason="no value", hint="write it"), item("ignored", reason="known")]}
    )
    failure = root.find(".//failure")
    assert failure is not None and failure.get("type") == "empty"
    assert failure.text == "empty (high): Secret a/b\nno value\nTo do: write it"
    skipped = root.find(".//skipped")
    assert skipped is not None and skipped.get("message") == "known"


def test_an_environment_that_stopped_or_was_not_looked_at_is_an_error_beside_its_good_items() -> None:
    root = suites({"name": "dev", "drift": [item("in_sync")], "error": "stopped"}, {"name": "prod"})
    assert [(suite.get("name"), suite.get("tests"), suite.get("errors")) for suite in root] == [
        ("dev", "2", "1"),
        ("prod", "1", "1"),
    ]
    assert ElementTree.fromstring(render(Report((), "audit", NOW))).get("errors") == "1"  # noqa: S314


def test_markup_and_what_xml_cannot_hold_do_not_break_the_document() -> None:
    root = suites({"name": 'a"<&>', "drift": [item("missing", reason="]]> <b> \x00\x1b[31m \ud800 \uffff é")]})
    assert root[0].get("name") == 'a"<&>'
    failure = root.find(".//failure")
    assert failure is not None and failure.text is not None
    assert "]]> <b> \ufffd\ufffd[31m \ufffd \ufffd é" in failure.text
