# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proof measured, kept in ``build/evidence/<kind>.json`` and printed as one line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build" / "evidence"


def record(kind: str, figures: Mapping[str, object]) -> str:
    """Add figures to those of this kind and return the line that tells them.

    :param kind: ``parity``, ``permission``, ``kill``, ``race``, ``tls`` or ``echo``.
    :param figures: counts and names; JSON types only, no secret in any form.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{kind}.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    merged = {**known, **figures}
    # Written beside and moved: two workers may end at the same moment, and a reader must never see half a file.
    beside = file.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(merged, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(file)
    return line(kind, merged)


def line(kind: str, figures: Mapping[str, object]) -> str:
    """``kill: 11 places, 11 converged``: the plain figures in the order in which they were given."""
    plain = [f"{value} {name.replace('_', ' ')}" for name, value in figures.items() if isinstance(value, int | str)]
    return f"{kind}: {', '.join(plain)}"
