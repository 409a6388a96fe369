# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the proofs of the jobs rest on: folders that cannot be written, and a sweep that passes over nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.awx.given import sliced
from tests.awx.runner import Ended, _no_more_than_others, closed, opened, snapshot
from tests.e2e.test_canary import leaks


def ended(place: Path, sent: str, masked: frozenset[str] = frozenset()) -> Ended:
    (place / "job_events").mkdir()
    (place / "stdout").write_text("")
    return Ended("amazon-audit", 0, "successful", place, sent.encode(), (), masked)


def test_nobody_can_write_into_a_closed_folder_not_even_root(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "roles").mkdir(parents=True)
    (folder / "file").write_text("as it was")
    closed(folder)
    before = snapshot(folder)
    with opened(folder):
        for target in ("new", "roles/new", "file"):
            tried = subprocess.run(
                ["sh", "-c", f"echo x >> {folder}/{target}"],
                capture_output=True,
                check=False,
                preexec_fn=_no_more_than_others,
            )
            assert tried.returncode and b"ermission denied" in tried.stderr, target
        assert snapshot(folder) == before


def test_a_written_file_changes_the_snapshot(tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    (tmp_path / "new").touch()
    assert snapshot(tmp_path) != before


@pytest.mark.parametrize("where", ["job_events/1-a.json", "stdout", "fact_cache", "status"])
def test_a_secret_in_any_file_of_the_artifacts_is_found(tmp_path: Path, where: str) -> None:
    one = ended(tmp_path, "")
    (tmp_path / where).write_text(json.dumps({"stdout": "x s.CANARY+/= y"}))
    assert leaks({"token": "s.CANARY+/="}, one.places())


def test_only_the_variables_that_awx_masks_are_passed_over_and_only_in_the_environment(tmp_path: Path) -> None:
    secret = "amzn1.CANARY"
    told = json.dumps({"status": "starting", "env": {"AMAZON_CLIENT_SECRET": secret}})
    other = json.dumps({"status": "starting", "env": {"OTHER": secret}})
    event = json.dumps({"event": "runner_on_ok", "stdout": secret})
    known = {"client secret": secret}
    masked = frozenset({"AMAZON_CLIENT_SECRET"})
    (one := ended(tmp_path, told, masked)).folder.joinpath("command").write_text(told)
    assert leaks(known, one.places()) == []
    for number, sent in enumerate((other, f"{told}\n{event}")):
        place = tmp_path / str(number)
        place.mkdir()
        assert leaks(known, ended(place, sent, masked).places()), sent


def test_slices_share_the_hosts_and_leave_none_out() -> None:
    hosts = [f"t{number}@lab" for number in range(5)]
    whole = {
        "all": {"hosts": hosts, "vars": {"x": 1}},
        "environment_lab": {"hosts": hosts},
        "_meta": {"hostvars": {host: {} for host in hosts}},
    }
    parts = [sliced(whole, number, 3) for number in range(3)]
    assert sorted(host for part in parts for host in part["all"]["hosts"]) == hosts
    assert all(
        part["all"]["vars"] == {"x": 1} and set(part["_meta"]["hostvars"]) == set(part["all"]["hosts"])
        for part in parts
    )
