# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import re
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import build
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.prometheus import render

NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)
Labels = tuple[tuple[str, str], ...]

SAMPLE = re.compile(r"([a-z_]+)\{(.*)\} (0|[1-9][0-9]*)")
PAIR = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)')
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def item(status: str, name: str = "vault_token/secret", **more: Any) -> dict[str, Any]:
    check = name.split("/", maxsplit=1)[0]
    return {"id": name, "check": check, "address": "Secret a/b", "severity": "high", "status": status, **more}


def parse(text: str) -> dict[str, dict[Labels, int]]:
    """The text format as its description has it, and stricter: help, type and samples of a metric in one block."""
    assert text.endswith("\n") and not text.endswith("\n\n")
    found: dict[str, dict[Labels, int]] = {}
    helped = typed = ""
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            helped = line.split(" ", 3)[2]
            assert helped not in found and line.split(" ", 3)[3]
        elif line.startswith("# TYPE "):
            typed, kind = line.split(" ")[2:]
            assert typed == helped and kind == "gauge"
            found[typed] = {}
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            assert sample[1] == typed
            pairs = list(PAIR.finditer(sample[2]))
            assert "".join(pair[0] for pair in pairs) == sample[2], line
            labels = tuple((pair[1], re.sub(r"\\.", lambda m: UNESCAPED[m[0]], pair[2])) for pair in pairs)
            assert labels not in found[typed], f"given twice: {line}"
            found[typed][labels] = int(sample[3])
    return found


def metrics(*environments: dict[str, Any]) -> dict[str, dict[Labels, int]]:
    return parse(render(build(environments, "audit", NOW)))


def one(samples: dict[Labels, int], **labels: str) -> int | None:
    return samples.get(tuple(labels.items()))


def test_drift_is_counted_by_severity_and_zero_where_nothing_differs() -> None:
    found = metrics({"name": "dev", "drift": [item("missing"), item("empty"), item("in_sync", "amazon_app/document")]})
    drift = found["amazon_integration_drift"]
    assert one(drift, environment="dev", check="vault_token", severity="high") == 2
    assert one(drift, environment="dev", check="vault_token", severity="critical") == 0
    assert one(drift, environment="dev", check="amazon_app", severity="high") == 0
    assert one(found["amazon_integration_items"], environment="dev", status="missing") == 1
    assert one(found["amazon_integration_items"], environment="dev", status="blocked") == 0


def test_what_could_not_be_checked_never_reads_as_zero_drift() -> None:
    found = metrics({"name": "dev", "drift": [item("unknown"), item("in_sync", "amazon_app/document")]})
    assert one(found["amazon_integration_drift"], environment="dev", check="vault_token", severity="high") is None
    assert one(found["amazon_integration_unchecked"], environment="dev", check="vault_token") == 1
    assert one(found["amazon_integration_unchecked"], environment="dev", check="amazon_app") == 0


def test_the_figures_are_those_of_the_document() -> None:
    statuses = ["missing", "error", "blocked", "unknown", "ignored", "in_sync", "stale"]
    report = build([{"name": "dev", "drift": [item(status) for status in statuses]}], "audit", NOW)
    counts: Any = report.as_dict()["counts"]
    found = parse(render(report))
    assert sum(found["amazon_integration_drift"].values()) == counts["drift"]
    assert sum(found["amazon_integration_unchecked"].values()) == counts["unchecked"]
    assert sum(found["amazon_integration_items"].values()) == counts["items"]


def test_exactly_one_verdict_of_four_is_set_and_the_look_has_its_time() -> None:
    found = metrics({"name": "dev", "drift": [item("in_sync")]}, {"name": "prod", "error": "stopped"})
    verdicts = found["amazon_integration_verdict"]
    assert len(verdicts) == 8
    assert one(verdicts, environment="dev", verdict="in_sync") == 1
    assert one(verdicts, environment="prod", verdict="error") == 1
    assert sum(verdicts.values()) == 2
    look = found["amazon_integration_last_look_timestamp_seconds"]
    assert one(look, environment="dev") == 1768210200
    assert one(look, environment="prod") is None, "nobody looked there"


