# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a peer is told, and what it counts. Standard library only: it runs in the peers' environments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """The simulator and one seller of it; ``since`` and ``until`` are ISO 8601 with Z."""

    endpoint: str
    lwa_url: str
    ca_file: str
    admin_url: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    marketplace_id: str
    since: str
    until: str

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``."""
        return self.endpoint.removeprefix("https://")


@dataclass
class Tally:
    """What came; a row that comes twice is counted twice, its order once."""

    orders: set[str] = field(default_factory=set)
    rows: int = 0
    items: int = 0

    def order(self, order_id: str, items: int = 0) -> None:
        """One order, with so many of its items."""
        self.orders.add(order_id)
        self.rows += 1
        self.items += items


Loop = Callable[[Place, Tally], None]
"""Reads all orders with their items into the tally, or raises what the peer raises."""

INCLUDED = ("PROCEEDS", "FULFILLMENT", "CANCELLATION")
"""Data sets of Orders 2026-01-01 that every peer asks for: status and amounts, nobody's personal data."""


def patiently(call: Callable[[], object], throttled: type[Exception], rate: float, status: int | None = None) -> object:
    """The kindest plain retry: after a 429 it sleeps until one token has come, for ever.

    :param rate: tokens a second of the operation's usage plan.
    :param status: where ``throttled`` stands for other errors too: its attribute ``status`` has to be this one.
    """
    import time

    while True:
        try:
            return call()
        except throttled as error:
            if status is not None and getattr(error, "status", None) != status:
                raise
            time.sleep(1 / rate)
