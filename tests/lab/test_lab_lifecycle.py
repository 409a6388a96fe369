# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's commands as they are typed: killed, repeated, side by side, misspelt."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab import postgres
from lab.processes import PROJECT, Processes, marked
from lab.world import World

pytestmark = pytest.mark.lab


def lab(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*words), env=_environment(folder), cwd=PROJECT, text=True, capture_output=True, check=False
    )


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "lab", *words]


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "LAB_DIR": str(folder)}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is not there yet, and that nothing may be left of."""
    place = Path(tempfile.mkdtemp(prefix="lab-life-")).resolve() / "lab"
    yield place
    lab(place, "down")
    assert not place.exists()
    place.parent.rmdir()


def nothing_is_left(folder: Path) -> bool:
    return not (marked(folder) or folder.exists() or postgres.private_folder(folder).exists())


def test_two_labs_live_side_by_side_and_down_ends_only_its_own(folder: Path) -> None:
    other = folder.with_name("other")
    starting = [
        subprocess.Popen(_command("up"), env=_environment(place), cwd=PROJECT, stdout=subprocess.DEVNULL)
        for place in (folder, other)
    ]
    assert [process.wait(timeout=120) for process in starting] == [0, 0]
    first, second = World.load(folder), World.load(other)
    ports = [{part.address for part in one.parts()} for one in (first, second)]
    assert not ports[0] & ports[1]
    done = lab(other, "down")
    assert done.returncode == 0, done.stderr
    assert nothing_is_left(other)
    assert first.dead_parts() == []
    assert first.backend()[0] == 200

    # Any part that dies makes the lab one that up starts anew.
    record = first.processes.record("openbao")
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(record.pid)] if psutil.pid_exists(record.pid) else [], timeout=5)
    said = lab(folder, "status")
    assert said.returncode == 1
    assert "dead" in said.stdout
    before = {process.pid for process in marked(folder)}
    again = lab(folder, "up")
    assert again.returncode == 0, again.stderr
    assert "Vault (OpenBao)" in again.stdout
    assert World.load(folder).backend()[0] == 200
    assert not before & {process.pid for process in marked(folder)}

    # Not even the records are needed to end it.
    (folder / "processes.json").unlink()
    (folder / "outside.json").unlink()
    (folder / "state.json").unlink()
    assert lab(folder, "down").returncode == 0
    assert nothing_is_left(folder)


def test_an_up_that_was_killed_half_way_is_cleaned_by_the_next(folder: Path) -> None:
    starting = subprocess.Popen(_command("up"), env=_environment(folder), cwd=PROJECT, stdout=subprocess.DEVNULL)
    give_up = time.monotonic() + 30
    while len(Processes(folder).records()) < 2 and time.monotonic() < give_up:
        time.sleep(0.01)
    starting.kill()
    starting.wait()
    orphans = {process.pid for process in marked(folder)}
    assert orphans
    assert not (folder / "state.json").exists()
    shutil.rmtree(folder, ignore_errors=True)  # the records are lost too, and what lives may write again
    done = lab(folder, "up")
    assert done.returncode == 0, done.stderr
    assert "what an earlier lab has left" in done.stdout
    assert not orphans & {process.pid for process in marked(folder)}
    start = time.monotonic()
    assert lab(folder, "up").returncode == 0
    assert time.monotonic() - start < 1.0
    assert lab(folder, "down").returncode == 0
    assert nothing_is_left(folder)


def test_a_process_that_has_only_inherited_a_recorded_number_is_left_alone(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        record = {"name": "openbao", "pid": bystander.pid, "created": psutil.Process(bystander.pid).create_time() - 5}
        (tmp_path / "processes.json").write_text(json.dumps([record]))
        processes = Processes(tmp_path)
        assert not processes.alive("openbao")
        assert processes.stop_everything() == 0
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_part_that_does_not_come_up_is_named_with_its_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KUBERNETES", "nonsense")
    done = lab(folder, "up")
    assert done.returncode == 1
    assert "there is no Kubernetes API of kind nonsense" in done.stderr
    assert "Traceback" not in done.stderr
    assert not marked(folder)
    assert lab(folder, "down").returncode == 0
    assert nothing_is_left(folder)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["break", "nonsense"], 2, "there is no piece named nonsense: the pieces are vault-token-secret,"),
        (["break"], 2, "NAME"),
        (["heal", "nonsense"], 2, "there is no piece named nonsense"),
        (["fly"], 2, "invalid choice: 'fly'"),
        (["heal"], 1, "start one with python -m lab up"),
        (["break", "all"], 1, "start one with python -m lab up"),
        (["status"], 1, "start one with python -m lab up"),
        (["env"], 1, "start one with python -m lab up"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_answered_with_what_to_type(folder: Path, words: list[str], status: int, message: str) -> None:
    done = lab(folder, *words)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_down_without_a_lab_is_no_error(folder: Path) -> None:
    done = lab(folder, "down")
    assert (done.returncode, done.stdout) == (0, f"there is no lab in {folder}\n")


@pytest.mark.parametrize("word", ["up", "down"])
def test_a_folder_with_somebodys_data_is_never_taken_for_a_lab(tmp_path: Path, word: str) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = lab(tmp_path, word)
    assert done.returncode == 1
    assert "is not empty and not a lab: name another folder in LAB_DIR" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
