# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A few connections for many tenants: each transaction borrows one, and nobody holds one while Amazon is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import transaction

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Connection, Cursor


class Sessions:
    """Connections to one database.

    :param connect: opens one more.
    :param where: the database, for messages.
    :param most: how many are open at the same time.
    """

    def __init__(self, connect: Callable[[], Connection], where: str, most: int = 1) -> None:
        self.where = where
        self._connect = connect
        self._free: list[Connection] = []
        self._all: list[Connection] = []
        self._slots = threading.Semaphore(most)
        self._guard = threading.Lock()

    @contextmanager
    def borrowed(self) -> Iterator[Connection]:
        """A connection that nobody else uses meanwhile. One that is broken is not handed out again."""
        with self._slots:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)

    @contextmanager
    def transaction(self, doing: str) -> Iterator[Cursor]:
        """One transaction on a borrowed connection, see :func:`connection.transaction`."""
        with self.borrowed() as connection, transaction(connection, doing, self.where) as cursor:
            yield cursor

    def close(self) -> None:
        """End all of them."""
        for connection in self._all:
            with suppress(Exception):
                connection.close()

    def _take(self) -> Connection:
        with self._guard:
            if self._free:
                return self._free.pop()
        connection = self._connect()
        with self._guard:
            self._all.append(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        with self._guard:
            if connection.closed:
                self._all.remove(connection)
            else:
                self._free.append(connection)
