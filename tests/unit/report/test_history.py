# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Since when something is wrong, how often it came back, and what a report cannot say about it."""

from __future__ import annotations

import datetime
import itertools
import json
import stat
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Owner
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import FIELD_MANAGER
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import history as history_rules
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history import Change, Changes, History, update
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history_file import read, write
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history_summary import summary
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.terminal import render
from hypothesis import given
from hypothesis import strategies as st

START = datetime.datetime(2026, 1, 11, 2, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
FLAG = "backend_access/forbidden/NODE_TLS_REJECT_UNAUTHORIZED"
ARGO = Owner(managers=("argocd-controller", FIELD_MANAGER), gitops="Argo CD", revert_risk="certain")


def item(status: Any, name: str = FLAG, **more: Any) -> Item:
    return Item(id=name, address="Secret a/b", check=name.partition("/")[0], severity="high", status=status, **more)


def report(*items: Item, name: str = "dev", found: Sequence[Item] = (), error: str = "") -> Report:
    environment = Environment(name, items, tuple(found), error=error)
    return Report((environment,), "repair" if found else "audit", START)


def told(*reports: Report, start: History | None = None) -> tuple[History, Changes]:
    """After all reports, one an hour, and what the last one changed."""
    history, changes = start or History(), Changes(None)
    begin = (history.updated_at or START - HOUR) + HOUR
    for number, one in enumerate(reports):
        history, changes = update(history, one, begin + number * HOUR)
    return history, changes


def ids(changes: Sequence[Change]) -> list[str]:
    return [change.id for change in changes]


def test_drift_that_was_cleared_and_is_there_again_came_back_and_says_who_brought_it() -> None:
    wrong, clean = report(item("forbidden_present", owner=ARGO)), report(item("in_sync"))
    history, changes = told(wrong, clean, wrong, clean, wrong)
    (entry,) = history.entries.values()
    assert (entry.times, entry.brought_by, entry.cleared_at) == (3, "argocd-controller", None)
    assert (entry.first_seen, entry.last_seen) == (START, START + 4 * HOUR)
    assert summary(changes) == ["Since 2026-01-11T05:00Z: 1 came back (third time, argocd-controller)"]


def test_where_nobody_holds_the_field_the_tool_that_applies_the_object_is_named() -> None:
    history, _ = told(report(item("missing", owner=Owner(managers=(FIELD_MANAGER,), gitops="Flux"))))
    assert [entry.brought_by for entry in history.entries.values()] == ["Flux"]


def test_this_collections_own_field_manager_is_the_one_left_out() -> None:
    assert history_rules.OURS == FIELD_MANAGER


def test_a_repair_that_undoes_what_came_back_counts_it_though_its_last_look_is_in_sync() -> None:
    repair = report(item("in_sync"), found=[item("forbidden_present", owner=ARGO)])
    history, changes = told(repair, repair)
    (entry,) = history.entries.values()
    assert (entry.times, entry.open, entry.cleared_at) == (2, False, START + HOUR)
    assert ids(changes.returned) == ids(changes.cleared) == [FLAG]


@pytest.mark.parametrize(
    "silent",
    [
        report(error="stopped"),
        report(item("in_sync"), error="stopped"),
        report(item("unknown", "backend_access/could-not-check")),
        report(item("in_sync", "backend_access/env/A"), item("blocked", "backend_access/restart")),
        report(item("in_sync", "vault_token/policy")),
        report(item("unknown")),
        report(item("in_sync"), name="prod"),
        Report((), "audit", START),
    ],
    ids=["error", "late error", "check failed", "half a check", "other check", "unseen", "other host", "nothing"],
)
def test_who_did_not_look_clears_nothing(silent: Report) -> None:
    history, changes = told(report(item("forbidden_present")), silent)
    assert changes.cleared == () and history.entries["dev", FLAG].cleared_at is None
    back, changes = told(report(item("forbidden_present")), start=history)
    assert back.entries["dev", FLAG].times == 1 and changes.returned == ()


def test_what_is_gone_from_a_complete_check_is_cleared() -> None:
    history, changes = told(report(item("stale", "vault_token/intent")), report(item("in_sync", "vault_token/policy")))
    assert ids(changes.cleared) == ["vault_token/intent"]
    cleared = history.entries["dev", "vault_token/intent"]
    assert (cleared.status, cleared.cleared_at) == ("in_sync", START + HOUR)
    history, _ = told(report(item("in_sync", "vault_token/policy")), start=history)
    assert history.entries["dev", "vault_token/intent"] == cleared, "it is cleared once, or it would never be dropped"


def test_another_tenants_run_does_not_clear_this_tenant() -> None:
    mine, other = "amazon_tenant/a/grant", "amazon_tenant/b/grant"
    history, changes = told(report(item("missing", mine)), report(item("in_sync", other)))
    assert changes.cleared == () and history.entries["dev", mine].open
    _, changes = told(report(item("in_sync", mine)), start=history)
    assert ids(changes.cleared) == [mine]


@pytest.mark.parametrize("place", ["vault_token", "amazon_tenant/a"])
def test_a_check_that_can_be_made_again_clears_that_it_could_not(place: str) -> None:
    lost, other = f"{place}/could-not-check", f"{place}/grant"
    _, changes = told(report(item("unknown", lost)), report(item("missing", other)))
    assert (ids(changes.cleared), ids(changes.appeared)) == ([lost], [other])
    assert told(report(item("unknown", lost)), report(item("in_sync", "backend_access/env/A")))[1].cleared == ()


def test_what_cannot_be_checked_is_told_but_is_no_drift_that_came_back() -> None:
    clean, unseen, wrong = (report(item(status)) for status in ("in_sync", "unknown", "missing"))
    history, changes = told(unseen, clean, unseen)
    assert history.entries["dev", FLAG].times == 0 and changes.returned == ()
    assert [(one.before, one.after) for one in changes.changed] == [("in_sync", "unknown")]
    assert summary(changes) == ["Since 2026-01-11T03:00Z: 1 cannot be checked"]
    history, changes = told(wrong, start=history)
    assert ids(changes.appeared) == [FLAG] and history.entries["dev", FLAG].times == 1
    history, changes = told(clean, unseen, wrong, start=history)
    assert ids(changes.returned) == [FLAG] and history.entries["dev", FLAG].times == 2


def test_a_rule_that_ignores_drift_repairs_nothing_and_its_end_brings_nothing_back() -> None:
    wrong, hidden = report(item("missing")), report(item("ignored"))
    history, changes = told(wrong, hidden)
    assert summary(changes) == ["Since 2026-01-11T02:00Z: 1 now ignored"]
    history, changes = told(wrong, start=history)
    assert history.entries["dev", FLAG].times == 1 and changes.returned == ()
    assert told(hidden)[0].entries == {}


def test_a_status_that_changed_is_told_with_both_and_the_same_one_is_not() -> None:
    _, changes = told(report(item("missing")), report(item("empty")))
    assert [(one.before, one.after) for one in changes.changed] == [("missing", "empty")]
    _, changes = told(report(item("empty")), report(item("empty")))
    assert summary(changes) == ["Since 2026-01-11T02:00Z: nothing changed"]


def test_a_clock_that_went_back_puts_no_time_before_an_earlier_one() -> None:
    history, _ = update(History(), report(item("missing")), START)
    history, _ = update(history, report(item("in_sync")), START - 5 * HOUR)
    assert history.entries["dev", FLAG].cleared_at == history.updated_at == START


def test_entries_are_dropped_400_days_after_the_last_word_of_them() -> None:
    old, _ = told(report(item("missing")), report(item("in_sync")))
    last = old.updated_at or START
    keeps, _ = update(old, report(name="prod"), last + datetime.timedelta(days=400))
    drops, _ = update(old, report(name="prod"), last + datetime.timedelta(days=400, seconds=1))
    assert list(keeps.entries) == [("dev", FLAG)] and drops.entries == {}
    removed_host, _ = told(report(item("missing")))
    assert update(removed_host, report(name="prod"), START + datetime.timedelta(days=401))[0].entries == {}


STATUSES = ("in_sync", "missing", "drifted", "unknown", "blocked", "error", "ignored")
NAMES = (FLAG, "backend_access/env/A", "vault_token/could-not-check", "vault_token/policy", "amazon_tenant/a/grant")
looks = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(STATUSES)).map(
    lambda those: tuple(item(status, name, owner=ARGO) for name, status in those.items())
)
environments = st.builds(
    lambda name, items, found, error: Environment(name, items, found, error=error),
    st.sampled_from(("dev", "prod", "küche \u2028")),
    looks,
    looks | st.just(()),
    st.sampled_from(("", "", "stopped")),
)
sequences = st.lists(
    st.tuples(st.lists(environments, max_size=3), st.timedeltas(-2 * HOUR, datetime.timedelta(days=300))), max_size=8
)


