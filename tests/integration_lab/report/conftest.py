# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL alone, started once: a report's history needs no other server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab import postgres, seed
from lab.certificates import authority
from lab.processes import Processes
from tests.integration_lab.amazon_world import remove_outside

TABLE = "drift_history"


@dataclass(frozen=True)
class Database:
    """The server, and what a module needs to reach it."""

    server: postgres.Postgres
    drawn: seed.Seed

    def params(self, role: str = "repair", **given: Any) -> dict[str, Any]:
        """Options of drift_report that keep its history in the table; the role is repair or audit."""
        return {
            "pg_host": self.server.host,
            "pg_port": self.server.port,
            "pg_dbname": self.server.dbname,
            "pg_user": self.server.users[role],
            "pg_passfile": str(self.server.passfile),
            "pg_sslrootcert": str(self.server.ca_file),
            "history_table": TABLE,
            "history_manage_schema": True,
            **given,
        }

    def query(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Rows of a statement as the database's administrator."""
        connection = self.server.connect("admin")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    directory = tmp_path_factory.mktemp("postgres")
    (directory / "secrets").mkdir(mode=0o700)
    (directory / "logs").mkdir(mode=0o700)
    processes, drawn = Processes(directory), seed.draw()
    try:
        yield Database(postgres.start(directory, processes, authority(directory, "platform"), drawn), drawn)
    finally:
        processes.stop_everything()
        remove_outside(directory)


@pytest.fixture
def database(started: Database) -> Database:
    """The server without a history."""
    started.query(f"DROP TABLE IF EXISTS {TABLE}")
    return started
