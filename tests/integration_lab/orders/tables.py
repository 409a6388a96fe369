# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables hold, read as the oracle of the fixture writes it."""

from __future__ import annotations

from typing import Any

from lab.amazon import fixture
from tests.integration_lab.amazon_world import TENANT, AmazonWorld


def stored(world: AmazonWorld) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Both tables as the oracle writes them."""
    expected_orders, expected_items = fixture.expected_rows(TENANT)
    tables = []
    for table, example, key in (
        ("orders", expected_orders[0], '"externalOrderId"'),
        ("order_items", expected_items[0], '"externalOrderId", "externalItemId"'),
    ):
        names = list(example)
        columns = ", ".join(f'"{name}"' for name in names)
        rows = world.query(f"SELECT {columns} FROM {table} ORDER BY {key}")
        tables.append([dict(zip(names, row, strict=True)) for row in rows])
    return tables[0], tables[1]


def versions(world: AmazonWorld) -> list[tuple[Any, ...]]:
    """Every row's version and place."""
    return world.query(
        "SELECT 'o', ctid::text, xmin::text FROM orders UNION ALL SELECT 'i', ctid::text, xmin::text FROM order_items"
        " UNION ALL SELECT 'r', ctid::text, xmin::text FROM amazon_backfill_runs"
        " UNION ALL SELECT 'q', ctid::text, xmin::text FROM amazon_quota ORDER BY 1, 2"
    )


def complete(world: AmazonWorld) -> bool:
    """Whether both tables hold exactly what Amazon's fixture has."""
    return stored(world) == fixture.expected_rows(TENANT)


def forget_runs(world: AmazonWorld) -> None:
    """As if no import was on record; the imported rows stay."""
    world.query("DELETE FROM amazon_backfill_runs")
