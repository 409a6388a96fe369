# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""kubeconfig files: which cluster and which user a context names. Errors name fields, never their content."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

INLINE = "kubeconfig (given as a dictionary)"
SECRET_FIELDS = frozenset(
    {"token", "password", "client-key-data", "access-token", "refresh-token", "id-token", "client-secret"}
)
"""Fields of a user's entry that are credentials, those of the former login services included."""


@dataclass(frozen=True)
class Kubeconfig:
    """The cluster and the user of one context. ``source`` is the file as it was named."""

    source: str
    context: str
    server: str
    insecure: bool
    ca_file: str | None
    ca_data: bytes | None = field(repr=False)
    tls_server_name: str | None
    proxy_url: str | None
    token: str | None = field(repr=False)
    token_file: str | None
    username: str | None
    password: str | None = field(repr=False)
    client_cert_file: str | None
    client_cert_data: bytes | None = field(repr=False)
    client_key_file: str | None
    client_key_data: bytes | None = field(repr=False)
    plugin: str | None
    """The program or service that hands out the credentials, when the file does not hold them."""
    impersonate_user: str | None = None
    impersonate_groups: tuple[str, ...] = ()
    document: Mapping[str, Any] | None = field(default=None, repr=False)
    """The whole configuration when it was given as a dictionary, not as a file."""

    @property
    def needs_library(self) -> bool:
        return self.plugin is not None or (self.proxy_url or "").startswith("socks")

    def authorization(self) -> str | None:
        """The Authorization header. A token file is read each time: it may be rotated."""
        if self.token_file:
            try:
                return f"Bearer {Path(self.token_file).read_text(encoding='utf-8').strip()}"
            except OSError:
                raise _bad(
                    self.source, f"its tokenFile {self.token_file} cannot be read", "Correct the path or its mode."
                ) from None
        if self.token:
            return f"Bearer {self.token}"
        if self.username and self.password:
            return f"Basic {base64.b64encode(f'{self.username}:{self.password}'.encode()).decode()}"
        return None


def read(given: str | Mapping[str, Any], context: str | None) -> Kubeconfig:
    """Read one file, or several joined by the path separator (the first to name something wins, as for kubectl).

    A dictionary is taken as the content of one; relative paths in it start at the working folder.

    Raises BadInputError: no file, not YAML, no such context, cluster or user, a field that is not base64.
    """
    if isinstance(given, Mapping):
        paths, documents = INLINE, [("./kubeconfig", given)]
    else:
        paths, documents = given, [(path, _document(path)) for path in _files(given)]
    wanted = context or next((doc["current-context"] for _file, doc in documents if doc.get("current-context")), None)
    if not wanted:
        raise _bad(paths, "it has no current-context", "Give the option context, or run kubectl config use-context.")
    chosen = _named(documents, "contexts", "context", wanted)
    if chosen is None:
        there = sorted({str(entry.get("name")) for _file, doc in documents for entry in doc.get("contexts") or ()})
        raise _bad(paths, f"it has no context {wanted}", f"Those there are: {', '.join(there) or 'none'}.")
    where, parts = chosen
    cluster_at = _named(documents, "clusters", "cluster", str(parts.get("cluster")))
    if cluster_at is None or not cluster_at[1].get("server"):
        raise _bad(where, f"context {wanted} names no cluster with a server", "Complete the file's clusters.")
    user_at = _named(documents, "users", "user", str(parts.get("user"))) or (where, {})
    found = _kubeconfig(paths, str(wanted), cluster_at, user_at)
    return replace(found, document=given) if isinstance(given, Mapping) else found


def secrets_of(document: object) -> tuple[str, ...]:
    """Every credential in a kubeconfig that was given as a dictionary, so that it can be masked."""
    found: list[str] = []
    if isinstance(document, Mapping):
        for key, value in document.items():
            if key in SECRET_FIELDS and isinstance(value, str):
                found.append(value)
            elif key == "env" and isinstance(value, list):  # of a program that hands out credentials
                found += [str(one["value"]) for one in value if isinstance(one, Mapping) and one.get("value")]
            else:
                found += secrets_of(value)
    elif isinstance(document, list):
        for one in document:
            found += secrets_of(one)
    return tuple(found)


def _kubeconfig(
    source: str, context: str, cluster_at: tuple[str, Mapping[str, Any]], user_at: tuple[str, Mapping[str, Any]]
) -> Kubeconfig:
    cluster_file, cluster = cluster_at
    user_file, user = user_at
    plugin = None
    if not (user.get("token") or user.get("tokenFile")):
        if user.get("exec"):
            plugin = f"the program {user['exec'].get('command')}"
        elif user.get("auth-provider"):
            plugin = f"the login service {user['auth-provider'].get('name')}"
    return Kubeconfig(
        source=source,
        context=context,
        server=str(cluster["server"]).rstrip("/"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        ca_file=_beside(cluster_file, cluster.get("certificate-authority")),
        ca_data=_decoded(cluster_file, cluster, "certificate-authority-data"),
        tls_server_name=cluster.get("tls-server-name"),
        proxy_url=cluster.get("proxy-url"),
        token=user.get("token"),
        token_file=_beside(user_file, user.get("tokenFile")),
        username=user.get("username"),
        password=user.get("password"),
        client_cert_file=_beside(user_file, user.get("client-certificate")),
        client_cert_data=_decoded(user_file, user, "client-certificate-data"),
        client_key_file=_beside(user_file, user.get("client-key")),
        client_key_data=_decoded(user_file, user, "client-key-data"),
        plugin=plugin,
        impersonate_user=user.get("as"),
        impersonate_groups=tuple(str(one) for one in user.get("as-groups") or ()),
    )


def _files(paths: str) -> list[str]:
    files = [str(Path(os.path.expandvars(path)).expanduser()) for path in paths.split(os.pathsep) if path]
    there = [path for path in files if Path(path).is_file()]
    if not there:
        raise _bad(
            paths,
            "that file does not exist",
            "Give kubeconfig (or K8S_AUTH_KUBECONFIG, KUBECONFIG), or host with api_key.",
        )
    return there


def _document(path: str) -> Mapping[str, Any]:
    try:
        import yaml
    except ImportError:
        raise _bad(path, "the Python package PyYAML is not installed", "Install it: pip install PyYAML.") from None
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError:
        raise _bad(path, "the file cannot be read", "Correct its mode or owner.") from None
    except (yaml.YAMLError, UnicodeDecodeError):  # their text quotes the file
        raise _bad(path, "the file is not YAML", "Write it anew.") from None
    if not isinstance(document, dict):
        raise _bad(path, "the file is empty or not a kubeconfig", "Write it anew.")
    return document


def _named(
    documents: list[tuple[str, Mapping[str, Any]]], listed: str, key: str, name: str
) -> tuple[str, Mapping[str, Any]] | None:
    for path, document in documents:
        for entry in document.get(listed) or ():
            if entry.get("name") == name:
                return path, entry.get(key) or {}
    return None


def _beside(file: str, path: str | None) -> str | None:
    """Relative paths in a kubeconfig start at the folder of the file."""
    return None if not path else str(Path(file).parent / Path(path).expanduser())


def _decoded(file: str, part: Mapping[str, Any], key: str) -> bytes | None:
    if not part.get(key):
        return None
    try:
        return base64.b64decode(str(part[key]))
    except (binascii.Error, ValueError):
        raise _bad(file, f"its field {key} is not base64", "Write the kubeconfig anew.") from None


def _bad(source: str, answered: str, remedy: str) -> BadInputError:
    return BadInputError("reading the kubeconfig", source, answered, remedy)