@pytest.mark.slow
@given(sequences)
def test_any_sequence_of_reports_keeps_its_times_in_order_and_can_be_read_again(sequence: Any) -> None:
    history, now = History(), START
    for those, later in sequence:
        now += later
        before = history
        history, changes = update(history, Report(tuple(those), "audit", now), now)
        for entry in history.entries.values():
            assert entry.first_seen <= entry.last_seen <= (history.updated_at or START)
            assert entry.cleared_at is None or entry.cleared_at >= entry.first_seen
            assert entry.open or entry.cleared_at is not None
            assert entry.times or entry.brought_by is None
        for change in changes.returned:
            assert change.times >= 2 and change.after not in {"unknown", "blocked", "error", "ignored", "in_sync"}
        loud = {env.name for env in those if not env.error}
        assert {change.environment for change in changes.cleared} <= loud
        gone = before.entries.keys() - history.entries.keys()
        assert all(before.entries[key].last_seen < now - datetime.timedelta(days=400) for key in gone)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "history.jsonl")
        write(history, path)
        assert read(path) == history
        written = Path(path).read_bytes()
        write(read(path), path)
        assert Path(path).read_bytes() == written


@given(st.lists(st.sampled_from(("in_sync", "missing", "drifted", "unknown")), max_size=12))
def test_every_time_drift_follows_a_clean_look_it_counts_one_more(statuses: list[str]) -> None:
    history, _ = told(*(report(item(status)) for status in statuses))
    seen = [status != "in_sync" for status in statuses if status != "unknown"]
    times = sum(1 for before, after in itertools.pairwise([False, *seen]) if after and not before)
    assert (history.entries["dev", FLAG].times if history.entries else 0) == times


