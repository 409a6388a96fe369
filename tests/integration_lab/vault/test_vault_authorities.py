# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the connection to Vault trusts: a file, a folder whatever its files are called, a value; and nobody beside."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault import kv
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import TlsError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.client import VaultClient

from lab.certificates import authority

from .conftest import APP_PATH, Server


def reads(server: Server, **trusted: Any) -> bool:
    client = VaultClient(server.vault.addr, server.token("audit"), **trusted)
    return kv.read(client, "secret", APP_PATH).state in {"present", "absent"}


def test_a_folder_with_plain_names_and_other_files_in_it(server: Server, vault_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "our authority.crt").write_text(f"# Autorité\n{server.vault.ca_file.read_text()}")
    shutil.copy(authority(vault_directory, "unrelated").ca_file, tmp_path / "another.pem")
    (tmp_path / "README").write_text("no certificate")
    (tmp_path / "sub").mkdir()
    assert reads(server, ca_cert=str(tmp_path))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the names")
def test_a_folder_with_the_names_of_c_rehash(server: Server, tmp_path: Path) -> None:
    hashed = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", str(server.vault.ca_file)],
        capture_output=True,
        text=True,
        check=True,
    )
    shutil.copy(server.vault.ca_file, tmp_path / f"{hashed.stdout.strip()}.0")
    assert reads(server, ca_cert=str(tmp_path))


def test_a_value_and_a_file_with_several_authorities(server: Server, vault_directory: Path, tmp_path: Path) -> None:
    other = authority(vault_directory, "unrelated").ca_file.read_text()
    both = f"# l'autorité et une autre\n{other}\n{server.vault.ca_file.read_text()}"
    (tmp_path / "both.pem").write_text(both)
    assert reads(server, ca_pem=both)
    assert reads(server, ca_cert=str(tmp_path / "both.pem"))
    assert reads(server, ca_pem=server.vault.ca_file.read_text(), ca_cert=str(vault_directory / "nowhere"))


def test_what_is_given_is_trusted_alone(
    server: Server, vault_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = authority(vault_directory, "unrelated").ca_file
    shutil.copy(other, tmp_path / "other.pem")
    # Libraries read these; neither they nor the system's authorities may widen what was given.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.vault.ca_file))
    monkeypatch.setenv("SSL_CERT_FILE", str(server.vault.ca_file))
    mark = server.mark()
    for trusted in ({"ca_cert": str(other)}, {"ca_cert": str(tmp_path)}, {"ca_pem": other.read_text()}):
        with pytest.raises(TlsError):
            reads(server, **trusted)
    assert server.requests_since(mark) == []


@pytest.mark.parametrize(
    "pem", ["no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "é"]
)
def test_a_value_that_is_no_certificate_is_refused_before_anything_is_sent(pem: str) -> None:
    with pytest.raises(BadInputError, match="vault_ca_pem") as caught:
        VaultClient("https://vault.example", "hvs.x", ca_pem=pem)
    assert "AAAA" not in str(caught.value)


def test_a_folder_without_any_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("nothing")
    with pytest.raises(BadInputError, match="no file in this folder holds a PEM certificate"):
        VaultClient("https://vault.example", "hvs.x", ca_cert=str(tmp_path))
