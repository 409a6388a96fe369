# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Asking a server for many tenants: one that has answered to none of the last few is not asked by all the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import UnreachableError

T = TypeVar("T")
SILENCES = 3
"""Times in a row that a server does not answer, before it is not asked for any more."""


class Patience:
    """One server, asked by one thread or by many.

    It is asked one at a time until it has answered, and side by side from then on. Whoever was asking at the same time
    when it fell silent counts once: a server that restarts costs those, and not all.

    :param silences: after how many of them in a row it is given up.
    """

    def __init__(self, silences: int = SILENCES) -> None:
        self._most = silences
        self._changed = threading.Condition()
        self._silences: list[UnreachableError] = []
        self._rounds = 0
        self._answers = False
        self._asking = 0

    def asked(self, ask: Callable[[], T]) -> T:
        """What ``ask`` returns or raises. Anything but an :class:`UnreachableError` is an answer.

        :raises UnreachableError: what the last of them was, when the server is given up; it is not asked then.
        """
        round_ = self._admitted()
        try:
            answer = ask()
        except UnreachableError as error:
            self._ended(round_, error)
            raise
        except BaseException:
            self._ended(round_, None)
            raise
        self._ended(round_, None)
        return answer

    def _admitted(self) -> int:
        with self._changed:
            while not self._answers and self._asking and len(self._silences) < self._most:
                self._changed.wait()
            if len(self._silences) >= self._most:
                raise _equal(self._silences[-1])
            self._asking += 1
            return self._rounds

    def _ended(self, round_: int, silence: UnreachableError | None) -> None:
        with self._changed:
            self._asking -= 1
            if round_ == self._rounds:  # what began before the last silence says nothing of the server since
                self._answers = silence is None
                if silence is None:
                    self._silences.clear()
                else:
                    self._rounds += 1
                    self._silences.append(_equal(silence))
            self._changed.notify_all()


def _equal(error: UnreachableError) -> UnreachableError:
    """The same error without its traceback, which would keep alive whatever was at hand when it was raised."""
    made = type(error).__new__(type(error))
    made.args = error.args
    made.__dict__.update(error.__dict__)
    return made
