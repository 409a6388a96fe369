# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfig files: written by the lab for its users, read by its own client."""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError


@dataclass(frozen=True)
class Access:
    """What one user needs to reach one API server."""

    server: str  # https://host:port
    ca_pem: str
    token: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)  # PEM of client certificate and key, one after the other


def write(file: Path, access: Access, *, user: str, namespace: str) -> None:
    """A self-contained kubeconfig with a bearer token, 0600, replaced in one step."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "lab",
                "cluster": {
                    "server": access.server,
                    "certificate-authority-data": base64.b64encode(access.ca_pem.encode()).decode(),
                },
            }
        ],
        "users": [{"name": user, "user": {"token": access.token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user, "namespace": namespace}}],
        "current-context": "lab",
    }
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mkstemp makes it 0600
    with os.fdopen(handle, "w") as stream:
        yaml.safe_dump(config, stream, sort_keys=False)
    Path(name).replace(file)


def read(file: Path) -> Access:
    """The current context of a kubeconfig; token or client certificate.

    Raises LabError for a file without a usable context, and for one that
    needs a plug-in (``exec``), which the lab does not run.
    """
    try:
        config = yaml.safe_load(file.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        return Access(
            server=cluster["server"],
            ca_pem=_content(file, cluster, "certificate-authority"),
            token=_token(file, user),
            certificate=_certificate(file, user),
        )
    except (OSError, KeyError, TypeError, yaml.YAMLError, binascii.Error) as error:
        raise LabError(f"kubeconfig {file}: no usable current context ({type(error).__name__})") from None


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next((entry for entry in entries if entry["name"] == name), {})


def _content(file: Path, section: dict[str, Any], key: str) -> str:
    if f"{key}-data" in section:
        return base64.b64decode(section[f"{key}-data"]).decode()
    return (file.parent / str(section[key])).read_text()


def _token(file: Path, user: dict[str, Any]) -> str | None:
    if "exec" in user or "auth-provider" in user:
        raise LabError(f"kubeconfig {file}: the user logs in by a plug-in; the lab needs a token or certificate")
    if "tokenFile" in user:
        return (file.parent / str(user["tokenFile"])).read_text().strip()
    token = user.get("token")
    return None if token is None else str(token)


def _certificate(file: Path, user: dict[str, Any]) -> str | None:
    parts = ("client-certificate", "client-key")
    if not all(part in user or f"{part}-data" in user for part in parts):
        return None
    return "\n".join(_content(file, user, part) for part in parts)
