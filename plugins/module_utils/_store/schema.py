# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Comparing tables with what is needed of them: everything that is missing at once, with the SQL that adds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import tables as known
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Column, Table, quote

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor


class SchemaError(BlockedError):
    """Tables, columns, keys or privileges are missing.

    :param missing: the privileges among them, such as ``SELECT on table orders``.
    """

    def __init__(self, doing: str, address: str, answered: str, remedy: str, missing: Iterable[str] = ()) -> None:
        super().__init__(doing, address, answered, remedy)
        self.missing_permissions = tuple(missing)


@dataclass(frozen=True)
class Found:
    """One table as the catalogue describes it.

    :param types: own column name to its type, as SQL writes it.
    :param privileges: what the role has, of SELECT INSERT UPDATE DELETE.
    :param keys: column sets that a unique index without conditions covers.
    """

    exists: bool
    types: Mapping[str, str] = field(default_factory=dict)
    privileges: frozenset[str] = frozenset()
    keys: frozenset[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class Problem:
    """One thing that is missing, and the SQL that adds it.

    :param rights: privileges, if that is what is missing.
    """

    what: str
    ddl: str
    rights: tuple[str, ...] = ()


_CATALOGUE = """
SELECT wanted.position,
       relation.oid IS NOT NULL,
       ARRAY(SELECT attname::text FROM pg_attribute
              WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
       ARRAY(SELECT format_type(atttypid, atttypmod) FROM pg_attribute
              WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
       ARRAY(SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
              WHERE relation.oid IS NOT NULL AND has_table_privilege(relation.oid, privilege)),
       ARRAY(SELECT (SELECT string_agg(attname::text, E'\\x01' ORDER BY attname) FROM pg_attribute
                      WHERE attrelid = relation.oid AND attnum = ANY (indkey::int2[]))
               FROM pg_index
              WHERE indrelid = relation.oid AND indisunique AND indisvalid
                AND indpred IS NULL AND indexprs IS NULL)
  FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, position)
  LEFT JOIN pg_class AS relation ON relation.oid = to_regclass(wanted.name)
 ORDER BY wanted.position
"""

_MAY_CREATE = """
SELECT wanted.name, has_schema_privilege(wanted.name, 'CREATE')
  FROM (SELECT coalesce(%s, current_schema()::text) AS name) AS wanted
"""


_OWNS = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(%s)"


def inspect(cursor: Cursor, tables: Iterable[Table]) -> tuple[Found, ...]:
    """What the catalogue knows of these tables, in one query, in their order."""
    cursor.execute(_CATALOGUE, ([table.quoted for table in tables],))
    return tuple(_found(row) for row in cursor.fetchall())


def _found(row: tuple[Any, ...]) -> Found:
    _position, exists, names, types, privileges, keys = row
    return Found(
        exists=exists,
        types=dict(zip(names, types, strict=True)),
        privileges=frozenset(privileges),
        keys=frozenset(frozenset(key.split("\x01")) for key in keys if key),
    )


def problems(table: Table, found: Found, role: str) -> tuple[Problem, ...]:
    """What keeps the module from using a table."""
    wanted = _wanted(table)
    if not found.exists:
        if table.option in known.OWN:
            return (Problem(f"table {table.name} ({table.option})", known.create_statement(table) + ";"),)
        lines = [f"{table.own(logical)} {wanted[logical].type}" for logical in table.columns]
        lines.append(f"PRIMARY KEY ({', '.join(table.own(logical) for logical in table.key)})")
        return (Problem(f"table {table.name} ({table.option})", f"CREATE TABLE {table.quoted} ({', '.join(lines)});"),)
    missing: list[Problem] = []
    for logical, own in table.columns.items():
        if own not in found.types:
            constraint = f" {wanted[logical].constraint}".rstrip() if table.option in known.OWN else ""
            ddl = f"ALTER TABLE {table.quoted} ADD COLUMN {quote(own)} {wanted[logical].type}{constraint};"
            missing.append(Problem(f"column {table.name}.{own}", ddl))
    key = frozenset(table.columns[logical] for logical in table.key)
    if "INSERT" in table.privileges and key <= set(found.types) and key not in found.keys:
        columns = ", ".join(table.own(logical) for logical in table.key)
        missing.append(
            Problem(
                f"unique key of {table.name} on {', '.join(sorted(key))}",
                f"CREATE UNIQUE INDEX ON {table.quoted} ({columns});",
            )
        )
    lacking = [privilege for privilege in table.privileges if privilege not in found.privileges]
    if lacking:
        missing.append(
            Problem(
                f"privilege {', '.join(lacking)} on {table.name}",
                f"GRANT {', '.join(lacking)} ON {table.quoted} TO {quote(role)};",
                tuple(f"{privilege} on table {table.name}" for privilege in lacking),
            )
        )
    return tuple(missing)


def require(pairs: Iterable[tuple[Table, Found]], role: str, where: str) -> None:
    """Accept tables that have all that is needed.

    :raises SchemaError: naming everything that is missing in all of them, with the SQL for each.
    """
    found = [problem for table, state in pairs for problem in problems(table, state, role)]
    if found:
        raise SchemaError(
            "checking the tables in",
            where,
            "missing: " + "; ".join(problem.what for problem in found),
            "As their owner, run: " + " ".join(problem.ddl for problem in found),
            [right for problem in found for right in problem.rights],
        )


def denied(
    cursor: Cursor, pairs: Iterable[tuple[Table, Found]], privileges: tuple[str, ...], *, creates: bool
) -> tuple[str, ...]:
    """What the role may not do of what an import does, such as ``INSERT on table orders``.

    :param creates: own tables that are missing are created, which is a right on their schema; those of an earlier
        release get their new columns, which is their owner's right.
    """
    missing = []
    for table, found in pairs:
        if found.exists:
            missing += [f"{one} on table {table.name}" for one in privileges if one not in found.privileges]
            if creates and table.option in known.OWN and not complete(table, found):
                cursor.execute(_OWNS, (table.quoted,))
                owns = cursor.fetchone()
                missing += [] if owns and owns[0] else [f"ownership of table {table.name}"]
        elif creates and table.option in known.OWN:
            schema = table.parts[0] if len(table.parts) > 1 else None
            cursor.execute(_MAY_CREATE, (schema,))
            name, allowed = cursor.fetchone() or (schema, False)
            if not allowed:
                missing.append(f"CREATE on schema {name}")
    return tuple(dict.fromkeys(missing))


def complete(table: Table, found: Found) -> bool:
    """Whether a table exists with all of its columns."""
    return found.exists and set(table.columns.values()) <= set(found.types)


def migrate(cursor: Cursor, own: Table, found: Found) -> None:
    """Add the columns that one of the import's own tables lacks since an earlier release; rows stay as they are."""
    _one_at_a_time(cursor)
    wanted = _wanted(own)
    for name in own.columns:
        if name not in found.types:
            column = f"{quote(name)} {wanted[name].type} {wanted[name].constraint}".rstrip()
            cursor.execute(f"ALTER TABLE {own.quoted} ADD COLUMN IF NOT EXISTS {column}")


def create(cursor: Cursor, own: Table) -> None:
    """Create one of the import's own tables, unless somebody was faster.

    One at a time: of two sessions that create a table IF NOT EXISTS at once PostgreSQL lets the second one fail.
    """
    _one_at_a_time(cursor)
    cursor.execute(known.create_statement(own).replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))


def _one_at_a_time(cursor: Cursor) -> None:
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('keybuzz.amazon schema', 0))")


def _wanted(table: Table) -> Mapping[str, Column]:
    return known.OWN[table.option][0] if table.option in known.OWN else known.PRODUCT[table.option]