def test_any_name_survives_as_a_label() -> None:
    name = 'a"b\\n\\"\nc{}=, é \t'
    assert (("environment", name),) in metrics({"name": name, "drift": [item("in_sync")]})[
        "amazon_integration_last_look_timestamp_seconds"
    ]
    render(build([{"name": "\ud800", "drift": []}], "audit", NOW)).encode()


def test_an_environment_that_is_given_twice_gives_each_series_once_and_the_worse_verdict() -> None:
    found = metrics({"name": "dev", "drift": [item("in_sync")]}, {"name": "dev", "drift": [item("missing")]})
    assert one(found["amazon_integration_verdict"], environment="dev", verdict="drift") == 1


def test_the_same_report_gives_the_same_text_and_none_at_all_is_valid() -> None:
    report = build([{"name": "dev", "drift": [item("missing"), item("in_sync", "b/c")]}], "audit", NOW)
    assert render(report) == render(report)
    assert all(not samples for samples in parse(render(Report((), "audit", NOW))).values())


def test_ten_thousand_tenants_that_are_hosts_share_the_series_of_their_environments() -> None:
    hosts = [{"name": f"t{n}@{where}", "drift": [item("in_sync")]} for n in range(200) for where in ("prod", "dev")]
    hosts += [{"name": "bad@prod", "drift": [item("missing")]}, {"name": "lost@dev", "error": "stopped"}]
    found = metrics(*hosts)
    items = found["amazon_integration_items"]
    assert {dict(labels)["environment"] for labels in items} == {"prod", "dev"}
    assert one(items, environment="prod", status="in_sync") == 200
    assert one(found["amazon_integration_drift"], environment="prod", check="vault_token", severity="high") == 1
    assert one(found["amazon_integration_verdict"], environment="prod", verdict="drift") == 1
    assert one(found["amazon_integration_verdict"], environment="dev", verdict="error") == 1


def test_no_report_makes_more_series_than_a_hundred_environments_with_fifty_checks_have() -> None:
    wild = [{"name": f"env-{n}", "drift": [item("missing", f"check-{n}/a")]} for n in range(1000)]
    found = metrics(*wild)
    for samples in found.values():
        assert len({dict(labels)["environment"] for labels in samples}) == 100
        assert len({dict(labels).get("check") for labels in samples}) <= 50
    assert sum(found["amazon_integration_items"].values()) == 1000, "nothing is lost, it is told as other"
    assert one(found["amazon_integration_items"], environment="other", status="missing") == 901


ABBREVIATED = {"s", "ms", "us", "ns", "sec", "min", "h", "d", "b", "kb", "mb", "gb", "pct"}
NOT_BASE = {"milliseconds", "minutes", "hours", "days", "weeks", "kilobytes", "megabytes", "bits", "percent"}


def test_names_and_labels_are_as_prometheus_own_linter_wants_them() -> None:
    """The rules of promlint (client_golang, testutil/promlint/validations) that a gauge can break; the linter itself
    was run over this text and found nothing."""
    found = metrics({"name": "dev", "drift": [item("missing")]})
    assert len(found) == 5
    for name, samples in found.items():
        words = name.split("_")
        assert re.fullmatch("[a-z]+(_[a-z]+)*", name), "snake case, no colon"
        assert name.startswith("amazon_integration_")
        assert words[-1] not in {"total", "count", "sum", "bucket", "info", "created"}, "kept for other types"
        assert not {"gauge", "counter", "summary", "histogram"} & set(words), "a name does not say its type"
        assert not (ABBREVIATED | NOT_BASE) & set(words), "whole names of base units, at the end"
        assert "seconds" not in words[:-1]
        for labels in samples:
            assert all(re.fullmatch("[a-z]+", label) and label not in {"le", "quantile"} for label, _value in labels)
