# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's private certificate authorities: ``vault``, ``platform`` (PostgreSQL, Kubernetes), ``amazon``.

They are kept apart so that trusting one never means trusting another, as outside: a client that reaches Vault
with Amazon's authority is wrong, and has to fail.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path

_lock = threading.Lock()


class Authority:
    """A certificate authority on disk; trustme does the cryptography.

    ``ca_file`` is what clients trust. The private key stays in ``certificates/private`` (0700).
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self._public = directory / "certificates"
        self._private = self._public / "private"
        self.ca_file = self._public / f"{name}-ca.pem"
        self._key_file = self._private / f"{name}-ca.key"

    def create(self) -> None:
        """Draws the authority's key, unless it has one."""
        if self.ca_file.exists():
            return
        import trustme

        ca = trustme.CA(organization_name="KeyBuzz lab", organization_unit_name=f"{self.name} authority")
        self._public.mkdir(parents=True, exist_ok=True)
        self._private.mkdir(mode=0o700, exist_ok=True)
        write_private(self._key_file, ca.private_key_pem.bytes())
        self.ca_file.write_bytes(ca.cert_pem.bytes())

    def leaf(self, name: str, hosts: Sequence[str]) -> tuple[Path, Path]:
        """A server certificate for these names and addresses: (certificate chain, private key of 0600)."""
        import trustme

        ca = trustme.CA.from_pem(self.ca_file.read_bytes(), self._key_file.read_bytes())
        issued = ca.issue_cert(*hosts, common_name=hosts[0], organization_unit_name=name)
        certificate = self._public / f"{self.name}-{name}.pem"
        key = self._private / f"{self.name}-{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        write_private(key, issued.private_key_pem.bytes())
        return certificate, key

    def verifies(self, port: int) -> bool:
        """Whether a server on that loopback port shows a certificate of this authority. Raises OSError if not."""
        trust = ssl.create_default_context(cafile=self.ca_file)
        with (
            socket.create_connection(("127.0.0.1", port), timeout=2) as plain,
            trust.wrap_socket(plain, server_hostname="127.0.0.1"),
        ):
            return True


def authority(directory: Path, name: str) -> Authority:
    """The lab's authority of that name, made on first use."""
    found = Authority(directory, name)
    with _lock:
        found.create()
    return found


def write_private(path: Path, content: bytes | str) -> None:
    """Writes a file that only its owner ever can read: it has its mode before it has its content."""
    data = content.encode() if isinstance(content, str) else content
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    fresh.replace(path)
