# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Masking of secrets that a module meets at run time, on every supported ansible-core."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable
from typing import Any

MINIMUM_LENGTH = 6
ORDINARY_WORD = re.compile(r"[a-z][a-z_-]{0,15}")
"""Short values and plain words (``keybuzz``, ``localhost``) are not masked, though a Secret may hold them: they would
blank out every message that speaks of them. They are not shown either."""


def forms(secret: str) -> set[str]:
    """The secret and the reversible forms in which servers and libraries repeat it."""
    raw = secret.encode(errors="surrogateescape")  # as Python reads bytes of the environment that are no text
    encoded, quoted = base64.b64encode(raw).decode(), urllib.parse.quote(raw, safe="")
    return {
        secret,
        encoded,
        encoded.replace("+", "-").replace("/", "_"),
        quoted,
        quoted.replace("%20", "+"),
        json.dumps(secret)[1:-1],
    }


def protect(module: Any, secrets: Iterable[str | None]) -> None:
    """Have Ansible mask these values in whatever the module prints.

    A second line of defence: no secret is put into a result in the first place. ansible-core 2.22 masks what is
    registered with ``register_secret``; older releases mask what is in ``no_log_values``.
    """
    try:
        from ansible.module_utils.secrets import register_secret
    except ImportError:
        register_secret = None
    for secret in secrets:
        if not secret or len(secret) < MINIMUM_LENGTH or ORDINARY_WORD.fullmatch(secret):
            continue
        for form in forms(secret):
            if register_secret is None:
                module.no_log_values.add(form)
            else:
                register_secret(form)