@pytest.mark.slow
def test_tens_of_thousands_of_items_and_environments_take_seconds() -> None:
    """What looked at every entry for every item or environment would take minutes."""
    fleet = [item("missing", f"amazon_tenant/t{number}/grant") for number in range(30_000)]
    lost = [item("unknown", f"amazon_tenant/l{number}/could-not-check") for number in range(10_000)]
    hosts = tuple(Environment(f"t{number}@prod", (item("missing"),)) for number in range(10_000))
    many = Report((Environment("prod", (*fleet, *lost)), *hosts), "audit", START)
    cleared = Report((Environment("prod", tuple(fleet)), *hosts), "audit", START)
    began = time.monotonic()
    history, changes = told(many, many, cleared)
    assert len(history.entries) == 50_000 and changes.changed == ()
    assert len(summary(changes)) < 30
    assert len(summary(told(many)[1])) == 22, "twenty environments by name, and how many more"
    assert time.monotonic() - began < 30


def test_the_same_report_once_more_changes_nothing_but_the_time() -> None:
    one = report(item("missing"), item("unknown", "vault_token/policy"), item("ignored", "backend_access/env/A"))
    history, _ = told(one)
    again, changes = told(one, start=history)
    assert changes == Changes(START)
    assert again.entries.keys() == history.entries.keys()


