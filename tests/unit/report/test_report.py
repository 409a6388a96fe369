# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.keybuzz.amazon.plugins.filter.drift_resume import drift_resume
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.drift_report import (
    OUTPUTS,
    build,
    run,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import json_document
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.files import write_text
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.terminal import WIDTH, render

NOW = datetime.datetime(2026, 1, 12, 9, 30, tzinfo=datetime.UTC)
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schema/drift_report-1.0.schema.json").read_text())


def nothing(secrets: object) -> None:
    """For tests that do not look at masking."""


def raw(status: str, name: str = "vault_token/secret", **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "check": name.split("/", maxsplit=1)[0],
        "address": "Secret a/b",
        "severity": "critical",
        "status": status,
        **more,
    }


def test_the_document_is_what_its_schema_promises() -> None:
    report = build(
        [
            {
                "name": "dev",
                "drift": [raw("in_sync"), raw("missing", "amazon_app/document", action="create")],
                "found": [],
            },
            {"name": "prod", "drift": [], "error": "stopped", "tenants": ["ecomlg-001"]},
        ],
        "audit",
        NOW,
    )
    jsonschema.validate(report.as_dict(), SCHEMA)
    assert report.as_dict()["generated_at"] == "2026-01-12T09:30:00Z"


def test_a_failed_environment_makes_the_whole_an_error_though_the_others_are_in_sync() -> None:
    report = build([{"name": "dev", "drift": [raw("in_sync")]}, {"name": "prod", "error": "stopped"}], "audit", NOW)
    assert report.verdict == "error"
    assert any("prod" in line for line in render(report))


def test_no_environment_is_bad_input_not_an_empty_green_report() -> None:
    with pytest.raises(BadInputError, match="nothing was checked"):
        build([], "audit", NOW)


@pytest.mark.parametrize(
    ("status", "severity", "fail_on", "fails"),
    [
        ("missing", "critical", "never", False),
        ("missing", "critical", "critical", True),
        ("missing", "high", "critical", False),
        ("missing", "low", "any", True),
        ("missing", "critical", "incomplete", False),
        ("unknown", "low", "incomplete", True),
        ("unknown", "low", "critical", True),
        ("blocked", "low", "any", True),
        ("in_sync", "critical", "any", False),
    ],
)
def test_fail_on_decides_by_severity_and_never_passes_over_what_could_not_be_checked(
    status: str, severity: str, fail_on: Any, fails: bool
) -> None:
    report = build([{"name": "dev", "drift": [raw(status) | {"severity": severity}]}], "audit", NOW)
    assert report.fails(fail_on) is fails


def test_the_table_fits_eighty_columns_and_names_status_reason_and_hint() -> None:
    long = "x" * 30
    report = build(
        [
            {
                "name": "staging-" + long,
                "drift": [raw("in_sync"), raw("empty", f"vault_token/{long}{long}", reason="why " * 40, hint="do it")],
            }
        ],
        "audit",
        NOW,
    )
    lines = render(report)
    assert all(len(line) <= WIDTH for line in lines), [line for line in lines if len(line) > WIDTH]
    text = "\n".join(lines)
    assert "empty" in text and "To do: do it" in text and "VERDICT  drift" in text


def test_an_address_stays_whole_so_that_it_can_be_opened() -> None:
    url = f"https://sellercentral-europe.amazon.com/apps/authorize/consent?state={'aB-' * 40}"
    item = raw("missing", action="reauthorize", hint=f"The seller opens {url} and agrees.")
    assert any(url in line for line in render(build([{"name": "dev", "drift": [item]}], "audit", NOW)))


def test_the_fragment_for_git_is_shown_whole_where_a_tool_would_undo_the_repair() -> None:
    fragment = "kind: Deployment\nspec: {}\n"
    theirs = raw("missing", action="create", owner={"managers": ["argocd-controller"], "gitops": "Argo CD"})
    for item, shown in ((raw("missing", action="create"), False), (theirs, True)):
        report = build([{"name": "dev", "drift": [item], "git_fragment": fragment}], "audit", NOW)
        jsonschema.validate(report.as_dict(), SCHEMA)
        assert report.as_dict()["environments"][0]["git_fragment"] == fragment  # type: ignore[index]
        assert ("    kind: Deployment" in render(report)) is shown


def test_the_resume_of_a_repair_says_what_was_found_done_and_is_there_now() -> None:
    report = build(
        [{"name": "lab", "drift": [raw("in_sync")], "found": [raw("empty", action="create")]}], "repair", NOW
    )
    row = next(line for line in render(report) if line.startswith("Vault token"))
    assert [word for word in ("empty", "created", "in sync") if word in row] == ["empty", "created", "in sync"]


def test_a_step_that_is_still_wrong_is_not_reported_as_done() -> None:
    report = build(
        [{"name": "lab", "drift": [raw("empty", action="create")], "found": [raw("empty", action="create")]}],
        "repair",
        NOW,
    )
    row = next(line for line in render(report) if line.startswith("Vault token"))
    assert "created" not in row


def test_an_entry_that_is_no_item_is_refused_by_name() -> None:
    with pytest.raises(BadInputError, match=r"environment dev.*entry 0"):
        build([{"name": "dev", "drift": [{"changed": True}]}], "audit", NOW)
    with pytest.raises(BadInputError, match="it has no address, severity"):
        build([{"name": "dev", "drift": [{"id": "a/b", "check": "a", "status": "in_sync"}]}], "audit", NOW)


def test_the_file_is_written_whole_and_private(tmp_path: Path) -> None:
    report = build([{"name": "dev", "drift": [raw("in_sync")]}], "audit", NOW)
    target = tmp_path / "deep" / "drift_report.json"
    write_text(str(target), json_document.render(report))
    assert json.loads(target.read_text())["verdict"] == "in_sync"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [one.name for one in target.parent.iterdir()] == [target.name]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    report = build([{"name": "dev", "drift": [raw("in_sync")]}], "audit", NOW)
    with pytest.raises(BadInputError, match="Give a path in a folder"):
        write_text(str(blocker / "report.json"), json_document.render(report))


def test_a_report_that_could_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    report = build([{"name": "dev", "drift": [raw("in_sync")]}], "audit", NOW)
    with pytest.raises(BadInputError, match="directory"):
        write_text(str(tmp_path / "report.json"), json_document.render(report))
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]


