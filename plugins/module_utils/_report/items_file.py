# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Reading the items of thousands of tenants, as :mod:`items_writer` writes them: JSON Lines, one item a line.

The file is read as a stream. What is clean is counted and let go, so that memory holds no more than what is wrong. The
last line, ``{"complete": true, "items": N}``, is the writer's word that this is all of it; without it nobody knows what
is missing, and the environment is not called good.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import CLEAN, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import kind_of, parse_item
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.tally import Group, Kind

LONGEST_LINE = 1 << 20
"""Bytes. An item has about a kilobyte; what is longer than this is another file and is not read into memory."""


@dataclass(frozen=True)
class Streamed:
    """What a file of items holds.

    :param items: those that are not clean, in the file's order.
    :param summarised: how many clean ones there are of each kind.
    :param seen: the clean ones that were asked for.
    :param error: why these may not be all items; empty if they are.
    """

    items: tuple[Item, ...] = ()
    summarised: tuple[Group, ...] = ()
    seen: tuple[Item, ...] = ()
    error: str = ""


def read(path: str, wants: Callable[[str], bool]) -> Streamed:
    """The items of a file.

    :param wants: says of a clean item's id whether the item is to be kept nevertheless.
    :raises BadInputError: the file cannot be read, a line is cut off or is no item; the message names file and line.
    """
    wrong: list[Item] = []
    seen: list[Item] = []
    clean: Counter[Kind] = Counter()
    count, promised = 0, None
    for number, entry in _entries(path):
        if promised is not None:
            raise _broken(path, number, "stands behind the closing line")
        if _closes(entry):
            promised = entry["items"]
            continue
        try:
            kind = kind_of(entry)
            if kind.status not in CLEAN:
                wrong.append(parse_item(entry))
            else:
                clean[kind] += 1
                if wants(entry["id"]):
                    seen.append(parse_item(entry))
        except ValueError as error:
            raise _broken(path, number, f"is not a drift item ({error})") from None
        count += 1
    return Streamed(
        items=tuple(wrong),
        summarised=tuple(Group(*kind, count=number) for kind, number in clean.items()),
        seen=tuple(seen),
        error=_incomplete(path, count, promised),
    )


def _incomplete(path: str, count: int, promised: int | None) -> str:
    if promised is None:
        return f"its items are incomplete: {path} ends without its closing line, after {count} items"
    if promised != count:
        return f"its items are incomplete: {path} has {count} of the {promised} items that its closing line tells of"
    return ""


def _closes(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.get("complete") is not True:
        return False
    count = entry.get("items")
    return isinstance(count, int) and not isinstance(count, bool)


def _entries(path: str) -> Iterator[tuple[int, Any]]:
    """What each line says, with the line's number, counted from 1."""
    try:
        with Path(path).open("rb") as stream:
            number = 0
            while line := stream.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise _broken(path, number, f"is longer than {LONGEST_LINE} bytes")
                if not line.endswith(b"\n"):
                    raise _broken(path, number, "is cut off")
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError):
                    raise _broken(path, number, "is not JSON") from None
    except OSError as error:
        raise BadInputError(
            "reading",
            path,
            error.strerror or type(error).__name__,
            "Give in items_path the file that amazon_integration_info has written, on the host that makes the report.",
        ) from error


def _broken(path: str, number: int, what: str) -> BadInputError:
    return BadInputError(
        "reading", path, f"line {number} {what}", "Look at the environment again, so that the file is written anew."
    )
