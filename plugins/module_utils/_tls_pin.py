# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whom to trust where no CA was given: what is trusted already, or the certificate with a given fingerprint.

There is no trust on first use: what a server presents is taken only if its operator has said beforehand which
certificate that will be.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible_collections.keybuzz.amazon.plugins.module_utils._tls import Probe, no_handshake, probe_url
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls_handshake import chain
from ansible_collections.keybuzz.amazon.plugins.module_utils._tls_pem import ders, examine_pem

PIN = re.compile(r"(?:sha256 fingerprint=|sha256:)?((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.IGNORECASE)
ASK = (
    "On the server's own machine, or from whoever runs it, get the fingerprint of the CA: "
    "openssl x509 -noout -fingerprint -sha256 -in ca.pem. Never take it from the connection that it has to prove."
)


@dataclass(frozen=True)
class Trust:
    """The CA to use, or why there is none.

    :param origin: where it comes from, as a sentence for people.
    """

    text: str | None = field(default=None, repr=False)
    origin: str = ""
    probe: Probe | None = None
    problem: str = ""
    remedy: str = ""


def normalised(pin: str) -> str | None:
    """64 lower-case hexadecimal digits, from what ``openssl x509 -fingerprint -sha256`` prints or the digits alone.

    None for anything else, a SHA-1 fingerprint for one.
    """
    found = PIN.fullmatch(pin.strip())
    return found.group(1).replace(":", "").lower() if found else None


def fingerprint(der: bytes) -> str:
    """SHA-256 of the whole certificate (not of its public key), as :func:`normalised` has it."""
    return hashlib.sha256(der).hexdigest()


def trust(existing: str | None, url: str | None, pin: str | None, *, timeout: float) -> Trust:
    """The CA where none was given: the existing one if it proves the server, else the one that has the pin.

    With a pin the existing one counts only if the pinned certificate is in it, so that the pin always holds.

    :param existing: what the ConfigMap holds now.
    :param url: the server that the CA has to prove; without it there is nothing to prove and nothing to ask.
    :param pin: as :func:`normalised` gives it.
    """
    if url is None:
        return Trust(problem="No content was given.", remedy="Give content, content_file or content_from.")
    if existing and examine_pem(existing) is None and (pin is None or _holds(existing, pin)):
        probe = probe_url(url, existing, timeout=timeout)
        if probe.ok or pin is None:
            return Trust(existing, "No CA was given; the one in the ConfigMap proves the server.", probe)
    if pin is None:
        return Trust(
            problem="No CA was given, the ConfigMap holds none, and what a server shows is not trusted just because it "
            "shows it",
            remedy=f"Give the CA, or the fingerprint it must have (pin_sha256). {ASK}",
        )
    return _presented(url, pin, timeout)


def _presented(url: str, pin: str, timeout: float) -> Trust:
    try:
        parts = urlsplit(url)
        found = chain(parts.hostname or "", parts.port or 443, timeout)
    except (OSError, ValueError) as error:
        failed = no_handshake(url, error)
        return Trust(problem=f"{url} showed no certificate: {failed.sentence}", remedy=failed.remedy)
    for der in found:
        if fingerprint(der) == pin:
            text = ssl.DER_cert_to_PEM_cert(der)
            origin = "No CA was given; the server showed the certificate with the pinned SHA-256 fingerprint."
            return Trust(text, origin, probe_url(url, text, timeout=timeout))
    shown = "the certificate" if len(found) == 1 else f"none of the {len(found)} certificates"
    verb = "does not have" if len(found) == 1 else "has"
    # What was shown instead stays out: whoever copied it from here would trust whoever answered.
    return Trust(
        problem=f"Refused: {shown} that {url} shows {verb} the pinned SHA-256 fingerprint. Either the pin is not that "
        "of a certificate which the server sends (many leave their root out), or somebody else answers",
        remedy=f"{ASK} If the server does not send its root, give the CA itself.",
    )


def _holds(text: str, pin: str) -> bool:
    return any(fingerprint(der) == pin for der in ders(text))
