# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/report.md says in figures and statements is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, Action, Severity, Status, Verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import drift_history
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import html_large, prometheus, terminal
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import FORMAT_VERSION
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history import KEPT
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.tables import create_statement, own_table

DOCS = Path(__file__).parents[3] / "docs"
SCHEMA = json.loads((DOCS / "schema" / "drift_report-1.0.schema.json").read_text())
PAGE = (DOCS / "report.md").read_text()
TEXT = " ".join(PAGE.split())


def test_the_bounds_of_the_outputs_are_those_of_the_code() -> None:
    for said in (
        f"more than {terminal.TENANTS} tenants or more than {terminal.ROWS} items",
        f"the worst {terminal.DETAILS} items of an environment in full",
        f"more than {terminal.ENVIRONMENTS} environments are counted, and the worst {terminal.ENVIRONMENTS} shown",
        f"at most {html_large.LISTED:,} items",
        f"beyond {prometheus.ENVIRONMENTS} environments or {prometheus.CHECKS} checks",
        f"last heard of {KEPT.days} days ago",
        f"format {FORMAT_VERSION} ([schema]",
        f"| {FORMAT_VERSION} | 0.3.0 | `summarised`",
    ):
        assert said in TEXT, said
    assert drift_history.LOCK_WAIT == "120s" and "waits for up to two minutes" in TEXT


def test_the_documented_statement_makes_the_table_that_the_report_makes() -> None:
    documented = re.search(r"CREATE TABLE [^;]*;", TEXT)
    assert documented
    made = create_statement(own_table("history_table", "drift_report.history"))
    assert documented[0].replace("( ", "(") == made + ";"


def test_the_schema_knows_every_value_that_the_code_has_and_no_other() -> None:
    parts = SCHEMA["$defs"]
    item = parts["item"]["properties"]
    assert parts["verdict"]["enum"] == list(get_args(Verdict))
    assert parts["severity"]["enum"] == list(get_args(Severity))
    assert item["status"]["enum"] == list(get_args(Status))
    assert item["action"]["enum"] == list(get_args(Action))
    environment = SCHEMA["properties"]["environments"]["items"]["properties"]
    assert set(environment["summarised"]["items"]["properties"]["status"]["enum"]) == CLEAN


def test_every_metric_is_documented_with_its_labels() -> None:
    metrics = dict(re.findall(r"^(amazon_integration_\w+)\{([\w,]*)\}", PAGE, re.MULTILINE))
    assert {name: labels.split(",") for name, labels in metrics.items()} == {
        "amazon_integration_drift": ["environment", "check", "severity"],
        "amazon_integration_unchecked": ["environment", "check"],
        "amazon_integration_items": ["environment", "status"],
        "amazon_integration_verdict": ["environment", "verdict"],
        "amazon_integration_last_look_timestamp_seconds": ["environment"],
    }
