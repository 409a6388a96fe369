# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator as a process: how it starts, what it refuses, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.amazon.control import Control
from lab.errors import LabError
from tests.lab.amazon_caller import Caller
from tests.lab.amazon_process import PROJECT, configuration, running_simulator


def outcome(directory: Path, config: dict[str, Any], mode: int = 0o600) -> tuple[int, str]:
    """Exit code and output of a simulator that does not come up."""
    file = directory / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    file.chmod(mode)
    command = [sys.executable, "-m", "lab.amazon", "--config", str(file)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=20, check=False)
    return ended.returncode, ended.stdout + ended.stderr


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "mode", "sentence"),
    [
        (lambda config: None, 0o644, "holds secrets and must have mode 0600"),
        (lambda config: config.pop("client_secret"), 0o600, "the simulator's configuration lacks 'client_secret'"),
        (lambda config: config.update(keyfile="/nowhere"), 0o600, "names /nowhere, which does not exist"),
        (lambda config: config["sellers"][0].update(fixture="other"), 0o600, "there is no fixture 'other'"),
    ],
)
def test_wrong_configuration_is_one_sentence(tmp_path: Path, change: Change, mode: int, sentence: str) -> None:
    config, _ca_file = configuration(tmp_path)
    change(config)
    code, output = outcome(tmp_path, config, mode)
    assert code == 1
    assert sentence in output
    assert "Traceback" not in output
    assert "CANARY" not in output


def test_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    config, _ca_file = configuration(tmp_path)
    with socket.create_server(("127.0.0.1", config["admin_port"])):
        code, output = outcome(tmp_path, config)
    assert code == 1
    assert f"cannot listen on 127.0.0.1:{config['admin_port']}" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_at_once_in_the_middle_of_an_answer(tmp_path: Path, number: signal.Signals) -> None:
    with running_simulator(tmp_path) as simulator:
        caller = Caller(simulator)
        assert caller.search().status_code == 200
        simulator.process.send_signal(number)
        assert simulator.process.wait(3) == 0
        assert (tmp_path / "amazon.log").read_text() == ""
        with pytest.raises(LabError, match="does not answer"):
            Control(simulator.admin_url).state()


def test_page_token_survives_a_new_start_of_the_simulator(tmp_path: Path) -> None:
    with running_simulator(tmp_path) as simulator:
        first = Caller(simulator).search(maxResultsPerPage=60).json()
    (tmp_path / "again").mkdir()
    with running_simulator(tmp_path / "again") as simulator:
        token = first["pagination"]["nextToken"]
        second = Caller(simulator).search(maxResultsPerPage=60, paginationToken=token).json()
    assert len(second["orders"]) == 34


def test_public_port_takes_nothing_without_tls(tmp_path: Path) -> None:
    with (
        running_simulator(tmp_path) as simulator,
        socket.create_connection(("127.0.0.1", int(simulator.host.split(":")[1])), timeout=5) as plain,
    ):
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1 200" not in plain.recv(4096)


def test_reset_is_the_world_of_the_start(tmp_path: Path) -> None:
    with running_simulator(tmp_path) as simulator:
        admin = simulator.admin
        before = admin.state()
        admin.inject("internal-500", None)
        admin.buckets("searchOrders", tokens=0, rate=9.0)
        admin.seller("ecomlg-001", revoked=True, suspended=["A13V1IB3VIYZZH"])
        admin.rate_header(False)
        admin.clock(advance=86_400, speed=5)
        admin.change_order("ecomlg-001", "407-8949262-6149120", "CANCELLED")
        admin.reset()
        after = admin.state()
        then, now = (datetime.fromisoformat(state["clock"].pop("now")) for state in (before, after))
        assert timedelta() < now - then < timedelta(seconds=30)
        assert after == before
        cancelled = Caller(simulator).search(fulfillmentStatuses="CANCELLED").json()["orders"]
        assert len(cancelled) == 6


def test_unknown_tenant_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with running_simulator(tmp_path) as simulator:
        with pytest.raises(LabError, match="no tenant 'other'; known: ecomlg-001, switaa-002"):
            simulator.admin.consent("other")
        with pytest.raises(LabError, match="no operation 'getFeeds'; known: searchOrders"):
            simulator.admin.buckets("getFeeds", tokens=0)
