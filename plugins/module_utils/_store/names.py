# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Tables and columns under the names their owner gave them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError


@dataclass(frozen=True)
class Column:
    """What the collection wants of one column.

    :param type: PostgreSQL type used when the collection creates it.
    :param required: an empty name (the column does not exist) is refused.
    :param constraint: what follows the type in DDL.
    """

    type: str
    required: bool = False
    constraint: str = ""


@dataclass(frozen=True)
class Table:
    """One table as the user named it.

    :param option: the module option that names it.
    :param name: ``table`` or ``schema.table``.
    :param columns: logical name to own name, only those that exist.
    :param key: logical names of the columns of its unique key.
    :param privileges: what the role needs on it.
    """

    option: str
    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    privileges: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """Schema and table, or the table alone, as written."""
        return tuple(self.name.split("."))

    @property
    def quoted(self) -> str:
        """The name as SQL takes it."""
        return ".".join(quote(part) for part in self.parts)

    def own(self, logical: str) -> str:
        """The quoted own name of a column."""
        return quote(self.columns[logical])


def quote(name: str) -> str:
    """An identifier for SQL, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def table(
    option: str,
    name: str,
    wanted: Mapping[str, Column],
    given: Mapping[str, str] | None = None,
    *,
    key: tuple[str, ...],
    privileges: tuple[str, ...],
    columns_option: str = "",
) -> Table:
    """A table from a module's options: ``given`` replaces names of ``wanted``; an empty name drops the column.

    :raises BadInputError: for a name that cannot be one, an unknown logical name, or a required column dropped.
    """
    parts = name.split(".")
    if not 1 <= len(parts) <= 2 or not all(part and "\x00" not in part for part in parts):
        raise BadInputError(
            "reading option", option, f"{name!r} is not a table's name", "Use table or schema.table, without quotes."
        )
    given = given or {}
    unknown = sorted(set(given) - set(wanted))
    if unknown:
        raise BadInputError(
            "reading option",
            columns_option,
            f"{', '.join(unknown)} is not a column the module knows",
            f"Its keys are: {', '.join(wanted)}.",
        )
    columns = {logical: str(given.get(logical, logical) or "") for logical in wanted}
    dropped = [logical for logical, column in wanted.items() if column.required and not columns[logical]]
    if dropped:
        raise BadInputError(
            "reading option",
            columns_option,
            f"the import cannot do without {', '.join(dropped)}",
            "Name the columns that hold them.",
        )
    present = {logical: own for logical, own in columns.items() if own}
    if any("%" in own or "\x00" in own for own in (name, *present.values())):
        raise BadInputError(
            "reading option", columns_option or option, "a name has a % sign in it", "Use a view with other names."
        )
    if len(set(present.values())) < len(present):
        raise BadInputError("reading option", columns_option, "one column is named twice", "Give each its own column.")
    return Table(option, name, present, key, privileges)
