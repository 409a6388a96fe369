# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of tenants come as a file: what is wrong is listed, what is clean is counted, nothing is lost unseen."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Owner
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import build
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import (
    html,
    ignore,
    items_file,
    json_document,
    junit,
    prometheus,
    sarif,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history import History, update
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.items_writer import writing
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.terminal import render
from hypothesis import given
from hypothesis import strategies as st

from lab.processes import COLLECTIONS, PROJECT

NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
SCHEMA = json.loads((PROJECT / "docs/schema/drift_report-1.0.schema.json").read_text())


def item(status: Any, name: str = "amazon_tenant/t1/grant", **more: Any) -> Item:
    check = name.partition("/")[0]
    return Item(**{"id": name, "address": "Vault a/b", "check": check, "severity": "high", "status": status, **more})


def written(folder: Path, items: Iterable[Item]) -> str:
    path = str(folder / "items.jsonl")
    with writing(path) as writer:
        writer.write(items)
    return path


def environment(folder: Path, items: Iterable[Item], **more: Any) -> dict[str, Any]:
    return {"name": "prod", "items_path": written(folder, items), **more}


def fleet(tenants: int, wrong: Iterable[int] = ()) -> list[Item]:
    bad = set(wrong)
    return [
        item("missing" if number in bad and part == "grant" else "in_sync", f"amazon_tenant/t{number:05}/{part}")
        for number in range(tenants)
        for part in ("grant", "document")
    ]


def test_what_is_not_clean_is_listed_and_what_is_clean_is_counted(tmp_path: Path) -> None:
    drift = item("in_sync", "vault_token/policy").as_dict()
    report = build([environment(tmp_path, fleet(500, wrong=[7]), drift=[drift])], "audit", NOW)
    document: Any = report.as_dict()
    jsonschema.validate(document, SCHEMA)
    (prod,) = document["environments"]
    assert [one["id"] for one in prod["items"]] == ["vault_token/policy", "amazon_tenant/t00007/grant"]
    assert prod["summarised"] == [{"check": "amazon_tenant", "status": "in_sync", "severity": "high", "count": 999}]
    assert document["counts"]["by_status"] == {"in_sync": 1000, "missing": 1}
    assert (document["verdict"], document["format_version"]) == ("drift", "1.2")


def test_a_fleet_in_sync_is_in_sync_though_no_item_is_listed(tmp_path: Path) -> None:
    assert build([environment(tmp_path, fleet(3))], "audit", NOW).verdict == "in_sync"
    assert build([environment(tmp_path, [])], "audit", NOW).verdict == "incomplete", "nothing was looked at"


def test_one_tenant_that_could_not_be_checked_keeps_the_fleet_from_being_in_sync(tmp_path: Path) -> None:
    assert build([environment(tmp_path, [*fleet(50), item("unknown")])], "audit", NOW).verdict == "incomplete"


def test_the_document_written_in_parts_is_the_one_written_at_once(tmp_path: Path) -> None:
    given = [
        environment(tmp_path, fleet(3, wrong=[1]), found=[item("empty", before={"a": ["é\n"]}).as_dict()]),
        {"name": "dev", "error": "stopped"},
    ]
    report = build(given, "repair", NOW)
    assert "".join(json_document.render(report)) == json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n"


STREAMED = st.builds(
    lambda name, status, text, owner: item(status, name, reason=text, hint=text, before=text, owner=owner),
    st.sampled_from(["a/b", "amazon_tenant/t/é\u2028"]),
    st.sampled_from(["in_sync", "ignored", "missing", "unknown", "error"]),
    st.text(),
    st.sampled_from([Owner(), Owner(managers=("helm",), gitops="Helm", declared=True)]),
)


@pytest.mark.slow
@given(st.lists(STREAMED, max_size=6))
def test_what_the_writer_wrote_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, items: list[Item]) -> None:
    found = items_file.read(written(tmp_path_factory.mktemp("items"), items), lambda _name: False)
    assert list(found.items) == [one for one in items if one.status not in {"in_sync", "ignored"}]
    assert sum(group.count for group in found.summarised) + len(found.items) == len(items)
    assert found.error == ""


