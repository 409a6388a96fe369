# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Credentials that a program or a login service hands out: the kubernetes library knows how to ask for them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.access import (
    Access,
    Protect,
    bad,
    masked,
    requirement,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.kubeconfig import Kubeconfig
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.transport import proxy_for, tls_context


def by_library(
    found: Kubeconfig, params: Mapping[str, Any], protect: Protect, headers: tuple[tuple[str, str], ...] = ()
) -> Access:
    """Load ``found`` with kubernetes.config and use the library's own connection pool."""
    try:
        from kubernetes.client.configuration import Configuration
        from kubernetes.client.rest import RESTClientObject
        from kubernetes.config.kube_config import load_kube_config, load_kube_config_from_dict
    except ImportError:
        raise requirement() from None
    settings = Configuration()
    with _quiet():
        try:
            if found.document is not None:
                load_kube_config_from_dict(dict(found.document), found.context, client_configuration=settings)
            else:
                load_kube_config(found.source, found.context, client_configuration=settings, persist_config=False)
        except Exception:  # the library's texts quote the user's entry of the file
            raise _no_credentials(found) from None
    if params.get("ca_cert"):
        settings.ssl_ca_cert = params["ca_cert"]
    if params.get("tls_server_name"):
        settings.tls_server_name = params["tls_server_name"]
    _through_proxy(settings, found, params, protect)
    # The library's own retries would repeat a write whose answer was lost.
    settings.retries = False
    if not (_header(settings) or settings.cert_file):
        raise _no_credentials(found)

    def authorization() -> str | None:
        with _quiet():
            return _header(settings)

    connections = RESTClientObject(settings).pool_manager
    # With urllib3's own context a CA that lacks some extensions is good for every other login, and from Python 3.13 on
    # not for this one. The library's files (CA, client certificate) are loaded into ours.
    connections.connection_pool_kw["ssl_context"] = tls_context(settings.ssl_ca_cert, None)
    return Access(found.server, connections, masked(authorization, protect), headers)


def _through_proxy(settings: Any, found: Kubeconfig, params: Mapping[str, Any], protect: Protect) -> None:
    """The options' proxy instead of the file's; a SOCKS proxy of the file is the library's own business."""
    if (found.proxy_url or "").startswith("socks") and not params.get("proxy"):
        return
    through = proxy_for(found.server, params, found.proxy_url, protect)
    settings.proxy, settings.no_proxy = (through.url, None) if through else (None, None)
    settings.proxy_headers = dict(through.headers) if through else None


def _header(settings: Any) -> str | None:
    """The Authorization header; refreshes what has expired. The key was ``authorization`` before kubernetes 36."""
    for setting in settings.auth_settings().values():
        return str(setting["value"]) if setting.get("value") else None
    return None


def _no_credentials(found: Kubeconfig) -> Exception:
    return bad(
        found.server,
        f"{found.plugin or 'its user entry'} in {found.source} gave no credentials",
        "Try the same by hand: kubectl get --raw /version; its text is withheld here because it may hold a token.",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """The library reports a failing program on the root logger, with the program's output."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
