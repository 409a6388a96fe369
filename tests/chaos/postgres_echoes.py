# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database whose errors quote what was to be stored, and one that repeats a password while it refuses it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from lab.certificates import authority
from tests.chaos.chaos_world import HOSTS, ChaosWorld

ROW = "CANARYrowContentNobodyMaySee0123"
TABLES = {
    "tenant": ("tenants",),
    "orders": ("orders", "order_items", "amazon_backfill_runs", "amazon_quota"),
}
MADE_BY_IMPORT = frozenset({"amazon_backfill_runs", "amazon_quota", "order_import_errors"})
# https://www.postgresql.org/docs/current/errcodes-appendix.html: those that a statement of ours can meet.
CODES = ("P0001", "22P02", "22001", "23502", "23505", "23514", "42501", "25006", "53100", "57014", "XX000")
REFUSALS = (
    "password authentication failed for user",
    "no pg_hba.conf entry for host",
    "the database system is starting up",
    "certificate of",
    "something else",
)


@contextlib.contextmanager
def raising(world: ChaosWorld, table: str, code: str) -> Iterator[None]:
    """A trigger that refuses each row of that table and quotes it wherever an error has room for words."""
    world.query(
        f"""
        CREATE OR REPLACE FUNCTION chaos_echo() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE WARNING '{ROW} %', row_to_json(NEW);
          RAISE EXCEPTION '{ROW} %', row_to_json(NEW) USING ERRCODE = '{code}', DETAIL = '{ROW} ' || NEW::text,
            HINT = '{ROW}', DATATYPE = '{ROW}';
        END $$;
        CREATE TRIGGER chaos_echo BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION chaos_echo();
        """
    )
    try:
        yield
    finally:
        world.query(f"DROP TRIGGER IF EXISTS chaos_echo ON {table}; DROP FUNCTION IF EXISTS chaos_echo() CASCADE")


class Refusing:
    """Speaks TLS as the lab's database does, asks for the password in clear, and puts it into its refusal."""

    def __init__(self, lab: Path, words: str) -> None:
        self.passwords: list[str] = []
        self._words = words
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*authority(lab, "platform").leaf("refusing", HOSTS))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError, ssl.SSLError, struct.error):
                self._refuse(client)

    def _refuse(self, client: socket.socket) -> None:
        client.settimeout(10)
        client.recv(8)
        client.sendall(b"S")
        with self._tls.wrap_socket(client, server_side=True) as secure:
            secure.recv(4096)  # who wants in
            secure.sendall(b"R" + struct.pack("!ii", 8, 3))  # AuthenticationCleartextPassword
            password = secure.recv(4096)[5:].rstrip(b"\0").decode()
            self.passwords.append(password)
            fields = {
                b"S": "FATAL",
                b"V": "FATAL",
                b"C": "28P01",
                b"M": f"{self._words} {password} {ROW}",
                b"D": password,
                b"H": f"{password} {ROW}",
            }
            body = b"".join(key + value.encode() + b"\0" for key, value in fields.items()) + b"\0"
            secure.sendall(b"E" + struct.pack("!i", len(body) + 4) + body)
