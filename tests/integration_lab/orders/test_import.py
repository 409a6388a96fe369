# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The import on real servers: every order and every line, once, and nothing else."""

from __future__ import annotations

import pytest

from lab.amazon import fixture
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.integration_lab.orders.tables import stored, versions

pytestmark = pytest.mark.lab


def test_all_orders_and_all_their_lines_arrive_exactly_as_amazon_has_them(world: AmazonWorld) -> None:
    outcome = world.import_orders()
    expected_orders, expected_items = fixture.expected_rows(TENANT)
    orders, items = stored(world)
    assert orders == expected_orders
    assert items == expected_items
    facts = outcome.facts
    assert facts["order_count"] == fixture.ORDER_COUNT
    assert facts["item_count"] == fixture.ITEM_COUNT
    assert facts["by_line_status"]["CANCELLED_ZERO_QUANTITY"] == fixture.ZERO_QUANTITY_ITEM_COUNT
    assert facts["counts"]["inserted"] == facts["counts"]["fetched"] == 94
    assert facts["counts"]["quarantined"] == 0
    assert len(world.calls("searchOrders")) == 1
    assert len(world.calls("token")) == 1


def test_a_second_run_asks_amazon_for_nothing_and_changes_no_row(world: AmazonWorld) -> None:
    world.import_orders()
    before = versions(world)
    world.amazon.admin.clear_requests()
    again = world.import_orders()
    assert not again.changed
    assert [item.status for item in again.items] == ["in_sync"]
    assert world.calls() == []
    assert versions(world) == before
