# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways round the certificate: redirects, proxies, and variables of the environment that weaken Python's TLS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import insecure_options

from tests.chaos.figures import record
from tests.chaos.tls_links import CANARY, LINKS, http
from tests.chaos.tls_peer import Peer, peer, tunnel
from tests.unit.kube.tls_certificates import authority, server

TRUSTED, MALLORY = authority(), authority("Mallory")
HTTP = [name for name in LINKS if name != "postgresql"]
NAME = "server.example"
"""No address of this machine: clients leave loopback out of what they send through proxies."""
HARMLESS = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ticket, certificate or proxy of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in HARMLESS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def counted() -> Iterator[Counter[str]]:
    """What held, recorded at the end."""
    found: Counter[str] = Counter()
    yield found
    record("tls", found)


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    file.write_text(TRUSTED.pem)
    return file


@pytest.fixture
def their_ca(tmp_path: Path) -> Path:
    file = tmp_path / "mallory.pem"
    file.write_text(MALLORY.pem)
    return file


def untouched(wrong: Peer) -> None:
    assert bytes(wrong.read) == b""
    assert wrong.request_lines == 0
    assert not wrong.knows(CANARY)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
@pytest.mark.parametrize("link", HTTP)
def test_a_redirect_is_not_followed_with_the_credential(
    link: str, status: str, ca: Path, tmp_path: Path, counted: Counter[str]
) -> None:
    # The other address even has a certificate of the right authority: nobody has configured it all the same.
    with peer(server(TRUSTED).context()) as other:
        there = http(status, b"", f"Location: https://127.0.0.1:{other.port}/v1/secret/data/x")
        with peer(server(TRUSTED).context(), answer=there) as right:
            error = LINKS[link].error("127.0.0.1", right.port, ca, tmp_path)
    assert right.knows(CANARY)
    assert other.connections == 0
    assert CANARY not in str(error)
    counted["redirects_refused"] += 1


@pytest.mark.parametrize("link", HTTP)
def test_a_proxy_that_answers_in_the_servers_place_gets_no_credential(
    link: str, ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counter[str]
) -> None:
    with peer(server(MALLORY, dns=(NAME,)).context(MALLORY), tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        error = LINKS[link].error(NAME, 443, ca, tmp_path)
    assert bytes(proxy.raw).startswith(f"CONNECT {NAME}:443 HTTP/1.".encode())
    assert b"uthorization" not in proxy.raw
    untouched(proxy)
    assert "certificate" in error.answered
    assert CANARY not in str(error)
    counted["proxies_refused"] += 1


@pytest.mark.parametrize("link", HTTP)
def test_through_a_proxy_to_the_right_server_it_is_in_tls_alone(
    link: str, ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with peer(server(TRUSTED, dns=(NAME,)).context(), tunnel, LINKS[link].answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        LINKS[link].error(NAME, 443, ca, tmp_path)
        outside = Peer(0, raw=proxy.raw)
    assert proxy.knows(CANARY)
    assert not outside.knows(CANARY)


WEAKENED = {
    "PYTHONHTTPSVERIFY": "0",
    "CURL_CA_BUNDLE": "{ca}",
    "REQUESTS_CA_BUNDLE": "{ca}",
    "SSL_CERT_FILE": "{ca}",
    "SSL_CERT_DIR": "{folder}",
    "PGSSLROOTCERT": "{ca}",
    "PGSSLMODE": "disable",
    "VAULT_CACERT": "{ca}",
    "VAULT_SKIP_VERIFY": "1",
    "K8S_AUTH_VERIFY_SSL": "false",
    "K8S_AUTH_SSL_CA_CERT": "{ca}",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "GIT_SSL_NO_VERIFY": "1",
}


@pytest.mark.parametrize("link", LINKS)
def test_an_explicit_authority_wins_over_every_variable(
    link: str, ca: Path, their_ca: Path, tmp_path: Path, *, monkeypatch: pytest.MonkeyPatch, counted: Counter[str]
) -> None:
    for name, value in WEAKENED.items():
        monkeypatch.setenv(name, value.format(ca=their_ca, folder=tmp_path))
    used = LINKS[link]
    with peer(server(MALLORY).context(MALLORY), used.prologue, used.answer) as wrong:
        error = used.error("127.0.0.1", wrong.port, ca, tmp_path)
    assert wrong.connections
    untouched(wrong)
    assert "certificate" in error.answered
    counted["weakening_variables_ignored"] += len(WEAKENED)


@pytest.mark.parametrize("link", LINKS)
def test_without_one_it_is_the_systems_authorities_and_no_bundle_of_a_library(
    link: str, their_ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(their_ca))
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    used = LINKS[link]
    with peer(server(MALLORY).context(MALLORY), used.prologue, used.answer) as wrong:
        error = used.error("127.0.0.1", wrong.port, None, tmp_path)
    untouched(wrong)
    assert "certificate" in error.answered


@pytest.mark.parametrize("link", ["vault", "kubernetes, host and api_key", "lwa", "sp-api, searchOrders"])
def test_without_one_ssl_cert_file_names_the_systems_authorities(
    link: str, ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # OpenSSL's own variable: where an image keeps its authorities elsewhere, it is how it says so.
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    used = LINKS[link]
    with peer(server(TRUSTED).context(), used.prologue, used.answer) as right:
        used.error("127.0.0.1", right.port, None, tmp_path)
    assert right.knows(CANARY)


@pytest.mark.parametrize(
    ("mode", "told"),
    [("verify-full", ""), ("verify-ca", "any name"), ("require", "does not verify"), ("disable", "in clear")],
)
def test_a_weaker_mode_of_postgresql_is_never_silent(mode: str, told: str) -> None:
    warnings = insecure_options({"pg_sslmode": mode, "pg_host": "db.example"})
    assert bool(warnings) is bool(told)
    assert all(told in one and "verify-full" in one for one in warnings)
