# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The moments of an import at which something can happen to it, named from outside: the product has no test hooks.

:func:`install` wraps functions of the import, once for a process. Each passing of a point calls :data:`passing`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    orders_import,
    orders_progress,
    orders_sources,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import client, lwa, source_report
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import (
    checkpoint,
    connection,
    load,
    load_items,
    load_upsert,
    quarantine,
    sessions,
)

SLICE = 1024
"""Bytes of a download that are handed on at once: its middle is a point too, however quick the server is."""
COPY_SLICE = 2 * 1024
"""Characters of a COPY that are sent at once, likewise."""
PROBES: Mapping[str, int] = {
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 3000,
}
"""Options of libpq by which it notices that the other side is gone, made short."""
OPERATIONS = (
    ("/orders/2026-01-01/orders", "searchOrders"),
    ("/reports/2021-06-30/documents", "getReportDocument"),
    ("/reports/2021-06-30/reports", "getReport"),
)
TRANSACTIONS = (
    ("storing page", "a page"),
    ("keeping account", "the usage plan"),
    ("recording the import", "the run's beginning"),
    ("taking the import's lock", "the lock"),
    ("looking at the imported", "the look"),
    ("looking at Amazon's", "the look at the usage plan"),
    ("counting", "the count"),
    ("releasing", "the release"),
    ("saying", "the heartbeat"),
)


class Moment:
    """What is done at a passing; replaced in each child."""

    def __init__(self) -> None:
        self.act: Callable[[str], None] = lambda _point: None
        self.download_at: str | None = None
        """Host and port that downloads go to instead of those of their address."""

    def passing(self, point: str) -> None:
        """A named point is passed."""
        self.act(point)


MOMENT = Moment()


def passing(point: str) -> None:
    """A named point is passed."""
    MOMENT.passing(point)


def operation_of(path: str) -> str:
    """Amazon's name of a call, by its path."""
    if path.endswith("/orderItems"):
        return "getOrderItems"
    return next((name for start, name in OPERATIONS if path.startswith(start)), "getOrders")


def transaction_of(doing: str) -> str:
    """A short name of a transaction, by what it says it does."""
    return next((name for start, name in TRANSACTIONS if doing.startswith(start)), doing)


def settings(given: Mapping[str, Any]) -> None:
    """Sizes and pauses for this process: small pages of a document, short waits."""
    orders_sources.BULK_PAGE = given.get("bulk_page", orders_sources.BULK_PAGE)
    source_report.FIRST_LOOK = given.get("first_look", source_report.FIRST_LOOK)
    connection.LOCK_WAIT = given.get("lock_wait", connection.LOCK_WAIT)
    load_upsert.COPY_CHUNK = COPY_SLICE
    if given.get("short_probes"):
        _short_probes()
    MOMENT.download_at = given.get("download_at")


def _short_probes() -> None:
    """Where the import has libpq watch over its connection, let it do so by seconds; where not, it stays so."""
    import psycopg2

    original = psycopg2.connect

    def connect(**options: Any) -> Any:
        return original(**{**options, **{name: value for name, value in PROBES.items() if name in options}})

    psycopg2.connect = connect  # type: ignore[assignment]


def install() -> None:
    """Wrap the functions. Must be called once, before an import."""
    _calls()
    _downloads()
    _grants()
    _loading()
    _transactions()
    _waiting()


def _around(owner: Any, name: str, point: Callable[..., str], *, before: bool = True, after: bool = True) -> None:
    original = getattr(owner, name)

    def watched(*args: Any, **kwargs: Any) -> Any:
        if before:
            passing(f"before {point(*args)}")
        answer = original(*args, **kwargs)
        if after:
            passing(f"after {point(*args)}")
        return answer

    setattr(owner, name, watched)


def _calls() -> None:
    _around(client.SellingPartner, "get", lambda _self, path, *_rest: operation_of(path))
    _around(client.SellingPartner, "post", lambda *_args: "createReport")


def _downloads() -> None:
    original = client.SellingPartner.download
    pages = source_report._Reading._download

    @contextmanager
    def download(self: Any, url: str) -> Iterator[Any]:
        if MOMENT.download_at:
            url = urlunsplit(urlsplit(url)._replace(netloc=MOMENT.download_at))
        passing("before a download")
        with original(self, url) as (headers, chunks):
            passing("after a download's headers")
            yield headers, _sliced(chunks)
        passing("after a download")

    def paged(self: Any, at: int, document: str) -> Iterator[Any]:
        for page in pages(self, at, document):
            yield page
            passing("between two pages of one document")

    client.SellingPartner.download = download  # type: ignore[method-assign]
    source_report._Reading._download = paged  # type: ignore[method-assign]


def _sliced(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), SLICE):
            passing("in the middle of a download")
            yield chunk[start : start + SLICE]


def _grants() -> None:
    _around(lwa.LwaClient, "refresh", lambda *_args: "the token refresh", after=False)
    # Between LWA's answer and its use.
    _around(lwa.LwaClient, "_read", lambda *_args: "the reading of LWA's answer")


def _loading() -> None:
    _around(orders_import, "store_page", lambda *_args: "the rows of a page")
    _around(load, "load_orders", lambda *_args: "the orders of a page", before=False)
    _around(load_items, "load_new", lambda *_args: "the lines of new orders", before=False)
    _around(quarantine, "resolve", lambda *_args: "the quarantine of a page", before=False)
    _around(checkpoint, "advance", lambda *_args: "the checkpoint")
    _around(checkpoint, "begin", lambda *_args: "the run's first record")
    _around(checkpoint, "adopt", lambda *_args: "the taking over of a run")

    class Pieces(io.StringIO):
        """COPY's rows; each piece but the first is in the middle of it."""

        def read(self, size: int | None = -1) -> str:
            if self.tell():
                passing("in the middle of a COPY")
            return super().read(size)

    vars(load_upsert)["io"] = SimpleNamespace(StringIO=Pieces)


def _transactions() -> None:
    original = connection.transaction

    @contextmanager
    def watched(database: Any, doing: str, where: str) -> Iterator[Any]:
        name = transaction_of(doing)
        with original(database, doing, where) as cursor:
            yield cursor
            passing(f"before COMMIT of {name}")
        passing(f"after COMMIT of {name}")

    for module in (connection, sessions):
        vars(module)["transaction"] = watched


def _waiting() -> None:
    original = orders_progress.Progress.waiting

    def waiting(self: Any, why: str, until: float) -> None:
        kind = "a report" if why.startswith("Amazon prepares") else why.partition(" (")[0]
        passing(f"while waiting for {kind}")
        original(self, why, until)

    orders_progress.Progress.waiting = waiting  # type: ignore[method-assign]
