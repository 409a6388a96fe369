# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One connection to PostgreSQL, and one exception for each way it can fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    KeybuzzError,
    UnexpectedAnswerError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.handshake import why_not_trusted

if TYPE_CHECKING:
    from typing import TypeAlias

    import psycopg2.extensions

    Connection: TypeAlias = psycopg2.extensions.connection
    Cursor: TypeAlias = psycopg2.extensions.cursor

_DENIED = re.compile(r"(permission denied for|must be owner of) [a-z ]{1,40} \S{1,130}")
LOCK_WAIT = "30s"
"""A row that somebody else holds longer than this is reported instead of waited for."""
KEEPALIVE_IDLE = 30
"""Seconds of silence after which the connection is probed: between two pages an hour may pass."""
PROBE_EVERY, PROBES = 10, 3
"""Seconds between two probes that nobody answers, and how many of them end the connection: a minute after all."""
UNACKNOWLEDGED = 60
"""Seconds after which what was sent and never arrived ends the connection. Linux would go on trying for a quarter of an
hour (tcp(7), tcp_retries2), and meanwhile it sends no probe."""


class RowsHeld(UnreachableError):
    """A lock was not to be had, or the transaction lost against another one. It can be repeated as a whole."""


# What libpq says when a connection fails, and what it means. First match wins; none of them shows a password.
_REFUSALS: tuple[tuple[str, type[KeybuzzError], str, str], ...] = (
    (
        "password authentication failed",
        ForbiddenError,
        "the password was not accepted",
        "Check pg_user and its password in pg_passfile or pg_password.",
    ),
    (
        "SASL authentication failed",
        ForbiddenError,
        "the password was not accepted",
        "Check pg_user and its password in pg_passfile or pg_password.",
    ),
    (
        "no password supplied",
        ForbiddenError,
        "the server wants a password and none was found",
        "Give pg_passfile with a line that matches host, port, database and user (mode 0600), or pg_password.",
    ),
    (
        "permission denied for database",
        ForbiddenError,
        "the user may not connect to this database",
        "Grant CONNECT on the database to pg_user.",
    ),
    (
        "no pg_hba.conf entry",
        ForbiddenError,
        "the server does not let this user in from here in this way",
        "Ask for a line in pg_hba.conf, or set pg_sslmode as that line wants it.",
    ),
    (
        "certificate",
        UnreachableError,
        "the server's certificate was not accepted",
        "Set pg_sslrootcert to the CA that signs it and pg_host to a name it carries, or check who answers there. "
        "No password was sent.",
    ),
    (
        "SSL error",
        UnreachableError,
        "the TLS handshake failed",
        "Check that the server speaks TLS 1.2 or later, and who answers at pg_host and pg_port.",
    ),
    (
        "SSL negotiation",
        UnreachableError,
        "what answers there does not speak PostgreSQL with TLS",
        "Check pg_host and pg_port, and who answers there. No password was sent.",
    ),
    (
        "server does not support SSL",
        UnreachableError,
        "the server does not speak TLS",
        "Switch TLS on at the server; pg_sslmode below 'require' sends the data in clear.",
    ),
    (
        "could not translate host name",
        UnreachableError,
        "the host name is not known",
        "Check pg_host.",
    ),
    (
        "Connection refused",
        UnreachableError,
        "nothing listens there",
        "Check pg_host and pg_port, and that PostgreSQL runs.",
    ),
    ("timeout expired", UnreachableError, "no answer in time", "Check pg_host, pg_port and the network."),
    (
        "the database system is",
        UnreachableError,
        "the server is starting, stopping or recovering",
        "Run again in a moment.",
    ),
    ("too many", UnreachableError, "the server has no connection left", "Run again later."),
)


