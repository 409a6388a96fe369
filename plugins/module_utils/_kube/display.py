# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What may be shown of an environment variable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|PRIVATE|BEARER|JWT|COOKIE|API_?KEY|ACCESS_?KEY|_KEY\b|_PASS\b|_PWD\b"
    r"|_SALT\b|\bDSN|_DSN\b|DATABASE_URL"
)
SECRET_VALUE = re.compile(r"hv[bsr]\.|s\.[A-Za-z0-9]{20}|Atz[ra]\||amzn1\.oa2-cs\.|eyJ|-----BEGIN [A-Z ]*PRIVATE KEY")
"""How tokens of Vault and Amazon, JSON Web Tokens and private keys begin."""


def looks_secret(name: str, value: str) -> bool:
    """A name that speaks of a secret, the beginning of a known kind of token, or a URL with a password in it."""
    if SECRET_NAME.search(name.upper()) or SECRET_VALUE.match(value.strip()):
        return True
    try:
        return urlsplit(value).password is not None
    except ValueError:
        return True


def shown(entry: Mapping[str, Any] | None) -> str:
    """One EnvVar for a report: its plain value, where it comes from, or ``present``; ``missing`` for None."""
    if entry is None:
        return "missing"
    reference = entry.get("valueFrom")
    if reference:
        return described(reference)
    value = str(entry.get("value") or "")
    if not value:
        return "empty"
    return "present" if looks_secret(str(entry.get("name")), value) else value


def described(reference: Mapping[str, Any]) -> str:
    """``from Secret x key y`` for a ``valueFrom``; ``optional`` where it may lead nowhere."""
    form = next(iter(reference), "nothing")
    source: Mapping[str, Any] = reference.get(form) or {}
    optional = " (optional)" if source.get("optional") else ""
    container = f" of container {source['containerName']}" if source.get("containerName") else ""
    words = {
        "secretKeyRef": f"Secret {source.get('name')} key {source.get('key')}",
        "configMapKeyRef": f"ConfigMap {source.get('name')} key {source.get('key')}",
        "fieldRef": f"field {source.get('fieldPath')}",
        "resourceFieldRef": f"resource {source.get('resource')}{container}",
        "fileKeyRef": f"file {source.get('path')} of volume {source.get('volumeName')} key {source.get('key')}",
    }
    return f"from {words.get(form, form)}{optional}"
