# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Keeps the libraries' own logging silent about our calls, and about nobody else's.

httpx logs every address at INFO: presigned addresses and page tokens are in them. The Selling Partner library logs
headers at DEBUG. Whoever has logging switched on in this process would store them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = ("httpx", "sp_api.base.client")
_ours = threading.local()


class _NotOurs(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_ours, "calling", 0)


_FILTER = _NotOurs()


@contextmanager
def unlogged() -> Iterator[None]:
    """What this thread logs by these loggers inside the block is dropped; other threads' records are not."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)  # once: a filter that is there already is not added again
    _ours.calling = getattr(_ours, "calling", 0) + 1
    try:
        yield
    finally:
        _ours.calling -= 1
