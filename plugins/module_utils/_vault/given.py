# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Secrets that a user gives: by an option, or by a file that the module itself reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

Protect = Callable[[Iterable[str | None]], None]


def given_token(params: Mapping[str, Any], option: str, protect: Protect, *, fallback: str | None = None) -> str | None:
    """The token from ``<option>_file``, which wins, or from ``<option>``; ``None`` when neither is given.

    Spaces and line breaks around the token are dropped: editors leave them in files.

    :param fallback: file to read when neither option is given.
    :raises BadInputError: the file cannot be read.
    """
    path, token = params.get(f"{option}_file"), params.get(option)
    if not path and not token:
        path = fallback
    if path:
        try:
            token = Path(os.path.expandvars(path)).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(
                f"reading option {option}_file:",
                str(path),
                getattr(error, "strerror", None) or "it is not a text file",
                "Give the path of a file that holds the token, readable by the user who runs the module.",
            ) from None
    if not token:
        return None
    protect([token, token.strip()])
    return token.strip() or None
