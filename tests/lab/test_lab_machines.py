# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab on machines that are not as one would like: taken ports, long or private paths, Ctrl-C, no Python."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab import postgres, processes, seed, startup
from lab.certificates import authority
from lab.processes import PROJECT, Processes, marked
from lab.world import World

pytestmark = pytest.mark.lab


@pytest.fixture
def folder() -> Iterator[Path]:
    """A lab's folder with a space in its path; nothing may be left of the lab after the test."""
    with tempfile.TemporaryDirectory(prefix="lab machine ") as place:
        lab = Path(place).resolve() / "lab"
        yield lab
        startup.down(lab, lambda _: None)
        assert not marked(lab)
        assert not postgres.private_folder(lab).exists()


def test_a_port_taken_between_its_choice_and_its_use_makes_up_start_once_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_KUBERNETES", "emulator")
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        ports = [int(somebody.getsockname()[1])]
        monkeypatch.setattr(startup, "free_port", lambda: ports.pop() if ports else processes.free_port())
        world = World.up(folder, say=said.append)
        taken = somebody.getsockname()[1]
    assert [line for line in said if "taken by somebody else" in line]
    assert str(taken) not in world.state["amazon"]["endpoint"]
    assert world.backend()[0] == 200
    assert world.dead_parts() == []


def test_ctrl_c_in_up_ends_what_was_begun_and_says_how_to_clean_up(folder: Path) -> None:
    starting = subprocess.Popen(
        [sys.executable, "-m", "lab", "up"],
        env={**os.environ, "LAB_DIR": str(folder), "LAB_KUBERNETES": "emulator"},
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    give_up = time.monotonic() + 30
    while not Processes(folder).records() and time.monotonic() < give_up:
        time.sleep(0.01)
    starting.send_signal(signal.SIGINT)
    _, errors = starting.communicate(timeout=30)
    assert starting.returncode == 1
    assert errors == "interrupted; python -m lab down removes what is there\n"
    assert not marked(folder)
    assert not (folder / "state.json").exists()


def test_a_server_that_only_its_owner_may_read_runs_and_ends_though_its_front_was_killed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a root's umask of 077, or a checkout in a private home, makes of the installed server."""
    package = postgres.binaries().parent.parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, tmp_path / source.name)
    for path in (tmp_path, *tmp_path.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
    monkeypatch.setattr(postgres, "binaries", lambda: tmp_path / package.name / "pginstall" / "bin")
    for part in ("secrets", "logs"):
        (folder / part).mkdir(mode=0o700, parents=True)
    (folder / "KEYBUZZ-LAB").touch()
    running = Processes(folder)
    database = postgres.start(folder, running, authority(folder, "platform"), seed.draw())
    connection = database.connect("audit")
    record = running.record(postgres.NAME)
    assert record is not None
    servers = [process for process in processes.family(psutil.Process(record.pid)) if process.pid != record.pid]
    assert len(servers) > 1
    os.kill(record.pid, signal.SIGKILL)
    (folder / "processes.json").unlink()
    running.stop_everything()
    assert not [process for process in servers if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    connection.close()


def test_the_servers_socket_fits_into_the_kernels_108_bytes_whatever_tmpdir_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for length in (10, 60, 120, 200):
        deep = tmp_path / ("x" * length)
        deep.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(deep))
        place = postgres.private_folder(folder)
        assert len(os.fsencode(place / ".s.PGSQL.5432")) < 108
    assert place.parent == Path("/tmp").resolve()


def test_the_backends_psql_runs_where_python_lies_in_a_path_with_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "with a space, it's long"
    place.symlink_to(sys.prefix)
    monkeypatch.setattr(sys, "executable", str(place / "bin" / Path(sys.executable).name))
    program = startup.write_psql(tmp_path / "bin" / "psql")
    done = subprocess.run([program, "--help"], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout[:11]) == (0, "usage: psql")


# -- the project's own virtual environment ------------------------------------------------------------------------


def set_up(tmp_path: Path, pythons: dict[str, str], **env: str) -> subprocess.CompletedProcess[str]:
    """Runs lab/bootstrap.sh on a machine whose only Pythons are these shell scripts (by name)."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in pythons.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    for name in ("rm", "bash"):
        (tools / name).symlink_to(shutil.which(name) or name)
    return subprocess.run(
        ["bash", str(PROJECT / "lab" / "bootstrap.sh"), ".venv"],
        cwd=tmp_path,
        env={"PATH": str(tools), **env},
        text=True,
        capture_output=True,
        check=False,
    )


OLD = "exit 1"
# New enough; asked for the parts of a virtual environment, or for one, it fails as Debian's does.
BARE = """
case "$*" in
  --version) echo Python 3.12.3 ;;
  *ensurepip*) exit 1 ;;
  "-m venv .venv") mkdir .venv; exit 1 ;;
esac
"""


def test_a_machine_without_a_python_that_is_new_enough_is_told_so(tmp_path: Path) -> None:
    done = set_up(tmp_path, {"python3": OLD})
    assert (done.returncode, done.stderr) == (
        1,
        "No Python 3.11 or newer was found. Install one, or name it: make demo PYTHON=/path/to/python3.12\n",
    )


def test_a_python_that_was_named_and_cannot_be_run_is_not_silently_replaced(tmp_path: Path) -> None:
    done = set_up(tmp_path, {"python3.12": BARE}, PYTHON="/nowhere/python")
    assert (done.returncode, done.stderr) == (1, "PYTHON=/nowhere/python is no Python 3.11 or newer that can be run.\n")


def test_a_python_that_cannot_make_an_environment_is_named_with_the_package_and_leaves_nothing(tmp_path: Path) -> None:
    done = set_up(tmp_path, {"python3.12": BARE, "mkdir": f'exec {shutil.which("mkdir")} "$@"'})
    assert done.returncode == 1
    assert f"python3.12 cannot make a virtual environment in {tmp_path}." in done.stderr
    assert "install the package python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()
