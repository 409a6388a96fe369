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

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import kubeconfig as kubeconfig_file
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.transport import (
    Protect,
    bad,
    pool,
    present_certificate,
    proxy_for,
    requirement,
    tls_context,
)

__all__ = ["Access", "Protect", "access", "bad", "impersonation", "masked", "requirement"]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_KUBECONFIG = "~/.kube/config"


@dataclass(frozen=True)
class Access:
    """A server, a connection pool to it, and the value of the Authorization header (asked for on each request).

    ``headers`` go along with every request: who is impersonated. A name may come more than once.
    """

    server: str
    pool: Any
    authorization: Callable[[], str | None]
    headers: tuple[tuple[str, str], ...] = ()


def access(params: Mapping[str, Any], protect: Protect) -> Access:
    """From the Kubernetes options: host with its credentials, else a kubeconfig, else the pod's own service account.

    Raises BadInputError when none of them is there or one of them cannot work.
    """
    if params.get("validate_certs") is False:
        raise bad(
            "the API server",
            "validate_certs is false, and this collection reads Secrets over that connection",
            "Leave it out and give the cluster's CA (ca_cert, or certificate-authority in the kubeconfig); for a name "
            "that the certificate does not carry give tls_server_name.",
        )
    if params.get("host"):
        return _from_host(params, protect)
    given = params.get("kubeconfig") or os.environ.get("KUBECONFIG")
    default = Path(DEFAULT_KUBECONFIG).expanduser()
    in_pod = os.environ.get("KUBERNETES_SERVICE_HOST") and not params.get("context")
    if given or default.is_file() or not in_pod:
        return _from_kubeconfig(given if isinstance(given, Mapping) else str(given or default), params, protect)
    return _from_pod(params, protect)


def impersonation(params: Mapping[str, Any], user: str | None = None, groups: tuple[str, ...] = ()) -> Any:
    """The headers that ask the server to act as somebody else; those of the options win over the kubeconfig's.

    Groups without a user are refused, as the server itself refuses them.
    """
    wanted = params.get("impersonate_user") or user
    members = tuple(str(one) for one in params.get("impersonate_groups") or groups)
    if members and not wanted:
        raise bad(
            "the API server",
            f"impersonate_groups ({', '.join(members)}) is given without impersonate_user",
            "Kubernetes takes groups only together with a user: give impersonate_user too.",
        )
    if not wanted:
        return ()
    return (("Impersonate-User", str(wanted)), *(("Impersonate-Group", one) for one in members))


def _from_host(params: Mapping[str, Any], protect: Protect) -> Access:
    server = str(params["host"]).rstrip("/")
    _mask_password(server, protect)
    token, certificate = params.get("api_key"), params.get("client_cert")
    if not token and not certificate:
        raise bad(
            server,
            "host is given without api_key or client_cert",
            "Give api_key (or K8S_AUTH_API_KEY), or client_cert with client_key, or use a kubeconfig.",
        )
    if not server.startswith("https://"):
        raise bad(server, "host is not an https URL", "Credentials are sent over TLS only: give https://….")
    context = tls_context(params.get("ca_cert"), None)
    if certificate:
        present_certificate(context, certificate, params.get("client_key"), server=server, source="the options")
    connections = pool(
        server,
        context,
        server_name=params.get("tls_server_name"),
        proxy=proxy_for(server, params, None, protect),
    )
    return Access(server, connections, lambda: f"Bearer {token}" if token else None, impersonation(params))


def _from_pod(params: Mapping[str, Any], protect: Protect) -> Access:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    token_file, authority = SERVICE_ACCOUNT / "token", params.get("ca_cert") or str(SERVICE_ACCOUNT / "ca.crt")
    if not token_file.is_file():
        raise bad(server, f"{token_file} does not exist", "Mount a service account token, or give a kubeconfig.")
    # Straight to the server unless a proxy was named: it is in the same cluster.
    proxy = proxy_for(server, params, None, protect) if params.get("proxy") else None
    connections = pool(server, tls_context(authority, None), server_name=params.get("tls_server_name"), proxy=proxy)
    # Read on each request: the kubelet rotates the file.
    authorization = masked(lambda: f"Bearer {token_file.read_text().strip()}", protect)
    return Access(server, connections, authorization, impersonation(params))


def _from_kubeconfig(given: str | Mapping[str, Any], params: Mapping[str, Any], protect: Protect) -> Access:
    found = kubeconfig_file.read(given, params.get("context"))
    _mask_password(found.server, protect)
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
    headers = impersonation(params, found.impersonate_user, found.impersonate_groups)
    if params.get("api_key"):
        authorization = always(f"Bearer {params['api_key']}")
    elif params.get("client_cert"):
        authorization = always(None)
    elif found.needs_library:
        from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.login import by_library

        return by_library(found, params, protect, headers)
    else:
        authorization = masked(found.authorization, protect)
    context = tls_context(params.get("ca_cert") or found.ca_file, found.ca_data)
    if params.get("client_cert"):
        key = params.get("client_key")
        present_certificate(context, params["client_cert"], key, server=found.server, source="the options")
    elif not params.get("api_key") and (found.client_cert_file or found.client_cert_data):
        present_certificate(
            context,
            found.client_cert_file or found.client_cert_data,
            found.client_key_file or found.client_key_data,
            server=found.server,
            source=found.source,
        )
    connections = pool(
        found.server,
        context,
        server_name=params.get("tls_server_name") or found.tls_server_name,
        proxy=proxy_for(found.server, params, found.proxy_url, protect),
    )
    return Access(found.server, connections, authorization, headers)


def _mask_password(server: str, protect: Protect) -> None:
    """One in the server's URL: messages name the server."""
    with contextlib.suppress(ValueError):
        password = urlsplit(server).password
        if password:
            protect([password])


def always(value: str | None) -> Callable[[], str | None]:
    """The same header each time."""
    return lambda: value


def masked(authorization: Callable[[], str | None], protect: Protect) -> Callable[[], str | None]:
    """The same header, masked each time it is read: a token file may hold another token by then."""

    def header() -> str | None:
        value = authorization()
        if value:
            protect([value, value.partition(" ")[2]])
        return value

    return header
