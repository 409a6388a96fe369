# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report as one JSON document, format 1.x (docs/schema/drift_report-1.0.schema.json)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import LISTS, Environment, Report, plain


def render(report: Report) -> Iterator[str]:
    """The document in parts, item by item: a hundred thousand items are never held twice. Ends with a newline."""
    yield "{\n"
    for key, value in report.head().items():
        yield f"  {json.dumps(key)}: {_indented(value, 1)},\n"
    yield '  "environments": '
    yield from _listed((_environment(env) for env in report.environments), 1)
    yield "\n}\n"


def _environment(env: Environment) -> Iterator[str]:
    for number, (key, value) in enumerate(plain(env).items()):
        yield f"{',' if number else '{'}\n      {json.dumps(key)}: "
        if key in LISTS:
            yield from _listed(((_indented(item.as_dict(), 4),) for item in value), 3)
        else:
            yield _indented(value, 3)
    yield "\n    }"


def _listed(entries: Iterable[Iterable[str]], depth: int) -> Iterator[str]:
    """A list that stands ``depth`` levels deep, as json.dumps writes it."""
    number = -1
    for number, parts in enumerate(entries):
        yield ("," if number else "[") + "\n" + "  " * (depth + 1)
        yield from parts
    yield "[]" if number < 0 else "\n" + "  " * depth + "]"


def _indented(value: object, depth: int) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n" + "  " * depth)
