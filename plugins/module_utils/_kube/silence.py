# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which of the ways to get no answer from an API server it was."""

from __future__ import annotations

import ssl

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import Resource


class Unreachable(UnreachableError):
    """No answer from the API server: refused, unknown name, time-out, TLS not verified."""


def unreachable(  # noqa: PLR0911 - one return for each way
    server: str, target: Resource, method: str, error: Exception, timeout: float
) -> KeybuzzError:
    """Which of the ways to get no answer this was. A lost answer to a write leaves open whether it was done."""
    import urllib3

    doing = "asking for" if method == "GET" else "writing"
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, (ssl.SSLError, ConnectionError)):
        cause = cause.__cause__ or (cause.args[-1] if cause.args and isinstance(cause.args[-1], Exception) else None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unreachable(
            doing,
            target.address,
            f"the certificate of {server} is not trusted ({cause.verify_message})",
            "Give the cluster's own CA (ca_cert or certificate-authority) and a server name its certificate is for; "
            "verification cannot be switched off.",
        )
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    ):
        lost = "" if method == "GET" else " It is not known whether the write was done."
        return Unreachable(
            doing,
            target.address,
            f"{server} did not answer within {timeout:g} s",
            f"Check the network and the server, or raise kubernetes_timeout.{lost}",
        )
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return Unreachable(
            doing, target.address, f"the host name of {server} is unknown", "Check kubeconfig or host, and DNS."
        )
    if isinstance(error, urllib3.exceptions.ProxyError):
        return Unreachable(
            doing, target.address, f"the proxy to {server} did not answer", "Check HTTPS_PROXY, NO_PROXY and proxy-url."
        )
    if isinstance(cause, ConnectionRefusedError):
        return Unreachable(
            doing,
            target.address,
            f"{server} refused the connection",
            "Check that the API server runs there and that kubeconfig or host names it.",
        )
    if isinstance(cause, ssl.SSLError):
        return Unreachable(
            doing,
            target.address,
            f"{server} does not complete the TLS handshake",
            "Check that the port is the API server's and speaks TLS.",
        )
    return Unreachable(
        doing, target.address, f"the connection to {server} broke ({type(error).__name__})", "Run again."
    )


def broke(error: Exception) -> bool:
    """Whether the connection was there and ended before the answer: what a restarting server does to its callers."""
    import urllib3

    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, ssl.SSLEOFError)):
            return True  # http.client.RemoteDisconnected is a ConnectionResetError
        cause = cause.__cause__ or (cause.args[-1] if cause.args and isinstance(cause.args[-1], Exception) else None)
    return isinstance(error, urllib3.exceptions.ProtocolError)
