# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx.awx 24.6.1, from the environment that the benchmarks keep the usual collections in."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench.orders.install import named
from tests.bench.orders.peers import FOLDER

ENVIRONMENT = "collections"
VERSION = "24.6.1"


def programs() -> Path:
    """The bin folder of an environment that has it, made if it is not there.

    :raises RuntimeError: it has another release, whose options may be others.
    """
    place = FOLDER / ENVIRONMENT
    if not _manifests(place):
        named(ENVIRONMENT)
    found = {json.loads(path.read_text(encoding="utf-8"))["collection_info"]["version"] for path in _manifests(place)}
    if found != {VERSION}:
        raise RuntimeError(f"{place} has awx.awx {', '.join(found) or 'not'}; this wants {VERSION}")
    return place / "bin"


def _manifests(place: Path) -> list[Path]:
    return list(place.glob("lib/python3*/site-packages/ansible_collections/awx/awx/MANIFEST.json"))
