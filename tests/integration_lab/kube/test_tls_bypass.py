# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NODE_TLS_REJECT_UNAUTHORIZED does to a real Node.js process, and what the collection says of it."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import BYPASS, BYPASS_REASON
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.forbidden import REASONS, harmful

from tests.integration_lab.kube.node_tls import SCRIPT, nodes, without_tls_settings
from tests.unit.kube.tls_certificates import authority, server
from tests.unit.kube.tls_servers import tls_server

pytestmark = pytest.mark.lab
NODES = nodes()
VALUES = ("0", "00", " 0", "0 ", "0.0", "-0", "+0", "0x0", "1", "", "false", "no", "off", "null")


def says(major: int, targets: list[tuple[str, int]], **variables: str) -> list[str]:
    """What a process with these variables says of each of the servers."""
    environment = {**without_tls_settings(os.environ), "NODE_NO_WARNINGS": "1", **variables}
    command = [str(NODES[major]), "-e", SCRIPT, json.dumps(targets)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=30, check=True
    ).stdout.split()


@pytest.mark.parametrize("major", NODES)
def test_only_exactly_0_switches_verification_off_and_only_that_is_harmful(major: int) -> None:
    with tls_server(server(None, name="self-signed").context()) as port:
        said = {value: says(major, [("127.0.0.1", port)], **{BYPASS: value})[0] for value in VALUES}
    assert {value: answer == "OK" for value, answer in said.items()} == {
        value: harmful(BYPASS, value, None) for value in VALUES
    }


@pytest.mark.parametrize("major", NODES)
def test_it_is_process_wide_so_that_amazon_is_no_longer_verified_either(major: int) -> None:
    # One process, three servers of three authorities: Vault's, Login with Amazon's, the Selling Partner API's.
    contexts = [server(authority(name)).context() for name in ("Vault", "api.amazon.com", "SP-API")]
    with tls_server(contexts[0]) as vault, tls_server(contexts[1]) as lwa, tls_server(contexts[2]) as partner:
        targets = [("127.0.0.1", port) for port in (vault, lwa, partner)]
        assert says(major, targets, **{BYPASS: "0"}) == ["OK", "OK", "OK"]
        assert "OK" not in says(major, targets)


def test_the_report_says_in_one_sentence_what_it_exposes() -> None:
    assert BYPASS_REASON in REASONS[BYPASS]
    for named in ("process-wide", "api.amazon.com", "SP-API", "client secret", "refresh token", "unverified peer"):
        assert named in BYPASS_REASON
    assert ". " not in BYPASS_REASON.rstrip(".")
