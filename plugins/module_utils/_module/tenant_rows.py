# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The rows of the tenants of one call, read together, and what may not be done to their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import schema, tables, tenants

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table


@dataclass(frozen=True)
class Rows:
    """What the table has of some tenants.

    :param found: rows by tenant, by logical column names.
    :param unknown: what is wrong with the tenants that should have a row and have none.
    """

    found: Mapping[str, Mapping[str, Any]]
    unknown: Mapping[str, BadInputError]


def table_of(params: Mapping[str, Any], *, check_mode: bool) -> Table:
    """The table with the tenants, and what the role needs on it. Looking needs no more than SELECT."""
    privileges = ("SELECT",) if check_mode else ("SELECT", "UPDATE", *(("INSERT",) if params["create_row"] else ()))
    return tables.tenants_table(params["tenants_table"], params.get("tenant_columns"), privileges)


def denied(cursor: Cursor, table: Table, role: str, where: str) -> dict[str, str]:
    """What the role may not do, as ``update table tenants``, by the action that needs it.

    :raises SchemaError: the table has not what is needed.
    """
    found = schema.inspect(cursor, (table,))
    schema.require(zip((table,), found, strict=True), role, where)
    needs = {"update": "UPDATE", "create": "INSERT"}
    return {
        action: f"{privilege.lower()} table {table.name}"
        for action, privilege in needs.items()
        if privilege not in found[0].privileges
    }


def read(cursor: Cursor, table: Table, params: Mapping[str, Any], names: Sequence[str], where: str) -> Rows:
    """The rows of these tenants: one query, and one more if some of them have none."""
    found = tenants.read_all(cursor, table, names)
    wanted = params["state"] == "absent" or not params["create_row"]
    without = [name for name in names if wanted and name not in found]
    known = tenants.some(cursor, table) if without else ()
    return Rows(found, {name: tenants.unknown(table, name, where, known) for name in without})
