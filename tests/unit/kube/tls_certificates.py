# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates with every fault a real one can have: trustme makes good ones only."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = {"now": (-1, 30), "expired": (-30, -1), "future": (1, 30)}


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key."""

    body: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.body.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.body.public_bytes(serialization.Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """As ``openssl x509 -fingerprint -sha256`` prints it."""
        return self.body.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def context(self, *behind: Certificate, ciphers: str = "DEFAULT:@SECLEVEL=0") -> ssl.SSLContext:
        """A server's context that sends this certificate and those behind it, however weak they are."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(ciphers)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "server.pem"
            file.write_text(self.key_pem + self.pem + "".join(one.pem for one in behind))
            context.load_cert_chain(file)
        return context


def make(
    name: str,
    issuer: Certificate | None = None,
    *,
    dns: tuple[str, ...] = (),
    ips: tuple[str, ...] = (),
    dates: str = "now",
    ca: bool | None = None,
    rsa_bits: int = 0,
    client_only: bool = False,
    permitted: str | None = None,
    path_length: int | None = None,
) -> Certificate:
    """A certificate signed by ``issuer``, or by itself. ``ca`` None leaves basicConstraints out.

    :param dates: ``now``, ``expired`` or ``future``.
    :param permitted: the only DNS domain for which a CA may sign (name constraints).
    """
    key: Any = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start, end = DAYS[dates]
    today = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.body.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today + timedelta(days=start))
        .not_valid_after(today + timedelta(days=end))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
    names: list[x509.GeneralName] = [x509.DNSName(one) for one in dns]
    names += [x509.IPAddress(ipaddress.ip_address(one)) for one in ips]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if client_only:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    if permitted:
        builder = builder.add_extension(x509.NameConstraints([x509.DNSName(permitted)], None), critical=True)
    signer = issuer.key if issuer else key
    return Certificate(builder.sign(signer, hashes.SHA256()), key)


def authority(name: str = "Test authority", issuer: Certificate | None = None, **properties: Any) -> Certificate:
    return make(name, issuer, ca=True, **properties)


def server(issuer: Certificate | None = None, **properties: Any) -> Certificate:
    """A certificate for 127.0.0.1 and localhost, unless names are given."""
    if not {"dns", "ips"} & set(properties):
        properties.update(dns=("localhost",), ips=("127.0.0.1",))
    return make(properties.pop("name", "server"), issuer, **properties)


def tls_1_1(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, for a version that nobody should speak any more (RFC 8996)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def signed_with_sha1(certificate: Certificate, issuer: Certificate) -> Certificate:
    """The same certificate with a SHA-1 signature of an RSA issuer, which today's libraries refuse to make."""
    sha256_rsa, sha1_rsa = bytes.fromhex("06092a864886f70d01010b"), bytes.fromhex("06092a864886f70d010105")
    signed = certificate.body.tbs_certificate_bytes.replace(sha256_rsa, sha1_rsa)
    numbers = issuer.key.private_numbers()
    size = issuer.key.key_size // 8
    digest = bytes.fromhex("3021300906052b0e03021a05000414") + hashlib.sha1(signed).digest()  # noqa: S324
    padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    signature = pow(int.from_bytes(padded), numbers.d, numbers.public_numbers.n).to_bytes(size)
    whole = certificate.der.replace(certificate.body.tbs_certificate_bytes, signed).replace(sha256_rsa, sha1_rsa)
    return Certificate(x509.load_der_x509_certificate(whole[: -len(signature)] + signature), certificate.key)
