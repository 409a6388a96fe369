# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How bytes reach the API server: verified TLS, a client certificate, and a proxy that sees neither."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

Protect = Callable[[Iterable[str | None]], None]


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy and what it is told. Only these headers reach it; the API's credentials are inside the tunnel."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def bad(what: str, answered: str, remedy: str) -> BadInputError:
    return BadInputError("connecting to", what, answered, remedy)


def tls_context(ca_file: str | None, ca_data: bytes | None) -> ssl.SSLContext:
    """Verify as kubectl does: any certificate of the given file may be the anchor; the name must match.

    Not ``ssl.create_default_context``: from Python 3.13 it demands extensions that many clusters' own CAs lack.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        if ca_file:
            context.load_verify_locations(cafile=ca_file)
        elif ca_data:
            context.load_verify_locations(cadata=ca_data.decode("ascii"))
        else:
            context.load_default_certs()
    except FileNotFoundError:
        raise bad(f"the API server with ca_cert {ca_file}", "that file does not exist", "Correct the path.") from None
    except PermissionError:
        raise bad(f"the API server with ca_cert {ca_file}", "that file may not be read", "Correct its mode.") from None
    except (ssl.SSLError, UnicodeDecodeError):
        raise bad(
            f"the API server with the CA {ca_file or 'in the kubeconfig'}",
            "it holds no PEM certificate",
            "Give the cluster's CA in PEM form.",
        ) from None
    except OSError as error:  # after ssl.SSLError, which is one
        answered = error.strerror or "it cannot be read"
        raise bad(f"the API server with ca_cert {ca_file}", answered, "Give a PEM file.") from None
    return context


def present_certificate(
    context: ssl.SSLContext,
    certificate: str | bytes | None,
    key: str | bytes | None,
    *,
    server: str,
    source: str,
) -> None:
    """Have ``context`` present a client certificate; each of the two is a path, or the PEM itself as bytes.

    :param source: where the two come from, for the message (``the options``, a kubeconfig).
    """
    temporary: list[str] = []
    try:
        context.load_cert_chain(_as_file(certificate or b"", temporary), _as_file(key or b"", temporary))
    except (OSError, ssl.SSLError):
        raise bad(
            server,
            f"the client certificate or key of {source} cannot be loaded",
            "Check that both are there, are PEM, belong together, and that the key has no passphrase.",
        ) from None
    finally:
        for path in temporary:
            Path(path).unlink(missing_ok=True)


def _as_file(content: str | bytes, made: list[str]) -> str:
    if isinstance(content, str):
        return content
    # OpenSSL takes key and certificate from files only; mkstemp makes them 0600 and they live for one call.
    handle, path = tempfile.mkstemp(prefix="keybuzz-")
    made.append(path)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return path


def pool(server: str, context: ssl.SSLContext, *, server_name: str | None = None, proxy: Proxy | None = None) -> Any:
    """Connections to ``server``, through the proxy if there is one. The pool repeats nothing by itself."""
    try:
        import urllib3
    except ImportError:
        raise requirement() from None
    settings: dict[str, Any] = {"ssl_context": context, "maxsize": 2}
    if server_name:
        settings.update(server_hostname=server_name, assert_hostname=server_name)
    if proxy is not None:
        return urllib3.ProxyManager(proxy.url, proxy_headers=dict(proxy.headers) or None, **settings)
    return urllib3.PoolManager(**settings)


def proxy_for(server: str, params: Mapping[str, Any], named: str | None, protect: Protect) -> Proxy | None:
    """The proxy to ``server``: of the options, else of the kubeconfig (``named``), else of the environment.

    As kubectl does, and unlike kubernetes.core, the environment's ``HTTPS_PROXY`` and ``NO_PROXY`` count when neither
    says anything. ``no_proxy`` of the options holds for a proxy of the options or of the kubeconfig.
    """
    host = urlsplit(server).hostname or ""
    url = params.get("proxy") or named
    if url:
        if bypassed(host, params.get("no_proxy")):
            return None
    elif urllib.request.proxy_bypass(host) or bypassed(host, params.get("no_proxy")):
        return None
    else:
        url = urllib.request.getproxies().get("https")
    return _proxy(str(url), params.get("proxy_headers") or {}, protect) if url else None


def _proxy(url: str, headers: Mapping[str, Any], protect: Protect) -> Proxy:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise bad(
            "the proxy",
            f"its URL is not of the form http://host:port (scheme {parts.scheme or 'missing'})",
            "Give proxy as a URL. A socks5 proxy is taken from proxy-url in a kubeconfig only.",
        )
    given = {
        key: headers[key] for key in ("proxy_basic_auth", "basic_auth", "user_agent") if headers.get(key) is not None
    }
    if parts.username is not None and "proxy_basic_auth" not in given:
        given["proxy_basic_auth"] = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    protect([given.get("proxy_basic_auth"), given.get("basic_auth"), unquote(parts.password or "")])
    place = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    bare = urlunsplit((parts.scheme, f"{place}:{parts.port}" if parts.port else place, "", "", ""))
    try:
        from urllib3.util import make_headers
    except ImportError:
        raise requirement() from None
    return Proxy(bare, make_headers(**given) if given else {})


def bypassed(host: str, no_proxy: str | None) -> bool:
    """Whether ``host`` is one of the comma-separated names, domains, addresses or networks of ``no_proxy``."""
    name = host.lower().strip("[]")
    for entry in (one.strip().lower() for one in (no_proxy or "").split(",")):
        if not entry:
            continue
        domain = entry.lstrip("*").lstrip(".")
        if entry == "*" or name == domain or name.endswith(f".{domain}") or _in_network(name, entry):
            return True
    return False


def _in_network(name: str, entry: str) -> bool:
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def requirement() -> BadInputError:
    return BadInputError(
        "using",
        "Kubernetes",
        "the Python package kubernetes is not installed for this interpreter",
        "Install it: pip install 'kubernetes>=31.0.0'.",
    )
