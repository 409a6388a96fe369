# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What it means when a request got no answer at all, and what to do about it.

The texts of the libraries are only matched, never shown.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._vault.answers import TlsError


def no_answer(doing: str, url: str, addr: str, error: Exception) -> KeybuzzError:
    """The exception for a request that got no answer at all."""
    said = chain(error)
    host = urllib.parse.urlsplit(addr).netloc
    for signs, kind, answered, remedy in _SILENCES:
        if any(sign in said for sign in signs):
            return kind(doing, url, answered, remedy.format(host=host))
    return UnreachableError(
        doing, url, f"the connection broke ({type(error).__name__})", f"Check vault_addr and the way to {host}."
    )


# Signs in the texts of requests, urllib3 and ssl; the first row that matches is the cause.
_SILENCES: tuple[tuple[tuple[str, ...], type[KeybuzzError], str, str], ...] = (
    (
        ("Hostname mismatch", "IP address mismatch", "doesn't match"),
        TlsError,
        "the server's certificate is not for this host name",
        "Use a name in vault_addr that the certificate holds: openssl s_client -connect {host} shows it.",
    ),
    (
        ("certificate has expired",),
        TlsError,
        "the server's certificate has expired",
        "Renew the certificate on the server; a CA file does not help against this.",
    ),
    (
        ("certificate is not yet valid",),
        TlsError,
        "the server's certificate is not yet valid",
        "Compare the clocks of both machines, and the certificate's dates; a CA file does not help against this.",
    ),
    (
        ("unsuitable certificate purpose",),
        TlsError,
        "the server's certificate is for another purpose than a server's",
        "Issue the server's certificate with extendedKeyUsage serverAuth.",
    ),
    (
        ("CERTIFICATE_VERIFY_FAILED",),
        TlsError,
        "the server's certificate is not signed by a trusted authority",
        "Give the PEM file of the authority that signed it as vault_ca_cert or VAULT_CACERT.",
    ),
    (
        ("SSLError", "SSLEOFError"),
        TlsError,
        "the TLS handshake failed",
        "Check that the server speaks TLS 1.2 or later: openssl s_client -connect {host}",
    ),
    (
        ("Connection refused",),
        UnreachableError,
        "connection refused",
        "Check vault_addr, and that the server runs and listens on {host}.",
    ),
    (
        ("NameResolutionError", "gaierror", "Name or service not known"),
        UnreachableError,
        "the host name is not known",
        "Check the host name in vault_addr.",
    ),
    (
        ("ProxyError",),
        UnreachableError,
        "the proxy did not answer",
        "Check HTTPS_PROXY, or add {host} to NO_PROXY.",
    ),
    (
        ("Timeout", "timed out"),
        UnreachableError,
        "no answer in time",
        "Check the way to {host} (firewall, VPN), or raise vault_timeout.",
    ),
)


def chain(error: BaseException) -> str:
    """Names and texts of the exception and of everything it was made from, for matching only."""
    return " ".join(f"{type(link).__name__} {link}" for link in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything it was made from; requests and urllib3 hide the cause in ``args``."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop()
        if not isinstance(link, BaseException) or any(link is known for known in seen):
            continue
        seen.append(link)
        yield link
        waiting += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]
