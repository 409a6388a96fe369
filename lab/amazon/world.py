# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything one running simulator knows."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.amazon.books import Order, OrderBook
from lab.amazon.clock import Clock
from lab.amazon.config import Config, Seller
from lab.amazon.faults import Faults
from lab.amazon.fixture import TENANT, orders
from lab.amazon.journal import Journal
from lab.amazon.lwa import Grants
from lab.amazon.pages import Seal
from lab.amazon.report_queue import ReportQueue
from lab.amazon.usage_plans import UsagePlans
from lab.errors import LabError


@dataclass
class World:
    """Shared by all handlers; one event loop, so nothing needs a lock."""

    config: Config
    clock: Clock
    grants: Grants
    plans: UsagePlans
    faults: Faults
    journal: Journal
    seal: Seal
    books: dict[str, OrderBook]
    reports: ReportQueue
    rate_header: bool = True
    # (tenant, marketplace) of what is not as it should be
    not_participating: set[tuple[str, str]] = field(default_factory=set)
    suspended: set[tuple[str, str]] = field(default_factory=set)

    def reset(self) -> None:
        """As at the start: time, quotas, rights and orders; the tokens that were issued stay good."""
        self.clock.set(speed=self.config.clock_speed, offset=self.config.clock_offset)
        self.plans.reset()
        self.faults.clear()
        self.journal.clear()
        self.grants.forget_revocations()
        self.not_participating.clear()
        self.suspended.clear()
        self.rate_header = self.config.rate_header
        self.reports.reset()
        for seller in self.config.sellers:
            self.books[seller.tenant] = OrderBook(fixture_orders(seller))


def fixture_orders(seller: Seller) -> list[Order]:
    """The orders a seller starts with."""
    if seller.fixture is None:
        return []
    if seller.fixture != TENANT:
        raise LabError(f"there is no fixture {seller.fixture!r}; the one there is is {TENANT!r}")
    return orders()


def build(config: Config) -> World:
    """A new world: full buckets, no faults, the sellers' fixtures."""
    clock = Clock(speed=config.clock_speed, offset=config.clock_offset)
    books = {seller.tenant: OrderBook(fixture_orders(seller)) for seller in config.sellers}
    return World(
        config=config,
        clock=clock,
        grants=Grants(config, clock),
        plans=UsagePlans(clock),
        faults=Faults(),
        journal=Journal(config.log),
        seal=Seal(config.client_secret),
        books=books,
        reports=ReportQueue(clock, books),
        rate_header=config.rate_header,
    )
