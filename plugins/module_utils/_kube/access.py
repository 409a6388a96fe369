# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Where the API server is and how to be known to it, from the options of the collection.

Plain credentials (token, token file, client certificate) are read here, because importing the kubernetes library
costs a module 200 ms that urllib3 alone does not [measured, kubernetes 37]. Credentials that a program or a login
service hands out (``exec``, ``auth-provider``) and SOCKS proxies are left to that library.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import kubeconfig as kubeconfig_file

Protect = Callable[[Iterable[str | None]], None]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_KUBECONFIG = "~/.kube/config"


@dataclass(frozen=True)
class Access:
    """A server, a connection pool to it, and the value of the Authorization header (asked for on each request)."""

    server: str
    pool: Any
    authorization: Callable[[], str | None]


def access(params: Mapping[str, Any], protect: Protect) -> Access:
    """From the Kubernetes options: host and api_key, else a kubeconfig, else the pod's own service account.

    Raises BadInputError when none of them is there or one of them cannot work.
    """
    if params.get("host"):
        return _from_host(params)
    given = params.get("kubeconfig") or os.environ.get("KUBECONFIG")
    default = Path(DEFAULT_KUBECONFIG).expanduser()
    if given or default.is_file() or not os.environ.get("KUBERNETES_SERVICE_HOST"):
        return _from_kubeconfig(str(given or default), params, protect)
    return _from_pod(params, protect)


def bad(what: str, answered: str, remedy: str) -> BadInputError:
    return BadInputError("connecting to", what, answered, remedy)


def _from_host(params: Mapping[str, Any]) -> Access:
    server = str(params["host"]).rstrip("/")
    token = params.get("api_key")
    if not token:
        raise bad(server, "host is given without api_key", "Give api_key (or K8S_AUTH_API_KEY), or use a kubeconfig.")
    if not server.startswith("https://"):
        raise bad(server, "host is not an https URL", "Bearer tokens are sent over TLS only: give https://….")
    return Access(server, pool(server, tls_context(params.get("ca_cert"), None)), lambda: f"Bearer {token}")


def _from_pod(params: Mapping[str, Any], protect: Protect) -> Access:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    token_file, authority = SERVICE_ACCOUNT / "token", params.get("ca_cert") or str(SERVICE_ACCOUNT / "ca.crt")
    if not token_file.is_file():
        raise bad(server, f"{token_file} does not exist", "Mount a service account token, or give a kubeconfig.")
    # Read on each request: the kubelet rotates the file.
    connections = pool(server, tls_context(authority, None))
    return Access(server, connections, masked(lambda: f"Bearer {token_file.read_text().strip()}", protect))


def _from_kubeconfig(paths: str, params: Mapping[str, Any], protect: Protect) -> Access:
    found = kubeconfig_file.read(paths, params.get("context"))
    if not found.server.startswith("https://"):
        raise bad(
            found.server, f"{found.source} names a server without TLS", "Give a cluster whose server is https://…."
        )
    if found.insecure:
        raise bad(
            found.server,
            f"{found.source} switches verification off (insecure-skip-tls-verify)",
            "Secrets are read over this connection: put the cluster's CA into certificate-authority, or give ca_cert.",
        )
    protect([found.token, found.password])
    if params.get("api_key"):
        authorization: Callable[[], str | None] = lambda: f"Bearer {params['api_key']}"  # noqa: E731
    elif found.needs_library:
        from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.login import by_library

        return by_library(found, params, protect)
    else:
        authorization = masked(found.authorization, protect)
    context = tls_context(params.get("ca_cert") or found.ca_file, found.ca_data)
    if not params.get("api_key"):
        _present_certificate(context, found)
    connections = pool(found.server, context, server_name=found.tls_server_name, proxy=found.proxy_url)
    return Access(found.server, connections, authorization)


def masked(authorization: Callable[[], str | None], protect: Protect) -> Callable[[], str | None]:
    """The same header, masked each time it is read: a token file may hold another token by then."""

    def header() -> str | None:
        value = authorization()
        if value:
            protect([value, value.partition(" ")[2]])
        return value

    return header


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


def _present_certificate(context: ssl.SSLContext, found: kubeconfig_file.Kubeconfig) -> None:
    if not (found.client_cert_file or found.client_cert_data):
        return
    temporary: list[str] = []
    try:
        certificate = found.client_cert_file or _temporary(found.client_cert_data or b"", temporary)
        key = found.client_key_file or _temporary(found.client_key_data or b"", temporary)
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError):
        raise bad(
            found.server,
            f"the client certificate or key of {found.source} cannot be loaded",
            "Check client-certificate and client-key of that user.",
        ) from None
    finally:
        for path in temporary:
            Path(path).unlink(missing_ok=True)


def _temporary(content: bytes, made: list[str]) -> str:
    # OpenSSL takes key and certificate from files only; mkstemp makes them 0600 and they live for one call.
    handle, path = tempfile.mkstemp(prefix="keybuzz-")
    made.append(path)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return path


def pool(server: str, context: ssl.SSLContext, *, server_name: str | None = None, proxy: str | None = None) -> Any:
    """Connections to ``server``, through the proxy of the kubeconfig or of the environment (``HTTPS_PROXY``)."""
    try:
        import urllib3
    except ImportError:
        raise requirement() from None
    settings: dict[str, Any] = {"ssl_context": context, "maxsize": 2}
    if server_name:
        settings.update(server_hostname=server_name, assert_hostname=server_name)
    host = urlsplit(server).hostname or ""
    through = proxy or (None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get("https"))
    if through:
        return urllib3.ProxyManager(through, **settings)
    return urllib3.PoolManager(**settings)


def requirement() -> BadInputError:
    return BadInputError(
        "using",
        "Kubernetes",
        "the Python package kubernetes is not installed for this interpreter",
        "Install it: pip install 'kubernetes>=31.0.0'.",
    )
