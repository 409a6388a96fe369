# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""TLS handshakes without a byte of a request, as Node.js makes them: the outcome, and the chain a server presents."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._tls_names import is_for
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls_pem import ders, load_as_node

# X509_V_ERR_* of OpenSSL (include/openssl/x509_vfy.h).
NO_ISSUER = (2, 20)
LEAF_UNVERIFIED = 21
INVALID_CA, INVALID_PURPOSE = 79, 26
WEAK = (66, 67, 68)
HOSTNAME = 62
# Node.js lets OpenSSL go on after an error, and reports the last one. The order in which OpenSSL looks
# (crypto/x509/x509_vfy.c, verify_chain): building the chain, extensions, strength, signatures, dates, name constraints.
STAGES = (
    {2, 18, 19, 20},
    {24, 25, INVALID_PURPOSE, INVALID_CA},
    set(WEAK),
    {7, LEAF_UNVERIFIED},
    {9, 10},
    {47, 48},
)
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME
CIPHERS = "HIGH:!aNULL:!eNULL:!EXPORT:!DES:!RC4:!MD5:!PSK:!SRP:!CAMELLIA"
"""What Node.js offers, in another order."""


@dataclass(frozen=True)
class Handshake:
    """A server and what to trust.

    :param ca: content of the CA file; None where there is none.
    :param level: security level of OpenSSL: 2 in Node.js 24 and later, 1 before.
    :param anchors: DER certificates trusted as they stand, whoever signed them.
    """

    host: str
    port: int
    ca: str | bytes | None
    timeout: float
    level: int = 2
    anchors: tuple[bytes, ...] = ()
    without_dates: bool = False

    def error(self) -> int | None:
        """OpenSSL's first verification error, 62 for another name, None for success. Raises OSError for the rest."""
        context = client_context(self.level)
        load_as_node(context, self.ca)
        for anchor in self.anchors:
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.load_verify_locations(cadata=anchor)
        if self.without_dates:
            context.verify_flags = ssl.VerifyFlags(context.verify_flags | NO_CHECK_TIME)
        try:
            with _connected(self, context) as tls:
                certificate: dict[str, Any] = tls.getpeercert() or {}
        except ssl.SSLCertVerificationError as error:
            return int(error.verify_code)
        return None if is_for(certificate, self.host) else HOSTNAME

    def last_error(self) -> int | None:
        """The error that Node.js reports: the last one, where :meth:`error` has the first."""
        first = self.error()
        if first is None or first == HOSTNAME:
            return first
        found = LEAF_UNVERIFIED if first in NO_ISSUER and self._leaf_stands_alone() else first
        if first in WEAK:
            return _later(found, replace(self, level=0).last_error())
        if first in STAGES[4]:
            return _later(found, replace(self, without_dates=True).last_error())
        if first != INVALID_PURPOSE and not self.anchors:
            leaf = chain(self.host, self.port, self.timeout)[0]
            return _later(found, replace(self, ca=None, anchors=(leaf,)).last_error())
        return found

    def _leaf_stands_alone(self) -> bool:
        """Whether nothing that is trusted or presented has issued the server's certificate, by OpenSSL's word."""
        presented = chain(self.host, self.port, self.timeout)
        leaf = presented[0]
        issuer = names(leaf)[0]
        named = [one for one in (*presented, *ders(self.ca)) if one != leaf and names(one)[1] == issuer]
        return all(replace(self, ca=None, level=0, anchors=(one,)).error() in NO_ISSUER for one in named)


def client_context(level: int) -> ssl.SSLContext:
    """A verifying context with nothing trusted yet.

    As Node.js: the default verification flags of OpenSSL (no partial chains, none of the strict checks that Python
    3.13 adds), TLS 1.2 at least. The name is not checked by OpenSSL, whose rules are others.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Node.js' own minimum since version 12
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST
    context.set_ciphers(f"{CIPHERS}:@SECLEVEL={level}")
    return context


def chain(host: str, port: int, timeout: float) -> list[bytes]:
    """The certificates that a server presents, in DER form and its own first. Nothing is verified, nothing is sent.

    Raises OSError (ssl.SSLError among them) where no handshake comes about.
    """
    context = client_context(0)
    context.verify_mode = ssl.CERT_NONE
    with _connected(Handshake(host, port, None, timeout), context) as tls:
        # Python 3.13 has it in public; before, it is a method of the object inside, which gives PEM.
        source: Any = tls if hasattr(tls, "get_unverified_chain") else getattr(tls, "_sslobj", None)
        if not hasattr(source, "get_unverified_chain"):
            return [tls.getpeercert(binary_form=True) or b""]
        presented = source.get_unverified_chain() or ()
        return [one if isinstance(one, bytes) else ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in presented]


def names(certificate: bytes) -> tuple[bytes, bytes]:
    """Issuer and subject of a DER certificate, as they stand (RFC 5280, 4.1: TBSCertificate)."""
    signed = _content(_content(certificate))
    fields: list[bytes] = []
    while signed and len(fields) < 6:
        size = _size(signed)
        if signed[0] != 0xA0:  # the version, which may be left out
            fields.append(signed[:size])
        signed = signed[size:]
    return fields[2], fields[4]  # serial, algorithm, issuer, validity, subject, key


def _connected(handshake: Handshake, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((handshake.host, handshake.port), timeout=handshake.timeout)
    try:
        return context.wrap_socket(plain, server_hostname=handshake.host)
    except BaseException:
        plain.close()
        raise


def _later(found: int, other: int | None) -> int:
    return other if other is not None and _stage(other) > _stage(found) else found


def _stage(code: int) -> int:
    return next((number for number, codes in enumerate(STAGES) if code in codes), -1)


def _head(der: bytes) -> tuple[int, int]:
    """Bytes before the content, and bytes of the content."""
    length = der[1]
    if length < 0x80:
        return 2, length
    more = length & 0x7F
    return 2 + more, int.from_bytes(der[2 : 2 + more], "big")


def _content(der: bytes) -> bytes:
    start, length = _head(der)
    return der[start : start + length]


def _size(der: bytes) -> int:
    return sum(_head(der))
