# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Writing what a report leaves behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError


def write_text(path: str, text: Iterable[str], mode: int = 0o600) -> None:
    """Write a file, all of it or none, readable by its owner only.

    :param mode: other permissions, for what is meant for other users.
    :param text: its parts, one after the other, so that a large file is never held as a whole; or all of it.
    :raises BadInputError: the folder cannot be written.
    """
    target = Path(path)
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mode 0600
        # A lone surrogate, which UTF-8 cannot hold, becomes the escape that JSON has for it.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines([text] if isinstance(text, str) else text)
        if mode != 0o600:
            Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise BadInputError(
            "writing", path, error.strerror or type(error).__name__, "Give a path in a folder that can be written."
        ) from error
