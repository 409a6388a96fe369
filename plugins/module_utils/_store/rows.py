# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rows on their way into PostgreSQL, column by column: as lines of COPY, or as one array literal a column.

``unnest`` turns the literals into rows again inside a statement. Neither needs a right but INSERT, where a temporary
table would need TEMPORARY on the database and leave dead rows in the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import repeat
from operator import attrgetter
from typing import Any, TypeAlias

Columns: TypeAlias = Mapping[str, Sequence[Any]]
"""Logical column name to the values of all rows, in the same order in each column."""

_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def columns(objects: Sequence[Any], names: Sequence[str]) -> dict[str, Sequence[Any]]:
    """The named attributes of objects, column by column."""
    # Not zip() of attrgetter(*names): a tuple for every row would wake the garbage collector again and again.
    return {name: list(map(attrgetter(name), objects)) for name in names}


def literal(values: Sequence[Any]) -> str:
    """A column as PostgreSQL's literal of an array. Money stays exact; times keep their offset.

    :param values: texts, whole numbers, ``Decimal``, aware ``datetime`` or ``None``, of one type in a column.
    """
    kind = type(next((value for value in values if value is not None), ""))
    if kind is str:
        return _quoted(values)
    # Numbers and times have nothing in them that would need quotes.
    return "{" + ",".join(["NULL" if text is None else text for text in texts(values)]) + "}"


def copy_text(first: str, rows: Sequence[Sequence[Any]]) -> str:
    """Rows in the text format of COPY.

    :param first: the value that every row begins with.
    :param rows: the other columns, at least one; values as in :func:`literal`.
    """
    (start,) = _fields([first])
    return "\n".join(map("\t".join, zip(repeat(start, len(rows[0])), *map(_fields, rows), strict=True))) + "\n"


def texts(values: Sequence[Any]) -> Sequence[Any]:
    """The values as PostgreSQL reads them, before any quoting; ``None`` stays ``None``."""
    kind = type(next((value for value in values if value is not None), ""))
    if kind is str:
        return values
    if issubclass(kind, datetime):
        return [value if value is None else value.isoformat() for value in values]
    if issubclass(kind, Decimal):
        return [value if value is None else _decimal(value) for value in values]
    return [value if value is None else str(value) for value in values]


def _quoted(row: Sequence[Any]) -> str:
    try:
        joined = '","'.join(row)
    except TypeError:  # a NULL is among them; asking first would cost more than all the rest
        present = "".join([text for text in row if text is not None])
        marked = _escaped(row) if '"' in present or "\\" in present else row
        return "{" + ",".join(["NULL" if text is None else f'"{text}"' for text in marked]) + "}"
    if "\\" in joined or joined.count('"') != 2 * (len(row) - 1):
        joined = '","'.join(_escaped(row))
    return '{"' + joined + '"}' if row else "{}"


def _fields(values: Sequence[Any]) -> Sequence[str]:
    row = texts(values)
    try:
        joined = "".join(row)
    except TypeError:
        joined = "".join([text for text in row if text is not None])
    if any(special in joined for special in "\\\t\n\r"):
        row = [text if text is None else text.translate(_COPY_ESCAPES) for text in row]
    return ["\\N" if text is None else text for text in row]


def _decimal(value: Decimal) -> str:
    text = str(value)
    return format(value, "f") if "E" in text else text


def _escaped(row: Sequence[Any]) -> list[Any]:
    return [text if text is None else text.replace("\\", "\\\\").replace('"', '\\"') for text in row]
