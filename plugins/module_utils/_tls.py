# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A verified TLS handshake with exactly one CA, judged as Node.js would judge it. Nothing but the handshake is sent."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from ansible_collections.keybuzz.amazon.plugins.module_utils._tls_handshake import (
    HOSTNAME,
    INVALID_CA,
    WEAK,
    Handshake,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls_pem import PemFault, examine_pem

__all__ = ["Fault", "Probe", "examine_pem", "no_handshake", "probe", "probe_url"]

Fault = Literal[
    PemFault,
    "not_https",
    "unknown_host",
    "refused",
    "timeout",
    "unreachable",
    "not_tls",
    "unknown_ca",
    "wrong_name",
    "expired",
    "not_yet_valid",
    "not_a_ca",
    "wrong_purpose",
    "constraint",
    "weak",
    "handshake",
]

SECURITY_LEVEL, OLDER_LEVEL = 2, 1
"""OpenSSL's, in Node.js from LEVEL_2_SINCE on (built with OpenSSL 3.5) and before (3.0) [measured on 24 and 20]."""
LEVEL_2_SINCE = 24

# X509_V_ERR_* of OpenSSL, and the names by which Node.js reports them.
X509: dict[int, tuple[Fault, str]] = {
    2: ("unknown_ca", "UNABLE_TO_GET_ISSUER_CERT"),
    7: ("unknown_ca", "CERT_SIGNATURE_FAILURE"),
    9: ("not_yet_valid", "CERT_NOT_YET_VALID"),
    10: ("expired", "CERT_HAS_EXPIRED"),
    18: ("unknown_ca", "DEPTH_ZERO_SELF_SIGNED_CERT"),
    19: ("unknown_ca", "SELF_SIGNED_CERT_IN_CHAIN"),
    20: ("unknown_ca", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
    21: ("unknown_ca", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
    25: ("not_a_ca", "PATH_LENGTH_EXCEEDED"),
    26: ("wrong_purpose", "INVALID_PURPOSE"),
    # What is no CA is not for the purpose either, which OpenSSL says last.
    INVALID_CA: ("not_a_ca", "INVALID_PURPOSE"),
    47: ("constraint", "UNSPECIFIED"),
    48: ("constraint", "UNSPECIFIED"),
    **dict.fromkeys(WEAK, ("weak", "UNSPECIFIED")),
    HOSTNAME: ("wrong_name", "ERR_TLS_CERT_ALTNAME_INVALID"),
}

NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER", "PACKET_LENGTH")
BELOW_TLS: dict[type[OSError], tuple[Fault, str]] = {
    socket.gaierror: ("unknown_host", "ENOTFOUND"),
    TimeoutError: ("timeout", "ETIMEDOUT"),
    ConnectionRefusedError: ("refused", "ECONNREFUSED"),
    ConnectionResetError: ("not_tls", "ECONNRESET"),
    OSError: ("unreachable", "EHOSTUNREACH"),
}

SENTENCES: dict[Fault, tuple[str, str]] = {
    "pem_missing": ("there is no CA file", "Give the PEM text of the CA that signed the server's certificate."),
    "pem_empty": ("the CA is empty", "Give the PEM text of the CA that signed the server's certificate."),
    "pem_der": (
        "the CA is DER, not PEM; Node.js ignores such a file without a warning",
        "Convert it: openssl x509 -inform der -in ca.der -out ca.pem.",
    ),
    "pem_garbage": (
        "the CA holds something that is not a PEM certificate; Node.js then drops it and what follows",
        "Give PEM certificates only, each from BEGIN CERTIFICATE to END CERTIFICATE, these two on lines of their own.",
    ),
    "pem_private_key": (
        "the CA holds a private key, which would be published to everybody who may read the ConfigMap",
        "Give the certificate only. If that file has been shared, replace the key.",
    ),
    "not_https": ("it is not an https URL with a host", "Give the address as the backend gets it: https://host:port."),
    "unknown_host": ("its host name is unknown", "Check the name and DNS where this module runs."),
    "refused": ("it refuses the connection", "Check that the server runs there and that the port is right."),
    "timeout": ("it does not answer in time", "Check network and firewall between here and the server."),
    "unreachable": ("it cannot be reached", "Check network and firewall between here and the server."),
    "not_tls": ("it does not speak TLS on that port", "Check the port; the server's listener may have TLS disabled."),
    "unknown_ca": (
        "its certificate was not signed by the given CA",
        "Give the CA that signed it: openssl s_client -showcerts -connect HOST:PORT shows the chain.",
    ),
    "wrong_name": (
        "its certificate is for other names (subjectAltName); no CA can mend that",
        "Have the server's certificate issued for this host name or IP address, or use a name it is for.",
    ),
    "expired": ("its certificate, or the CA, has expired; no trust setting can mend that", "Renew the certificate."),
    "not_yet_valid": ("its certificate, or the CA, is not valid yet", "Check the clocks and the certificate's dates."),
    "not_a_ca": (
        "one that signed it may not do so: it is no CA certificate, or has not so many below it",
        "Issue the CA with basicConstraints CA:TRUE and a path length that suffices.",
    ),
    "wrong_purpose": (
        "its certificate, or what signed it, is not for servers (extendedKeyUsage, keyUsage)",
        "Issue the server's certificate with extendedKeyUsage serverAuth.",
    ),
    "constraint": (
        "its CA may not sign for that name (name constraints)",
        "Have the certificate issued by a CA that may, or use a name that the constraints permit.",
    ),
    "weak": (
        "a key of its chain is too short, or a signature is SHA-1",
        "Issue it anew with RSA of 2048 bits or more or an EC key, signed with SHA-256.",
    ),
    "handshake": (
        "the TLS handshake fails for another reason",
        "Check TLS versions and whether the server asks for client certificates.",
    ),
}


@dataclass(frozen=True)
class Probe:
    """Outcome of one handshake: ``fault`` is None when Node.js would trust the server for this CA file.

    A fault of the file stands before all else, though Node.js may read it as far as it is good: ``node_code`` is then
    None, and the backend works until somebody relies on the rest.
    """

    url: str
    fault: Fault | None = None
    node_code: str | None = None
    """The error code that a Node.js process logs for it, of version 24 or later; None where it connects."""
    older_node_code: str | None = None
    """The same of a version before 24, which takes weaker keys."""

    @property
    def ok(self) -> bool:
        return self.fault is None

    @property
    def sentence(self) -> str:
        """What is wrong, without the URL."""
        if self.fault is None:
            return "its certificate verifies"
        code = f" (Node.js: {self.node_code})" if self.node_code else ""
        if self.fault == "weak" and self.older_node_code is None:
            code = f" (Node.js {LEVEL_2_SINCE} and later: {self.node_code}; before, it is taken)"
        return SENTENCES[self.fault][0] + code

    @property
    def remedy(self) -> str:
        return "" if self.fault is None else SENTENCES[self.fault][1]

    def as_seen_by(self, major: int) -> str:
        """What a Node.js of that major version says: an error code, or ``OK``."""
        return (self.node_code if major >= LEVEL_2_SINCE else self.older_node_code) or "OK"


def probe_url(url: str, ca_pem: str | bytes | None, *, timeout: float = 10.0) -> Probe:
    """:func:`probe` for an ``https://host[:port][/path]`` URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        return Probe(url, "not_https")
    if parts.scheme != "https" or not host:
        return Probe(url, "not_https")
    return probe(host, port, ca_pem, timeout=timeout, url=url)


def probe(host: str, port: int, ca_pem: str | bytes | None, *, timeout: float = 10.0, url: str | None = None) -> Probe:
    """Shake hands with ``host:port`` trusting exactly ``ca_pem``, then hang up. No byte of a request is sent.

    Beside its own error codes this tells a file that would not serve (see :func:`examine_pem`). The authorities that
    Node.js brings along are left out: it is this file that has to prove the server.

    :param ca_pem: content of the CA file; None for one that is missing.
    """
    address = url or f"https://{host}:{port}"
    handshake = Handshake(host, port, ca_pem, timeout, SECURITY_LEVEL)
    try:
        found = _verified(address, handshake)
    except (OSError, UnicodeError) as error:
        found = no_handshake(address, error)
    unfit = examine_pem(ca_pem)
    return replace(found, fault=unfit) if unfit else found


def no_handshake(address: str, error: OSError | ValueError) -> Probe:
    """What kept a handshake from coming about at all."""
    if isinstance(error, ssl.SSLError):
        reason = str(error.reason or "")
        not_tls = any(word in reason for word in NOT_TLS)
        code = f"ERR_SSL_{reason}" if reason else None
        return Probe(address, "not_tls" if not_tls else "handshake", code, code)
    if isinstance(error, UnicodeError):  # what stands in the URL cannot be a host name
        return Probe(address, "unknown_host", "ENOTFOUND", "ENOTFOUND")
    if isinstance(error, ValueError):  # nor can it be a port
        return Probe(address, "not_https")
    fault, code = next((BELOW_TLS[kind] for kind in BELOW_TLS if isinstance(error, kind)), BELOW_TLS[OSError])
    return Probe(address, fault, code, code)


def _verified(address: str, handshake: Handshake) -> Probe:
    fault, code = _named(handshake.last_error())
    older = _named(replace(handshake, level=OLDER_LEVEL).last_error())[1] if fault == "weak" else code
    return Probe(address, fault, code, older)


def _named(error: int | None) -> tuple[Fault | None, str | None]:
    return (None, None) if error is None else X509.get(error, ("handshake", "UNSPECIFIED"))
