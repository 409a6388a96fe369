# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The handshake probe: each fault told apart, and no byte sent after the handshake."""

from __future__ import annotations

import base64

import pytest
import trustme
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls import examine_pem, probe, probe_url

from tests.unit.kube.tls_servers import Site, closed_port, plain_server, silent_server


def test_the_right_ca_verifies_and_nothing_but_the_handshake_is_sent() -> None:
    with Site.running() as site:
        found = probe_url(f"{site.url}/v1/secret", site.ca_pem)
        assert found.ok
        assert found.fault is None
        assert not any(site.heard())


def test_a_self_signed_leaf_given_as_the_ca_is_trusted_as_by_node() -> None:
    with Site.running() as site:
        # trustme's leaf is not self-signed: only its CA may be the anchor, as OpenSSL has it without partial chains.
        assert probe("127.0.0.1", site.port, site.leaf_pem).fault == "unknown_ca"


def test_another_ca_is_not_trusted_and_nothing_is_sent() -> None:
    with Site.running() as site:
        found = probe_url(site.url, trustme.CA().cert_pem.bytes().decode())
        assert found.fault == "unknown_ca"
        assert "UNABLE_TO_VERIFY_LEAF_SIGNATURE" in found.sentence
        assert found.remedy
        assert not any(site.received)


def test_an_intermediate_alone_is_not_enough() -> None:
    root = trustme.CA()
    intermediate = root.create_child_ca()
    with Site.running(authority=intermediate) as site:
        assert probe_url(site.url, root.cert_pem.bytes().decode()).ok
        assert probe_url(site.url, intermediate.cert_pem.bytes().decode()).fault == "unknown_ca"


@pytest.mark.parametrize(("names", "host"), [(("vault.example",), "127.0.0.1"), (("127.0.0.1",), "localhost")])
def test_a_certificate_for_other_names_is_told_from_an_unknown_ca(names: tuple[str, ...], host: str) -> None:
    with Site.running(*names) as site:
        found = probe(host, site.port, site.ca_pem)
        assert (found.fault, found.node_code) == ("wrong_name", "ERR_TLS_CERT_ALTNAME_INVALID")


def test_an_expired_certificate_is_called_expired() -> None:
    with Site.running(expired=True) as site:
        found = probe_url(site.url, site.ca_pem)
        assert (found.fault, found.node_code) == ("expired", "CERT_HAS_EXPIRED")


def test_a_certificate_of_tomorrow_is_not_valid_yet() -> None:
    with Site.running(future=True) as site:
        assert probe_url(site.url, site.ca_pem).fault == "not_yet_valid"


def test_refused_silent_plain_and_unknown_hosts_are_told_apart() -> None:
    ca = trustme.CA().cert_pem.bytes().decode()
    assert probe("127.0.0.1", closed_port(), ca).fault == "refused"
    with silent_server() as port:
        assert probe("127.0.0.1", port, ca, timeout=0.2).fault == "timeout"
    with plain_server() as port:
        assert probe("127.0.0.1", port, ca).fault == "not_tls"
    assert probe("no-such-host.invalid", 443, ca).fault == "unknown_host"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8200", "127.0.0.1:8200", "https://", "https://host:port"])
def test_what_is_no_https_address_is_not_dialled(url: str) -> None:
    assert probe_url(url, trustme.CA().cert_pem.bytes().decode()).fault == "not_https"


def pem(body: bytes = b"", label: str = "CERTIFICATE") -> str:
    return f"-----BEGIN {label}-----\n{base64.b64encode(body).decode()}\n-----END {label}-----\n"


GOOD = trustme.CA().cert_pem.bytes().decode()
DER = base64.b64decode("".join(GOOD.splitlines()[1:-1]))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (GOOD, None),
        (GOOD + "\n" + trustme.CA().cert_pem.bytes().decode(), None),
        ("subject=CN = a comment\n" + GOOD, None),
        (GOOD.replace("\n", "\r\n"), None),
        ("", "pem_empty"),
        ("  \n", "pem_empty"),
        (DER, "pem_der"),
        ("garbage", "pem_garbage"),
        (pem(b"not a certificate"), "pem_garbage"),
        (pem(b"broken") + GOOD, "pem_garbage"),
        (GOOD + pem(b"broken"), "pem_garbage"),
        (GOOD + "-----BEGIN CERTIFICATE-----\nMIIB", "pem_garbage"),
        (pem(DER, "TRUSTED CERTIFICATE"), "pem_garbage"),
        (GOOD + pem(b"key", "RSA PRIVATE KEY"), "pem_private_key"),
    ],
)
def test_a_file_that_node_would_ignore_or_read_in_part_is_refused(content: str | bytes, fault: str | None) -> None:
    assert examine_pem(content) == fault


def test_text_in_any_language_between_the_certificates_does_no_harm() -> None:
    with Site.running() as site:
        assert probe_url(site.url, f"# Autorité de certification\n{site.ca_pem}# fin, été\n").ok


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example"])
def test_what_cannot_be_a_host_name_is_an_unknown_host(host: str) -> None:
    with Site.running() as site:
        assert probe_url(f"https://{host}:8200", site.ca_pem).fault == "unknown_host"