def connect(
    params: Mapping[str, Any], protect: Callable[[Iterable[str | None]], None], application_name: str
) -> Connection:
    """A connection from a module's ``pg_*`` options. Times come back in UTC.

    :param application_name: shown in ``pg_stat_activity``; at most 63 characters are kept.
    :raises KeybuzzError: one of a kind for each cause, see ``_REFUSALS``.
    """
    try:
        import psycopg2
    except ImportError:
        raise BadInputError(
            "loading",
            "the Python library psycopg2",
            "it is not installed for the interpreter that runs the module",
            "Install it there: pip install 'psycopg2-binary>=2.9.9,<3'.",
        ) from None
    password = params.get("pg_password")
    protect([password])
    where = address(params)
    given: dict[str, Any] = {
        "host": params["pg_host"],
        "port": params.get("pg_port") or 5432,
        "dbname": params["pg_dbname"],
        "user": params["pg_user"],
        "password": password or None,
        "passfile": params.get("pg_passfile") or None,
        "sslmode": params.get("pg_sslmode") or "verify-full",
        "sslrootcert": params.get("pg_sslrootcert") or None,
    }
    given = {name: value for name, value in given.items() if value is not None} | {
        "connect_timeout": params.get("pg_connect_timeout") or 10,
        "application_name": application_name[:63],
        "keepalives_idle": KEEPALIVE_IDLE,
        "keepalives_interval": PROBE_EVERY,
        "keepalives_count": PROBES,
        "tcp_user_timeout": UNACKNOWLEDGED * 1000,
    }
    try:
        connection = _open(given)
    except psycopg2.OperationalError as error:
        why = why_not_trusted(given) if "SSL error" in str(error) else None
        raise _refused(where, str(params["pg_dbname"]), f"certificate: {why}" if why else str(error), why) from None
    connection.set_client_encoding("UTF8")
    return connection


def _open(given: Mapping[str, Any]) -> Connection:
    import psycopg2

    settings = f"-c timezone=UTC -c lock_timeout={LOCK_WAIT}"
    try:
        opened: Connection = psycopg2.connect(**given, options=settings)
        return opened
    except psycopg2.OperationalError as error:
        if "unsupported startup parameter" not in str(error):
            raise
    # A pooler that does not pass settings on: they go with each transaction instead.
    told: Connection = psycopg2.connect(**given, connection_factory=_told_each_time())
    return told


def _told_each_time() -> type[Connection]:
    import psycopg2.extensions

    class Told(psycopg2.extensions.connection):
        """A connection whose every transaction begins with the settings."""

        told_each_time = True

    return Told


def address(params: Mapping[str, Any]) -> str:
    """The database, for messages: ``postgresql://user@host:port/dbname``."""
    return f"postgresql://{params['pg_user']}@{params['pg_host']}:{params.get('pg_port') or 5432}/{params['pg_dbname']}"


def _refused(where: str, dbname: str, message: str, why: str | None = None) -> KeybuzzError:
    """:param why: more about it, which libpq does not tell."""
    doing = "connecting to"
    if f'database "{dbname}" does not exist' in message:
        return BadInputError(doing, where, "there is no such database", "Check pg_dbname.")
    for part, kind, answered, remedy in _REFUSALS:
        if part in message:
            return kind(doing, where, f"{answered} ({why})" if why else answered, remedy)
    return UnreachableError(doing, where, "the connection failed", "Check the pg_* options and the server's log.")


@contextmanager
def transaction(connection: Connection, doing: str, where: str) -> Iterator[Cursor]:
    """One transaction: committed at the end of the block, rolled back on any exception.

    :param doing: what the transaction does, in the -ing form, for the message of a failure.
    """
    import psycopg2

    try:
        with connection, connection.cursor() as cursor:
            if getattr(connection, "told_each_time", False):
                cursor.execute(f"SET LOCAL timezone = 'UTC'; SET LOCAL lock_timeout = '{LOCK_WAIT}'")
            yield cursor
    except psycopg2.Error as error:
        raise explain(doing, where, error) from None


def explain(doing: str, where: str, error: Any) -> KeybuzzError:
    """A failed statement. Only the SQLSTATE and names of objects are shown: details can hold a row's content."""
    import psycopg2
    from psycopg2 import errors

    diagnostics = getattr(error, "diag", None)
    code = getattr(error, "pgcode", None) or "no SQLSTATE"
    names = [getattr(diagnostics, part, None) for part in ("table_name", "column_name", "constraint_name")]
    named = " ".join(name for name in names if name)
    if isinstance(error, errors.InsufficientPrivilege):
        # The server's own text of this class names an object; a trigger's or a policy's can quote the row.
        said = _DENIED.fullmatch(str(getattr(diagnostics, "message_primary", "")))
        return ForbiddenError(doing, where, said[0] if said else f"permission denied ({code})", "Grant it to pg_user.")
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return ForbiddenError(
            doing,
            where,
            "the session is read-only (a standby, or default_transaction_read_only)",
            "Use the primary server and a role that may write.",
        )
    if isinstance(error, (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)):
        return RowsHeld(
            doing, where, f"somebody else holds the rows ({code})", "Run again; the import goes on where it was."
        )
    if isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return UnreachableError(
            doing, where, f"the connection was lost ({code})", "Run again; the import goes on where it was."
        )
    return UnexpectedAnswerError(
        doing,
        where,
        f"the statement failed ({code}{f' on {named}' if named else ''})",
        "Compare the table's columns and constraints with the module's documentation.",
    )