def line(**more: Any) -> str:
    return json.dumps(item("missing", reason="CANARY").as_dict() | more) + "\n"


CLOSED = '{"complete": true, "items": 1}\n'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (line() + line()[:40], "line 2 is cut off"),
        (line() + line()[:40] + "\n", "line 2 is not JSON"),
        (line() + CLOSED[:-1], "line 2 is cut off"),
        (line() + "[" * 100_000 + "\n", "line 2 is not JSON"),
        (line() + "\udcff\n", "line 2 is not JSON"),
        (line() + "\n", "line 2 is not JSON"),
        (line() + "[]\n", r"line 2 is not a drift item \(it has no id, address, check, severity, status\)"),
        ('{"complete": true}\n', "line 1 is not a drift item"),
        ('{"complete": true, "items": true}\n', "line 1 is not a drift item"),
        (line(status="CANARY"), r"line 1 is not a drift item \(its status is none that an item has\)"),
        (line(severity="CANARY"), r"line 1 is not a drift item \(its severity is none"),
        (line(id=["CANARY"]), r"line 1 is not a drift item \(its id is no text\)"),
        (line(owner="CANARY"), "line 1 is not a drift item"),
        (line(owner={"managers": [["CANARY"]]}), "line 1 is not a drift item"),
        (line(depends_on="CANARY"), "line 1 is not a drift item"),
        (line() + CLOSED + line(), "line 3 stands behind the closing line"),
        (line() + CLOSED + CLOSED, "line 3 stands behind the closing line"),
        (line(before="x" * items_file.LONGEST_LINE), "line 1 is longer than"),
    ],
)
def test_a_line_that_is_cut_off_or_no_item_is_named_and_not_shown(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(content, errors="surrogateescape")
    report = build(
        [{"name": "prod", "items_path": str(path)}, {"name": "dev", "drift": [item("in_sync").as_dict()]}], "audit", NOW
    )
    broken, other = report.environments
    assert re.search(f"{path}: {said}", broken.error) and broken.verdict == "error"
    assert "CANARY" not in broken.error
    assert other.verdict == "in_sync", "one file that cannot be read hides no other environment"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.jsonl"):
        (broken,) = build([{"name": "prod", "items_path": str(path)}], "audit", NOW).environments
        assert re.search(f"{path}: .*items_path", broken.error) and broken.verdict == "error"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "ends without its closing line, after 0 items"),
        (line(status="in_sync"), "ends without its closing line, after 1 items"),
        (line(status="in_sync") + '{"complete": true, "items": 2}\n', "has 1 of the 2 items"),
        ('{"complete": false, "items": 1, "id": "a/b", "check": "a", "address": "", "severity": "low", "status": '
         '"in_sync"}\n', "ends without its closing line, after 1 items"),
    ],
)  # fmt: skip
def test_a_file_without_its_end_or_with_another_count_is_an_error_and_never_in_sync(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(content)
    report = build([{"name": "prod", "items_path": str(path), "error": "stopped"}], "audit", NOW)
    assert report.verdict == "error"
    assert report.environments[0].error == f"stopped; its items are incomplete: {path} {said}" + (
        " that its closing line tells of" if "has 1" in said else ""
    )


RULES = ignore.parse_rules([{"id": "*/t00001/*", "owner": "Ada", "reason": "moves", "expires": "2026-01-31"}])


def test_a_rule_ignores_streamed_drift_too_and_it_stays_listed_and_counted(tmp_path: Path) -> None:
    given = environment(tmp_path, [*fleet(3, wrong=[1]), item("unknown", "amazon_tenant/t00001/row")])
    report = build([given], "audit", NOW, RULES)
    assert [(one.id, one.status) for one in report.environments[0].items] == [
        ("amazon_tenant/t00001/grant", "ignored"),
        ("amazon_tenant/t00001/row", "unknown"),
    ]
    counts: Any = report.as_dict()["counts"]
    assert counts["by_status"] == {"ignored": 1, "in_sync": 5, "unknown": 1}
    assert report.rules == (), "the rule is used"


def test_a_rule_that_hides_nothing_of_a_fleet_is_called_unused(tmp_path: Path) -> None:
    report = build([environment(tmp_path, fleet(3))], "audit", NOW, RULES)
    assert report.rules == ("Ignore rule */t00001/* of Ada had no effect in this run.",)


def after(folder: Path, *looks: Iterable[Item]) -> History:
    """The history after reports over these looks, one an hour."""
    known = History()
    for number, items in enumerate(looks):
        now = NOW + number * HOUR
        known, _changes = update(known, build([environment(folder, items)], "audit", now, before=known), now)
    return known


def test_a_tenant_that_is_only_counted_is_cleared_in_the_history(tmp_path: Path) -> None:
    known = after(tmp_path, fleet(9, wrong=[3, 4]), fleet(9, wrong=[4]), fleet(9, wrong=[3]))
    found = {name: (entry.status, entry.times) for (_environment, name), entry in known.entries.items()}
    assert found == {"amazon_tenant/t00003/grant": ("missing", 2), "amazon_tenant/t00004/grant": ("in_sync", 1)}


def test_a_tenant_that_can_be_checked_again_is_cleared_by_items_that_are_only_counted(tmp_path: Path) -> None:
    known = after(tmp_path, [item("unknown", "amazon_tenant/t00001/could-not-check")], fleet(9))
    assert [entry.open for entry in known.entries.values()] == [False]
    known = after(tmp_path, [item("unknown", "amazon_tenant/t00099/could-not-check")], fleet(9))
    assert [entry.open for entry in known.entries.values()] == [True], "nobody looked there"


def test_a_check_that_was_looked_at_as_a_whole_clears_what_is_gone_though_it_is_only_counted(tmp_path: Path) -> None:
    known = after(tmp_path, [item("stale", "vault_token/intent")], [item("in_sync", "vault_token/policy")])
    assert [entry.open for entry in known.entries.values()] == [False]


def test_a_file_without_its_end_clears_nothing(tmp_path: Path) -> None:
    known = after(tmp_path, [item("missing", "amazon_tenant/t00001/grant")])
    path = tmp_path / "cut.jsonl"
    path.write_text("".join(json.dumps(one.as_dict()) + "\n" for one in fleet(9)))
    report = build([{"name": "prod", "items_path": str(path)}], "audit", NOW, before=known)
    assert [entry.open for entry in update(known, report, NOW)[0].entries.values()] == [True]


@pytest.mark.slow
def test_the_terminal_has_one_row_a_check_for_ten_thousand_tenants(tmp_path: Path) -> None:
    names = [f"t{number:05}" for number in range(10_000)]
    lines = render(build([environment(tmp_path, fleet(10_000, wrong=range(300)), tenants=names)], "audit", NOW))
    assert all(len(one) <= 80 or str(tmp_path) in one for one in lines)
    assert "AUDIT of prod, 10000 tenants" in lines
    assert "  ! 20000 items: 19700 in_sync, 300 missing" in lines
    assert "  ! t00007/grant" not in "\n".join(lines)
    assert sum(one.startswith("! amazon_tenant/") for one in lines) == 50
    said = " ".join(lines).replace("  ", " ")
    assert "The worst 50 of 300 items that are not clean are listed here; those of the tenants are in" in said
    assert len(lines) < 500


def test_eleven_tenants_that_were_looked_at_one_by_one_share_a_row_and_ten_do_not() -> None:
    for tenants, rows in ((10, 20), (11, 0)):
        drift = [one.as_dict() for one in fleet(tenants)]
        lines = render(build([{"name": "prod", "drift": drift}], "audit", NOW))
        assert sum("/grant" in one or "/document" in one for one in lines) == rows


def test_hundreds_of_environments_are_counted_on_the_terminal_and_the_worst_are_shown() -> None:
    environments: list[dict[str, Any]] = [
        {"name": f"t{number}@prod", "drift": [item("in_sync").as_dict()]} for number in range(300)
    ]
    environments += [{"name": "bad@prod", "drift": [item("missing").as_dict()]}, {"name": "lost@prod", "error": "gone"}]
    lines = render(build(environments, "audit", NOW))
    assert all(len(one) <= 80 for one in lines)
    assert "  amazon_tenant     300            1              0              1" in lines
    assert [one for one in lines if one.startswith("AUDIT of")] == ["AUDIT of lost@prod", "AUDIT of bad@prod"]
    assert "300 of 302 environments are only counted here" in " ".join(lines)


def test_the_page_has_a_folded_table_of_what_is_summarised(tmp_path: Path) -> None:
    page = html.render(build([environment(tmp_path, fleet(40, wrong=[1]))], "audit", NOW))
    assert "<summary><h4>In sync, summarised (79)</h4></summary>" in page
    assert '<tr data-status="in_sync" data-severity="high" data-count="79">' in page
    assert "1 environment, 80 items: 79 in sync, 1 missing." in page


def test_junit_has_a_case_for_what_is_summarised_beside_one_for_each_item(tmp_path: Path) -> None:
    text = junit.render(build([environment(tmp_path, fleet(40, wrong=[1]))], "audit", NOW))
    assert 'name="amazon_tenant/summarised/in_sync/high"' in text and "79 items are in sync." in text
    assert 'tests="2" failures="1" errors="0" skipped="0"' in text


def test_metrics_and_sarif_count_the_fleet_and_name_no_tenant(tmp_path: Path) -> None:
    report = build([environment(tmp_path, fleet(40, wrong=[1]))], "audit", NOW)
    text = prometheus.render(report)
    assert 'amazon_integration_items{environment="prod",status="in_sync"} 79\n' in text
    assert 'amazon_integration_drift{environment="prod",check="amazon_tenant",severity="high"} 1\n' in text
    assert "t0000" not in text
    clean = json.loads(sarif.render(build([environment(tmp_path, fleet(40))], "audit", NOW)))["runs"][0]
    assert clean["invocations"][0]["executionSuccessful"] and clean["results"] == []


PEAK = """
import datetime, json, pathlib, re, sys
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import OUTPUTS, run, results
given = json.loads(sys.argv[1])
report, _warnings = run(given, datetime.datetime.now(tz=datetime.UTC), lambda secrets: None)
results(report)
assert report.verdict == "in_sync", report.verdict
print(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""


def peak(folder: Path, tenants: int) -> float:
    """Most memory in megabytes of a report over a fleet in sync, with every output."""
    folder.mkdir()
    given: Mapping[str, Any] = {
        "environments": [environment(folder, fleet(tenants))],
        "mode": "audit",
        "history_path": str(folder / "history.jsonl"),
        **{f"{name}path": str(folder / f"{name}out") for name in ("", "html_", "junit_", "prometheus_", "sarif_")},
    }
    done = subprocess.run(
        [sys.executable, "-c", PEAK, json.dumps(given)],
        env={"PYTHONPATH": os.pathsep.join([str(COLLECTIONS), *filter(None, [os.environ.get("PYTHONPATH")])])},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read as Linux tells it")
def test_memory_does_not_grow_with_a_fleet_that_is_in_sync(tmp_path: Path) -> None:
    small, large = peak(tmp_path / "small", 10), peak(tmp_path / "large", 20_000)
    assert large - small < 3, f"{small:.0f} MB for 10 tenants, {large:.0f} MB for 20,000"
