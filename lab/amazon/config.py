# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one simulator is told at its start: a JSON file that only its owner may read."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError


@dataclass(frozen=True)
class Seller:
    """One selling partner. Without a refresh token the seller has not authorised the application yet."""

    tenant: str
    seller_id: str
    marketplace_ids: tuple[str, ...]
    refresh_token: str | None = field(default=None, repr=False)
    fixture: str | None = None


@dataclass(frozen=True)
class Config:
    """The whole set-up; ``port`` serves TLS, ``admin_port`` plain HTTP, both on ``host``."""

    port: int
    admin_port: int
    certfile: Path
    keyfile: Path
    client_id: str
    client_secret: str = field(repr=False)
    application_id: str
    redirect_uri: str
    sellers: tuple[Seller, ...]
    log: Path | None = None
    host: str = "127.0.0.1"
    clock_speed: float = 1.0
    clock_offset: float = 0.0
    rate_header: bool = True

    def seller(self, tenant: str) -> Seller | None:
        """The seller of ``tenant``, or None."""
        return next((seller for seller in self.sellers if seller.tenant == tenant), None)


def parse(document: dict[str, Any]) -> Config:
    """The configuration of a decoded JSON document. Raises LabError naming the first key that is missing."""
    try:
        sellers = tuple(
            Seller(
                tenant=entry["tenant"],
                seller_id=entry["seller_id"],
                marketplace_ids=tuple(entry["marketplace_ids"]),
                refresh_token=entry.get("refresh_token"),
                fixture=entry.get("fixture"),
            )
            for entry in document["sellers"]
        )
        clock = document.get("clock") or {}
        return Config(
            port=int(document["port"]),
            admin_port=int(document["admin_port"]),
            certfile=Path(document["certfile"]),
            keyfile=Path(document["keyfile"]),
            client_id=document["client_id"],
            client_secret=document["client_secret"],
            application_id=document["application_id"],
            redirect_uri=document["redirect_uri"],
            sellers=sellers,
            log=Path(document["log"]) if document.get("log") else None,
            host=document.get("host", "127.0.0.1"),
            clock_speed=float(clock.get("speed", 1.0)),
            clock_offset=float(clock.get("offset", 0.0)),
            rate_header=bool(document.get("rate_header", True)),
        )
    except KeyError as missing:
        raise LabError(f"the simulator's configuration lacks {missing.args[0]!r}") from None


def load(path: Path) -> Config:
    """Reads the file, which holds secrets: it is refused when its group or others may read it."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise LabError(f"{path} holds secrets and must have mode 0600")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise LabError(f"{path} is not JSON") from None
    config = parse(document)
    for file in (config.certfile, config.keyfile):
        if not file.is_file():
            raise LabError(f"{path} names {file}, which does not exist")
    return config
