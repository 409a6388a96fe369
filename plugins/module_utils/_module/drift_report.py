# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module drift_report does: collect, print, write the file, decide."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import Environment, Report, parse_items
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.terminal import render


def build(environments: Sequence[Mapping[str, Any]], mode: Any, now: datetime.datetime) -> Report:
    """The report over what the steps of each environment returned.

    :raises BadInputError: no environment was given, or an entry is not an item.
    """
    if not environments:
        raise BadInputError(
            "collecting",
            "environments",
            "there is none, so nothing was checked",
            "Choose an inventory with hosts: -i inventories/example -l staging.",
        )
    return Report(environments=tuple(_environment(raw) for raw in environments), mode=mode, generated_at=now)


def _environment(raw: Mapping[str, Any]) -> Environment:
    name = str(raw["name"])
    return Environment(
        name=name,
        items=parse_items(raw.get("drift") or (), name),
        found=parse_items(raw.get("found") or (), name),
        tenants=tuple(str(tenant) for tenant in raw.get("tenants") or ()),
        error=str(raw.get("error") or ""),
        git_fragment=str(raw.get("git_fragment") or ""),
    )


def results(report: Report) -> dict[str, object]:
    """What the module returns: verdict, counts and the lines for a terminal."""
    plain = report.as_dict()
    return {
        "verdict": report.verdict,
        "counts": plain["counts"],
        "environments": {env.name: env.verdict for env in report.environments},
        "lines": render(report),
    }


def write(report: Report, path: str) -> None:
    """Write the JSON document, all of it or none, readable by its owner only.

    :raises BadInputError: the folder cannot be written.
    """
    target = Path(path)
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(report.as_dict(), stream, indent=2, ensure_ascii=False)
            stream.write("\n")
        Path(temporary).replace(target)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise BadInputError(
            "writing", path, error.strerror or type(error).__name__, "Give a path in a folder that can be written."
        ) from error
