# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust where no CA was given: the existing one, the pinned one, and never whoever answers first."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls_pin import fingerprint, normalised, trust

from tests.unit.kube.tls_certificates import Certificate, authority, server
from tests.unit.kube.tls_servers import closed_port, plain_server, tls_server

ROOT = authority()
MALLORY = authority("Mallory")


def pin(certificate: Certificate) -> str:
    return fingerprint(certificate.der)


def url(port: int) -> str:
    return f"https://127.0.0.1:{port}"


def test_the_pin_is_what_openssl_prints(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(ROOT.pem)
    command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(file)]
    try:
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        printed = f"sha256 Fingerprint={ROOT.fingerprint}\n"
    assert normalised(printed) == pin(ROOT)
    assert normalised(ROOT.fingerprint) == pin(ROOT)
    assert normalised(f"sha256:{pin(ROOT)}") == pin(ROOT)


@pytest.mark.parametrize("wrong", ["", "AB:CD", "ab" * 20, "ab" * 33, "zz" * 32, "SHA1 Fingerprint=" + "ab" * 32])
def test_what_is_no_sha_256_fingerprint_is_refused(wrong: str) -> None:
    assert normalised(wrong) is None


def test_the_root_with_the_pin_is_taken_from_the_chain_and_proves_the_server() -> None:
    middle = authority("Between", ROOT)
    with tls_server(server(middle).context(middle, ROOT)) as port:
        found = trust(None, url(port), pin(ROOT), timeout=5)
    assert found.text == ROOT.pem
    assert found.probe is not None
    assert found.probe.ok
    assert "pinned" in found.origin


def test_a_self_signed_certificate_with_the_pin_is_taken() -> None:
    alone = server(None, name="self-signed")
    with tls_server(alone.context()) as port:
        found = trust(None, url(port), pin(alone), timeout=5)
    assert (found.text, found.probe and found.probe.ok) == (alone.pem, True)


def test_another_certificate_is_refused_and_its_fingerprint_not_told() -> None:
    impostor = server(MALLORY)
    with tls_server(impostor.context(MALLORY)) as port:
        found = trust(None, url(port), pin(ROOT), timeout=5)
    assert found.text is None
    assert "Refused" in found.problem
    assert "openssl x509" in found.remedy
    said = (found.problem + found.remedy).lower().replace(":", "")
    for shown in (impostor, MALLORY):
        assert pin(shown)[:8] not in said


def test_the_pinned_root_sent_along_by_somebody_else_proves_nothing_for_him() -> None:
    # The root is public: he may send it. He cannot sign with it.
    with tls_server(server(MALLORY).context(MALLORY, ROOT)) as port:
        found = trust(None, url(port), pin(ROOT), timeout=5)
    assert found.text == ROOT.pem
    assert found.probe is not None
    assert found.probe.fault == "unknown_ca"


def test_a_pinned_intermediate_does_not_help_node() -> None:
    middle = authority("Between", ROOT)
    with tls_server(server(middle).context(middle)) as port:
        found = trust(None, url(port), pin(middle), timeout=5)
    assert found.probe is not None
    assert (found.probe.fault, found.probe.node_code) == ("unknown_ca", "UNABLE_TO_GET_ISSUER_CERT")


def test_without_a_pin_nothing_a_server_shows_is_trusted() -> None:
    with tls_server(server(ROOT).context(ROOT)) as port:
        found = trust(None, url(port), None, timeout=5)
    assert found.text is None
    assert "not trusted just because" in found.problem
    assert "pin_sha256" in found.remedy


def test_what_the_config_map_holds_is_kept_while_it_proves_the_server() -> None:
    with tls_server(server(ROOT).context()) as port:
        assert trust(ROOT.pem, url(port), None, timeout=5).text == ROOT.pem
        both = ROOT.pem + MALLORY.pem
        assert trust(both, url(port), pin(ROOT), timeout=5).text == both


def test_what_the_config_map_holds_is_not_enough_against_the_pin() -> None:
    # Somebody has put his authority into the ConfigMap and answers in the server's place.
    with tls_server(server(MALLORY).context(MALLORY)) as port:
        found = trust(MALLORY.pem, url(port), pin(ROOT), timeout=5)
    assert found.text is None
    assert "Refused" in found.problem


def test_what_the_config_map_holds_and_proves_nothing_is_told() -> None:
    with tls_server(server(ROOT).context()) as port:
        found = trust(MALLORY.pem, url(port), None, timeout=5)
    assert found.probe is not None
    assert found.probe.fault == "unknown_ca"


def test_no_server_and_no_tls_are_told_apart() -> None:
    with plain_server() as plain:
        assert "does not speak TLS" in trust(None, url(plain), pin(ROOT), timeout=5).problem
    assert "refuses the connection" in trust(None, url(closed_port()), pin(ROOT), timeout=5).problem
    assert "No content" in trust(None, None, None, timeout=5).problem
