# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admin port's client: what tests and the lab ask of a running simulator."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lab.amazon.clock import iso
from lab.errors import LabError


class Control:
    """One simulator, by its admin address (``http://127.0.0.1:PORT``). Every refusal is a LabError."""

    def __init__(self, admin_url: str, *, timeout: float = 30.0) -> None:
        self._url = admin_url.rstrip("/")
        self._timeout = timeout
        # Loopback only: a proxy from the environment would never find it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(  # noqa: S310 - the address is ours
            self._url + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                document = json.load(answer)
        except urllib.error.HTTPError as error:
            raise LabError(f"{method} {path}: {error.read().decode(errors='replace')}") from None
        except OSError as error:
            raise LabError(f"the simulator of Amazon does not answer at {self._url}: {error}") from None
        return document if isinstance(document, dict) else {}

    def inject(
        self,
        name: str,
        count: int | None = 1,
        operation: str | None = None,
        *,
        tenant: str | None = None,
        skip: int = 0,
        seconds: float = 0.0,
    ) -> None:
        """Asks for fault ``name`` ``count`` times (None: until :meth:`clear`), after ``skip`` matching requests.

        ``operation`` is one of the request log's names (``token`` is LWA); without it the fault meets what
        its name says. ``seconds`` are real ones, for ``slow``, ``lwa-slow`` and ``document-slow`` (a pause in the
        body), and the Retry-After of ``quota-429-with-retry-after``. ``report-…`` meets the next createReport,
        ``document-…`` the next download; ``report-stuck`` holds until :meth:`clear`.
        ``expired-page-token`` and ``moved-between-pages`` wait for a request with a page token.
        """
        fault = {"name": name, "count": count, "operation": operation, "tenant": tenant}
        self._call("POST", "/faults", {**fault, "skip": skip, "seconds": seconds})

    def clear(self) -> None:
        """Forgets all faults that still wait."""
        self._call("DELETE", "/faults")

    def requests(self, operation: str | None = None) -> list[dict[str, Any]]:
        """The request log since the start or :meth:`clear_requests`, oldest first."""
        rows: list[dict[str, Any]] = self._call("GET", "/requests")["requests"]
        return [row for row in rows if operation in (None, row["operation"])]

    def clear_requests(self) -> None:
        """Empties the request log."""
        self._call("DELETE", "/requests")

    def clock(
        self,
        *,
        speed: float | None = None,
        offset: float | None = None,
        advance: float = 0.0,
        at: datetime | None = None,
    ) -> dict[str, Any]:
        """Changes time: ``offset`` seconds from real time, ``advance`` seconds from the simulator's now, or ``at``.

        With ``speed`` 0 time stands still: it moves by the next call alone.
        """
        body = {"speed": speed, "offset": offset, "advance": advance, "at": iso(at, milliseconds=True) if at else None}
        return self._call("POST", "/clock", {name: value for name, value in body.items() if value is not None})

    def buckets(
        self,
        operation: str,
        *,
        tokens: float | None = None,
        rate: float | None = None,
        burst: int | None = None,
        tenant: str | None = None,
    ) -> None:
        """Sets the tokens left, or another usage plan, for one tenant or all."""
        body = {"operation": operation, "tokens": tokens, "rate": rate, "burst": burst, "tenant": tenant}
        self._call("POST", "/buckets", body)

    def refill(self) -> None:
        """Every bucket full, every plan Amazon's default."""
        self._call("DELETE", "/buckets")

    def rate_header(self, sent: bool) -> None:
        """Whether ``x-amzn-RateLimit-Limit`` comes at all: Amazon calls it best effort."""
        self._call("POST", "/buckets", {"rate_header": sent})

    def generate_orders(
        self,
        tenant: str,
        count: int,
        *,
        start: datetime,
        end: datetime,
        seed: int = 1,
        replace: bool = False,
        marketplace_id: str | None = None,
        procedural: bool = False,
    ) -> int:
        """Adds synthetic orders created between two times; returns how many orders the seller has then.

        ``procedural`` ones, up to a million, are made on demand and need no memory: see
        :mod:`lab.amazon.procedural`, which makes the same for the same arguments in any process.
        """
        body = {"count": count, "seed": seed, "start": iso(start), "end": iso(end), "replace": replace}
        if marketplace_id:
            body["marketplace_id"] = marketplace_id
        if procedural:
            body["procedural"] = True
        return int(self._call("POST", f"/sellers/{tenant}/orders", body)["orders"])

    def restore_orders(self, tenant: str) -> int:
        """Back to the seller's fixture; returns how many orders that are."""
        return int(self._call("DELETE", f"/sellers/{tenant}/orders")["orders"])

    def orders(self, tenant: str) -> list[dict[str, Any]]:
        """All orders of a seller with every data set, oldest first; refused for more than 100,000 procedural ones."""
        rows: list[dict[str, Any]] = self._call("GET", f"/sellers/{tenant}/orders")["orders"]
        return rows

    def change_order(self, tenant: str, order_id: str, status: str, *, at: datetime | None = None) -> None:
        """An order changes its status, now or at a given time; its last update is that time."""
        body = {"status": status, "at": iso(at, milliseconds=True) if at else None}
        self._call("PATCH", f"/sellers/{tenant}/orders/{order_id}", body)

    def seller(
        self,
        tenant: str,
        *,
        revoked: bool | None = None,
        not_participating: Iterable[str] | None = None,
        suspended: Iterable[str] | None = None,
    ) -> None:
        """The seller withdraws his consent, or stops selling or is suspended in the marketplaces named."""
        body: dict[str, Any] = {}
        if revoked is not None:
            body["revoked"] = revoked
        if not_participating is not None:
            body["not_participating"] = list(not_participating)
        if suspended is not None:
            body["suspended"] = list(suspended)
        self._call("PATCH", f"/sellers/{tenant}", body)

    def reports(
        self,
        *,
        queue: float | None = None,
        progress: float | None = None,
        per_100k: float | None = None,
        gzip: bool | None = None,
        charset: str | None = None,
        element: str | None = None,
    ) -> dict[str, Any]:
        """Changes what holds for the reports created from now on; returns ``settings`` and all ``reports``.

        ``queue`` and ``progress`` are seconds in IN_QUEUE and IN_PROGRESS by the simulator's clock, ``per_100k``
        further seconds of progress for every 100,000 orders; ``element`` is Order or OrderReport.
        """
        body = {
            "queue": queue,
            "progress": progress,
            "per_100k": per_100k,
            "gzip": gzip,
            "charset": charset,
            "element": element,
        }
        return self._call("POST", "/reports", {name: value for name, value in body.items() if value is not None})

    def consent(self, tenant: str, *, state: str = "", redirect_uri: str | None = None) -> dict[str, Any]:
        """The seller agrees: ``code``, ``location`` (where his browser goes) and ``selling_partner_id``."""
        return self._call("POST", "/consent", {"tenant": tenant, "state": state, "redirect_uri": redirect_uri})

    def issued(self) -> dict[str, list[str]]:
        """Every token and code the simulator made up, by kind: what must not leak."""
        return self._call("GET", "/issued")

    def reset(self) -> None:
        """As at the start: clock, quotas, faults, rights, orders, request log."""
        self._call("POST", "/reset")

    def state(self) -> dict[str, Any]:
        """Clock, sellers, buckets and faults. An answer means that both ports are up."""
        return self._call("GET", "/state")
