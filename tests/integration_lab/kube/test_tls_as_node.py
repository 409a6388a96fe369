# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's predictions against what real Node.js processes with NODE_EXTRA_CA_CERTS say, row by row."""

from __future__ import annotations

import contextlib
import socket
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls import Probe, probe

from tests.integration_lab.kube.node_tls import answers, nodes
from tests.integration_lab.kube.tls_rows import Row, rows
from tests.unit.kube.tls_certificates import authority
from tests.unit.kube.tls_servers import closed_port, plain_server, tls_server

pytestmark = pytest.mark.lab
NODES = nodes()


@dataclass(frozen=True)
class Judged:
    """A row with the port its server listens on, and what the probe says of it."""

    row: Row
    port: int
    probe: Probe


@pytest.fixture(scope="module")
def table() -> Iterator[list[Judged]]:
    found, resolve = [], socket.getaddrinfo

    def loopback(host: str, *arguments: Any, **named: Any) -> Any:
        return resolve("127.0.0.1" if host.endswith("localhost") else host, *arguments, **named)

    with contextlib.ExitStack() as servers, pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", loopback)  # not every machine knows the names below localhost
        for row in rows():
            port = servers.enter_context(tls_server(row.context))
            found.append(Judged(row, port, probe(row.host, port, row.ca)))
        yield found


def test_each_fault_is_called_by_its_name(table: list[Judged]) -> None:
    assert {one.row.name: one.probe.fault for one in table} == {one.row.name: one.row.fault for one in table}
    assert all(one.probe.remedy for one in table if one.row.fault)


@pytest.mark.parametrize("major", NODES)
def test_the_probe_judges_as_node_does(table: list[Judged], major: int, tmp_path: Path) -> None:
    asked: dict[bytes | None, list[tuple[str, int]]] = defaultdict(list)
    for one in table:
        asked[one.row.ca].append((one.row.host, one.port))
    said = {content: iter(lines) for content, lines in answers(NODES[major], tmp_path, asked).items()}
    assert {one.row.name: one.probe.as_seen_by(major) for one in table} == {
        one.row.name: next(said[one.row.ca]) for one in table
    }
    assert len(table) > 100


@pytest.mark.parametrize("major", NODES)
def test_what_is_no_tls_server_has_nodes_code_too(major: int, tmp_path: Path) -> None:
    ca = authority().pem.encode()
    with plain_server() as plain:
        targets = [("127.0.0.1", plain), ("127.0.0.1", closed_port())]
        said = answers(NODES[major], tmp_path, {ca: targets})[ca]
        predicted = [probe(host, port, ca) for host, port in targets]
    assert [one.as_seen_by(major) for one in predicted] == said
    assert [one.fault for one in predicted] == ["not_tls", "refused"]
