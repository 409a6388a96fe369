# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's verdicts against those of a real Node.js with NODE_EXTRA_CA_CERTS."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import trustme
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls import probe

from lab.backend import node_binary
from tests.unit.kube.tls_servers import Site

pytestmark = pytest.mark.lab
SCRIPT = """
const [host, port] = process.argv.slice(1);
const socket = require('tls').connect({host, port, servername: /^[0-9.]+$/.test(host) ? undefined : host},
  () => { console.log('OK'); socket.destroy(); });
socket.on('error', (error) => console.log(error.code));
"""


def node_says(folder: Path, host: str, site: Site, ca: str) -> str:
    file = folder / "ca.pem"
    file.write_text(ca)
    ended = subprocess.run(
        [str(node_binary()), "-e", SCRIPT, host, str(site.port)],
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(file)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return ended.stdout.strip()


@pytest.mark.parametrize(
    ("case", "host"),
    [
        ("right", "127.0.0.1"),
        ("right", "localhost"),
        ("other CA", "127.0.0.1"),
        ("leaf as CA", "127.0.0.1"),
        ("intermediate as CA", "127.0.0.1"),
        ("wrong name", "127.0.0.1"),
        ("expired", "127.0.0.1"),
        ("future", "127.0.0.1"),
    ],
)
def test_the_probe_judges_as_node_does(tmp_path: Path, case: str, host: str) -> None:
    authority = trustme.CA().create_child_ca() if case == "intermediate as CA" else trustme.CA()
    names = ("vault.example",) if case == "wrong name" else ()
    with Site.running(*names, authority=authority, expired=case == "expired", future=case == "future") as site:
        ca = {"other CA": trustme.CA().cert_pem.bytes().decode(), "leaf as CA": site.leaf_pem}.get(case, site.ca_pem)
        found = probe(host, site.port, ca)
        said = node_says(tmp_path, host, site, ca)
    assert said in ("OK" if found.ok else found.node_code or "").split(" or ")
