# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request log: what arrived, without anything secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# Values of these never reach the log: secrets, and what identifies a buyer.
UNLOGGED = frozenset(
    {"client_secret", "refresh_token", "code", "access_token", "state", "spapi_oauth_code", "BuyerEmail"}
)


@dataclass(frozen=True)
class Entry:
    """One request. ``time`` is the simulator's, ISO 8601 with Z; ``status`` 0 stands for a cut connection;
    ``complete`` says of the download of a report document whether it was sent to its end.
    """

    time: str
    operation: str
    method: str
    path: str
    status: int
    tenant: str | None = None
    seller: str | None = None
    fault: str | None = None
    error: str | None = None
    rows: int | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    user_agent: str = ""
    complete: bool | None = None


def without_secrets(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters that may be written down."""
    return {name: value for name, value in parameters.items() if name not in UNLOGGED}


class Journal:
    """Entries in memory, and appended as JSON lines to a file when there is one."""

    def __init__(self, path: Path | None) -> None:
        self._entries: list[Entry] = []
        self._file = path.open("a", encoding="utf-8", buffering=1) if path else None

    def add(self, entry: Entry) -> None:
        """Keeps one entry."""
        self._entries.append(entry)
        if self._file:
            # Not asdict, whose deep copy takes longer than all the rest.
            self._file.write(json.dumps(vars(entry), ensure_ascii=False) + "\n")

    def clear(self) -> None:
        """Forgets what is in memory; the file keeps its lines."""
        self._entries.clear()

    def entries(self) -> list[dict[str, Any]]:
        """All entries since the start or the last clear, oldest first."""
        return [asdict(entry) for entry in self._entries]
