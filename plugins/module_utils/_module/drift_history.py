# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Where a report's history is kept: in a file, in a table of PostgreSQL, or nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, UnreachableError
from ansible_collections.keybuzz.amazon.plugins.module_utils._report import history_file
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.history import FORMAT_VERSION, Entry, History, Key
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import rows, schema
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import address, connect, transaction
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.tables import HISTORY, own_table

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor

OPTION = "history_table"
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
LOCK_WAIT = "120s"
"""How long a report waits for another one that has the table: writing a report of 120,000 items takes some 40 s."""
HEAD: Key = ("", "")
"""The row that stands for the history as a whole: ``status`` is its format, ``lastSeenAt`` its last report."""
FIELDS = tuple(one.name for one in fields(Entry))
"""An entry's, in the order of the table's columns."""
AGAIN = "Run the report again: nothing of the history was changed."


@dataclass(frozen=True)
class Kept:
    """A history that is remembered.

    :param history: as the last report left it.
    :param keep: takes it as this report leaves it; what is kept when the block ends without an exception.
    """

    history: History
    keep: Callable[[History], None]


@contextmanager
def remembered(params: Mapping[str, Any], protect: Callable[[Iterable[str | None]], None]) -> Iterator[Kept | None]:
    """The history that the options name; None if they name none.

    A table is locked until the block ends, so that of two reports at once the second one knows what the first one saw.

    :raises BadInputError: the file is no history, or no table.
    :raises KeybuzzError: PostgreSQL does not answer or does not allow it.
    """
    if params.get(OPTION):
        with _table(params, protect) as kept:
            yield kept
    elif params.get("history_path"):
        path = str(params["history_path"])
        yield Kept(history_file.read(path), lambda history: history_file.write(history, path))
    else:
        yield None


@contextmanager
def _table(params: Mapping[str, Any], protect: Callable[[Iterable[str | None]], None]) -> Iterator[Kept]:
    table = own_table(OPTION, str(params[OPTION]), PRIVILEGES)
    where = f"table {table.name} of {address(params)}"
    connection = connect(params, protect, "keybuzz.amazon drift_report")
    try:
        with _own_words(), transaction(connection, "keeping the history in", where) as cursor:
            _make_ready(cursor, table, str(params["pg_user"]), where, creates=bool(params.get("history_manage_schema")))
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
            # Readers go on; of writers there is one. A role needs no right for it but those that it has.
            cursor.execute(f"LOCK TABLE {table.quoted} IN SHARE ROW EXCLUSIVE MODE")
            before = _read(cursor, table, where)
            yield Kept(before, lambda after: _write(cursor, table, before, after, where))
    finally:
        connection.close()


@contextmanager
def _own_words() -> Iterator[None]:
    """Failures of a connection say what they mean for a report; the store's own words are those of an import."""
    try:
        yield
    except UnreachableError as error:
        raise type(error)(error.doing, error.address, error.answered, AGAIN) from None


def _make_ready(cursor: Cursor, table: Table, role: str, where: str, *, creates: bool) -> None:
    """Create the table if that is wanted. One that exists is never altered: it may be somebody else's.

    :raises SchemaError: the table, a part of it or a right on it is missing; the message has the SQL that adds it.
    """
    (found,) = schema.inspect(cursor, [table])
    if creates and not found.exists:
        schema.create(cursor, table)
        (found,) = schema.inspect(cursor, [table])
    try:
        schema.require([(table, found)], role, where)
    except schema.SchemaError as error:
        if found.exists:
            raise
        remedy = f"{error.remedy} Or let the report create it: history_manage_schema: true."
        raise schema.SchemaError(error.doing, error.address, error.answered, remedy) from None


def _columns(table: Table) -> str:
    return ", ".join(table.own(name) for name in table.columns)


def _read(cursor: Cursor, table: Table, where: str) -> History:
    cursor.execute(f"SELECT {_columns(table)} FROM {table.quoted} ORDER BY {table.own('environment')}")  # noqa: S608
    entries: dict[Key, Entry] = {}
    updated_at: datetime | None = None
    for values in cursor:
        entry = Entry(*values)
        if (entry.environment, entry.id) != HEAD:
            entries[entry.environment, entry.id] = entry
            continue
        updated_at = entry.last_seen
        if entry.status.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
            raise BadInputError(
                "reading the history in", where, f"its format is {entry.status}", "Use the release that wrote it."
            )
    return History(dict(sorted(entries.items())), updated_at)


def _write(cursor: Cursor, table: Table, before: History, after: History, where: str) -> None:
    """Only what has changed.

    :raises BadInputError: an id holds what PostgreSQL's text cannot.
    """
    changed = [entry for name, entry in after.entries.items() if before.entries.get(name) != entry]
    if after.updated_at is not None:
        changed.append(Entry(*HEAD, FORMAT_VERSION, before.updated_at or after.updated_at, after.updated_at))
    dropped = [entry for name, entry in before.entries.items() if name not in after.entries]
    arrays = ", ".join(f"%s::{HISTORY[name].type}[]" for name in table.columns)
    others = ", ".join(
        f"{table.own(name)} = EXCLUDED.{table.own(name)}" for name in table.columns if name not in table.key
    )
    environment, item = (table.own(name) for name in table.key)
    try:
        cursor.execute(
            f"INSERT INTO {table.quoted} ({_columns(table)}) SELECT * FROM unnest({arrays})"  # noqa: S608
            f" ON CONFLICT ({environment}, {item}) DO UPDATE SET {others}",
            _literals(changed, FIELDS),
        )
        cursor.execute(
            f"DELETE FROM {table.quoted} AS kept USING unnest(%s::text[], %s::text[]) AS gone (environment, item)"  # noqa: S608
            f" WHERE kept.{environment} = gone.environment AND kept.{item} = gone.item",
            _literals(dropped, FIELDS[: len(table.key)]),
        )
    except ValueError as error:
        raise BadInputError(
            "writing the history to",
            where,
            f"an environment or item has a name that PostgreSQL cannot store ({type(error).__name__})",
            "Give history_path instead, or rename it.",
        ) from None


def _literals(entries: Sequence[Entry], names: Sequence[str]) -> list[str]:
    """One array a column."""
    return [rows.literal(values) for values in rows.columns(entries, names).values()]
