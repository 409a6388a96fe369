# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether a certificate is for a host, by the rules of Node.js (tls.checkServerIdentity), which are not OpenSSL's."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

BAD = re.compile(r"[^\x21-\x7f]")
"""Node.js matches no name with such a character: it could not know its encoding."""


def is_for(certificate: Mapping[str, Any], host: str) -> bool:
    """Whether Node.js takes the certificate for ``host``, a DNS name or an IP address.

    An IP address has to stand among the IP addresses of subjectAltName. The CN counts for DNS names alone, and only
    where subjectAltName has none.

    :param certificate: as ``ssl.SSLSocket.getpeercert()`` gives it.
    """
    alternatives = certificate.get("subjectAltName") or ()
    address = _address(host)
    if address is not None:
        return address in [_address(name) for kind, name in alternatives if kind == "IP Address"]
    patterns = [name for kind, name in alternatives if kind == "DNS"]
    if not patterns:
        subject = [part for parts in certificate.get("subject") or () for part in parts]
        patterns = [value for name, value in subject if name == "commonName"]
    labels = _labels(host)
    return any(_matches(labels, pattern) for pattern in patterns)


def _matches(labels: list[str], pattern: str) -> bool:
    wanted = _labels(pattern)
    if len(wanted) != len(labels) or "" in wanted or any(BAD.search(label) for label in wanted):
        return False
    if wanted[1:] != labels[1:]:
        return False
    parts = wanted[0].split("*")
    if len(parts) == 1 or "xn--" in wanted[0]:
        return wanted[0] == labels[0]
    if len(parts) > 2 or len(wanted) <= 2:  # one wildcard at most, and none directly below a top-level domain
        return False
    before, after = parts
    first = labels[0]
    return len(before) + len(after) <= len(first) and first.startswith(before) and first.endswith(after)


def _labels(host: str) -> list[str]:
    return host.removesuffix(".").lower().split(".")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