def test_the_filter_calls_nothing_done_that_the_last_look_does_not_find_done() -> None:
    found = [raw("empty", action="update"), raw("missing", "amazon_app/document", action="create")]
    now = [raw("in_sync"), raw("missing", "amazon_app/document", action="create")]
    said = drift_resume(found, now)
    assert [(one["id"], one["done"], one["now"]) for one in said["problems"]] == [
        ("vault_token/secret", "updated", "in_sync"),
        ("amazon_app/document", "nothing", "missing"),
    ]
    assert [(step["found"], step["done"], step["now"]) for step in said["steps"]] == [
        ("empty", "updated", "in sync"),
        ("missing", "nothing", "missing"),
    ]


def test_what_nobody_looked_at_again_is_not_called_in_sync() -> None:
    said = drift_resume([raw("empty", action="update")], [])
    assert said["problems"][0]["now"] == said["steps"][0]["now"] == "not looked at"
    assert said["problems"][0]["done"] == "nothing"


def test_the_filter_names_what_is_no_item() -> None:
    with pytest.raises(AnsibleFilterError, match="entry 0 is not a drift item"):
        drift_resume([{"changed": True}], [])


def test_ignored_drift_is_listed_and_counted_and_an_expired_rule_counts_again(tmp_path: Path) -> None:
    rule = {"id": "vault_token/*", "owner": "ops", "reason": "planned", "expires": "2026-01-12"}
    late = {"id": "amazon_app/*", "owner": "ops", "reason": "was planned", "expires": "2026-01-11"}
    given = {
        "environments": [
            {"name": "dev", "drift": [raw("missing"), raw("empty", "amazon_app/document"), raw("unknown", "x/y")]}
        ],
        "mode": "audit",
        "ignore": [rule, late],
        **{option: str(tmp_path / option) for option in OUTPUTS},
    }
    report, _warnings = run(given, NOW, nothing)
    document = json.loads((tmp_path / "path").read_text())
    jsonschema.validate(document, SCHEMA)
    assert document["counts"]["by_status"] == {"empty": 1, "ignored": 1, "unknown": 1}
    assert "expired on 2026-01-11" in document["rules"][0]
    assert any("expired on 2026-01-11" in line for line in render(report))
    assert all((tmp_path / option).stat().st_size > 100 for option in OUTPUTS)
    modes = {option: stat.S_IMODE((tmp_path / option).stat().st_mode) for option in OUTPUTS}
    assert modes == dict.fromkeys(OUTPUTS, 0o600) | {"prometheus_path": 0o644}, "node exporter is another user"


def test_the_report_begins_with_what_changed_and_says_since_when(tmp_path: Path) -> None:
    given = {"environments": [{"name": "dev", "drift": [raw("missing")]}], "mode": "audit"}
    given["history_path"] = str(tmp_path / "history.jsonl")
    run(given, NOW, nothing)
    later = NOW + datetime.timedelta(days=1)
    other = raw("empty", "amazon_app/document")
    report, _warnings = run(
        given | {"environments": [{"name": "dev", "drift": [raw("missing"), other]}]}, later, nothing
    )
    assert "1 new" in " ".join(report.since_last)
    document = report.as_dict()
    jsonschema.validate(document, SCHEMA)
    assert document["environments"][0]["history"]["vault_token/secret"] == {  # type: ignore[index]
        "first_seen": "2026-01-12T09:30:00Z",
        "times": 1,
        "brought_by": None,
    }
    assert any("First seen: 2026-01-12T09:30:00Z" in line for line in render(report))


def test_several_environments_stand_side_by_side_in_eighty_columns_without_colour() -> None:
    names = ["dev", "staging", "prod-eu-central-number-one", "prod-us", "prod-jp"]
    drifts = [[raw("in_sync")], [raw("missing"), raw("unknown", "vault_token/role")], [], [raw("in_sync")], []]
    report = build(
        [{"name": name, "drift": drift} for name, drift in zip(names, drifts, strict=True)]
        + [{"name": "lost", "error": "stopped"}],
        "audit",
        NOW,
    )
    lines = render(report)
    assert all(len(line) <= WIDTH for line in lines)
    row = next(line for line in lines if line.startswith("  vault_token"))
    assert row.split() == ["vault_token", ".", "!", "1", "?", "1", "-", "."]
    assert any(line.split() == ["verdict", "incomplete", "error"] for line in lines)
