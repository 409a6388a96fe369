# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A verified TLS handshake with exactly one CA, judged as Node.js would judge it. Nothing but the handshake is sent."""

from __future__ import annotations

import base64
import binascii
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal[
    "pem_empty",
    "pem_der",
    "pem_garbage",
    "pem_private_key",
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
    "handshake",
]

BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)

# X509_V_ERR_* of OpenSSL, and the names by which Node.js reports them.
X509: dict[int, tuple[Fault, str]] = {
    2: ("unknown_ca", "UNABLE_TO_GET_ISSUER_CERT"),
    9: ("not_yet_valid", "CERT_NOT_YET_VALID"),
    10: ("expired", "CERT_HAS_EXPIRED"),
    18: ("unknown_ca", "DEPTH_ZERO_SELF_SIGNED_CERT"),
    19: ("unknown_ca", "SELF_SIGNED_CERT_IN_CHAIN"),
    # Node.js goes on after it and reports 21 where the server sent its leaf alone, 20 where it sent intermediates.
    20: ("unknown_ca", "UNABLE_TO_VERIFY_LEAF_SIGNATURE or UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
    21: ("unknown_ca", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
    24: ("not_a_ca", "INVALID_CA"),
    62: ("wrong_name", "ERR_TLS_CERT_ALTNAME_INVALID"),
    64: ("wrong_name", "ERR_TLS_CERT_ALTNAME_INVALID"),
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
    "pem_empty": ("the CA is empty", "Give the PEM text of the CA that signed the server's certificate."),
    "pem_der": (
        "the CA is DER, not PEM; Node.js ignores such a file without a warning",
        "Convert it: openssl x509 -inform der -in ca.der -out ca.pem.",
    ),
    "pem_garbage": (
        "the CA holds something that is not a PEM certificate; Node.js then drops it and what follows",
        "Give PEM certificates only, each from BEGIN CERTIFICATE to END CERTIFICATE.",
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
        "the given certificate signed it, but is not a CA certificate",
        "Issue the CA with basicConstraints CA:TRUE.",
    ),
    "handshake": (
        "the TLS handshake fails for another reason",
        "Check TLS versions and whether the server asks for client certificates.",
    ),
}


@dataclass(frozen=True)
class Probe:
    """Outcome of one handshake: ``fault`` is None when Node.js would trust the server."""

    url: str
    fault: Fault | None = None
    node_code: str | None = None
    """The error code that a Node.js process logs for it."""

    @property
    def ok(self) -> bool:
        return self.fault is None

    @property
    def sentence(self) -> str:
        """What is wrong, without the URL."""
        if self.fault is None:
            return "its certificate verifies"
        code = f" (Node.js: {self.node_code})" if self.node_code else ""
        return SENTENCES[self.fault][0] + code

    @property
    def remedy(self) -> str:
        return "" if self.fault is None else SENTENCES[self.fault][1]


def examine_pem(content: str | bytes) -> Fault | None:
    """Whether a CA file serves as NODE_EXTRA_CA_CERTS: None if so, else which of the ``pem_*`` faults it has.

    Stricter than Node.js where Node.js is silent: it ignores a garbage, empty or DER file without a warning, and
    everything after the first broken block [measured on Node 20].
    """
    raw = content.encode() if isinstance(content, str) else content
    if not raw.strip():
        return "pem_empty"
    if raw[:1] == b"\x30" and b"-----BEGIN" not in raw:
        return "pem_der"
    text = raw.decode("utf-8", errors="replace")
    if "PRIVATE KEY-----" in text:
        return "pem_private_key"
    blocks = BLOCK.findall(text)
    begun = text.count("-----BEGIN ")
    if not blocks or begun != len(blocks) or any(label != "CERTIFICATE" for label, _ in blocks):
        return "pem_garbage"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for _, body in blocks:
        try:
            context.load_verify_locations(cadata=base64.b64decode("".join(body.split()), validate=True))
        except (binascii.Error, ssl.SSLError, ValueError):
            return "pem_garbage"
    return None


def probe_url(url: str, ca_pem: str, *, timeout: float = 10.0) -> Probe:
    """:func:`probe` for an ``https://host[:port][/path]`` URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        return Probe(url, "not_https")
    if parts.scheme != "https" or not host:
        return Probe(url, "not_https")
    fault = examine_pem(ca_pem)
    return Probe(url, fault) if fault else probe(host, port, ca_pem, timeout=timeout, url=url)


def probe(host: str, port: int, ca_pem: str, *, timeout: float = 10.0, url: str | None = None) -> Probe:
    """Shake hands with ``host:port`` trusting exactly ``ca_pem``, then hang up. No byte of a request is sent.

    As Node.js: the default verification flags of OpenSSL (no partial chains, none of the strict checks that Python
    3.13 adds), the host name or IP address matched against subjectAltName, SNI only for host names.
    """
    address = url or f"https://{host}:{port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Node.js' own minimum since version 12
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST
    # The blocks alone: text between them may be in any language, which Python refuses and Node.js does not mind.
    context.load_verify_locations(cadata="\n".join(block.group() for block in BLOCK.finditer(ca_pem)))
    try:
        with (
            socket.create_connection((host, port), timeout=timeout) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return Probe(address)
    except ssl.SSLCertVerificationError as error:
        fault, code = X509.get(error.verify_code, ("handshake", f"X509 error {error.verify_code}"))
        return Probe(address, fault, code)
    except ssl.SSLError as error:
        reason = str(error.reason or "")
        not_tls = any(word in reason for word in NOT_TLS)
        return Probe(address, "not_tls" if not_tls else "handshake", f"ERR_SSL_{reason}" if reason else None)
    except UnicodeError:  # what stands in the URL cannot be a host name
        return Probe(address, "unknown_host", "ENOTFOUND")
    except OSError as error:
        kind = next((kind for kind in BELOW_TLS if isinstance(error, kind)), OSError)
        return Probe(address, *BELOW_TLS[kind])
