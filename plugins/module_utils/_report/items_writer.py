# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Items of thousands of tenants, written as they are found: JSON Lines, one item a line, none kept in memory."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError

_LINE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class ItemsWriter:
    """An open file that its owner alone can read. It takes its place at the end, all of it or none.

    :raises BadInputError: the folder cannot be written, or there is no space left.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.count = 0
        target = Path(path)
        with self._explained():
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, self._temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mode 0600
        self._stream = os.fdopen(handle, "w", encoding="utf-8")

    def write(self, items: Iterable[Item]) -> None:
        """Add items."""
        with self._explained():
            for item in items:
                self._stream.write(_LINE.encode(item.as_dict()) + "\n")
                self.count += 1

    def finish(self) -> None:
        """Add the line that says how many there are, without which no reader takes the file for all of it."""
        with self._explained():
            self._stream.write(json.dumps({"complete": True, "items": self.count}) + "\n")
            self._stream.close()
            Path(self._temporary).replace(self.path)

    def abandon(self) -> None:
        """Leave nothing behind, if it was not finished."""
        with contextlib.suppress(OSError):
            self._stream.close()
        Path(self._temporary).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BadInputError(
                "writing",
                self.path,
                error.strerror or type(error).__name__,
                "Give a path in a folder that can be written, with space for some kilobytes for each tenant.",
            ) from error


@contextlib.contextmanager
def writing(path: str) -> Iterator[ItemsWriter]:
    """A writer whose file is there when the block has ended well."""
    writer = ItemsWriter(path)
    try:
        yield writer
        writer.finish()
    finally:
        writer.abandon()