def test_the_file_is_private_whole_and_holds_no_value_reason_or_address(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "history.jsonl"
    history, _ = told(report(item("drifted", before="CANARY", after="CANARY", reason="CANARY", hint="CANARY")))
    write(history, str(target))
    head, line = target.read_text().splitlines()
    assert json.loads(head)["format_version"] == "1.0"
    assert set(json.loads(line)) == {
        *("environment", "id", "status", "first_seen", "last_seen", "cleared_at", "times", "brought_by")
    }
    assert "CANARY" not in line and "Secret a/b" not in line
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [one.name for one in target.parent.iterdir()] == [target.name]


def test_no_file_yet_is_an_empty_history(tmp_path: Path) -> None:
    assert read(str(tmp_path / "none.jsonl")) == History()
    write(History(), str(tmp_path / "empty.jsonl"))
    assert read(str(tmp_path / "empty.jsonl")) == History()


HEAD = '{"format_version": "1.7", "updated_at": "2026-01-11T02:00:00Z"}\n'
LINE = json.dumps(
    {
        **{"environment": "dev", "id": "a/b", "status": "missing", "times": 1, "brought_by": None, "later": 1},
        **{"first_seen": "2026-01-11T02:00:00Z", "last_seen": "2026-01-11T02:00:00Z", "cleared_at": None},
    }
)


def test_a_file_of_a_later_1_x_is_read(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text(f"{HEAD}{LINE}\n")
    assert list(read(str(tmp_path / "history.jsonl")).entries) == [("dev", "a/b")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1 is not the head"),
        ("[]\n", "line 1 is not the head"),
        (HEAD.replace("1.7", "2.0"), "line 1 is not the head"),
        (f"{LINE}\n", "line 1 is not the head"),
        (f"{HEAD}{LINE}", "line 2 has no end"),
        (f"{HEAD}\n", "line 2 is not an entry"),
        (f"{HEAD}{LINE}\n{LINE[:-9]}\n", "line 3 is not an entry"),
        (f"{HEAD}{LINE}\n{LINE}\n", "line 3 tells of an item that an earlier line"),
        (HEAD + LINE.replace('"times": 1', '"times": true') + "\n", "line 2 is not an entry"),
        (HEAD + LINE.replace('"first_seen": "2026', '"first_seen": "2027') + "\n", "line 2 is not an entry"),
        (HEAD + LINE.replace('"missing"', "7") + "\n", "line 2 is not an entry"),
        (HEAD + "[" * 100_000 + "\n", "line 2 is not an entry"),
        (HEAD + "\udcff\n", "line 2 is not an entry"),
    ],
)
def test_a_broken_line_is_named_and_what_to_do(tmp_path: Path, content: str, said: str) -> None:
    target = tmp_path / "history.jsonl"
    target.write_text(content, errors="surrogateescape")
    with pytest.raises(BadInputError, match=f"{said}.*Move the file away"):
        read(str(target))


def test_a_folder_that_cannot_be_read_or_written_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").mkdir()
    with pytest.raises(BadInputError, match="directory"):
        read(str(tmp_path / "history.jsonl"))
    with pytest.raises(BadInputError, match="Give a path in a folder"):
        write(History(), str(tmp_path / "history.jsonl"))
    assert [one.name for one in tmp_path.iterdir()] == ["history.jsonl"]


def test_the_summary_counts_all_and_then_by_environment() -> None:
    def change(environment: str, after: str = "missing", times: int = 1, by: str | None = None) -> Change:
        return Change(environment, FLAG, None, after, times, by)

    changes = Changes(
        START,
        appeared=(change("dev"), change("prod")),
        returned=(change("dev", times=2, by="argocd-controller"), change("dev", times=12, by="x" * 100)),
        cleared=(change("prod"),) * 3,
    )
    lines = summary(changes)
    assert lines[0].startswith("Since 2026-01-11T02:00Z: 2 new, 2 came back (up to the 12th time,")
    assert lines[-1] == "prod: 1 new, 3 cleared"
    shown = render(replace(report(item("missing")), since_last=tuple(lines)))
    assert all(len(line) <= 80 for line in shown)
    assert "  prod: 1 new, 3 cleared" in shown
    assert summary(Changes(None, appeared=(change("dev"),))) == ["First look: 1 new"]
