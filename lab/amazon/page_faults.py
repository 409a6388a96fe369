# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of searchOrders that are valid JSON and yet not what one expects."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.amazon.books import Order, Query
from lab.amazon.calls import TWO_MINUTES, Call
from lab.amazon.generator import change
from lab.amazon.world import World

# An enum value that no version of Amazon's model has.
UNKNOWN_STATUS = "AWAITING_DRONE"
# How many orders before a page are looked at for one that can still change.
EARLIER = 100
NEXT_STATUS = {"PENDING": "UNSHIPPED", "UNSHIPPED": "SHIPPED", "PARTIALLY_SHIPPED": "SHIPPED"}


def altered(rows: list[dict[str, Any]], fault: str | None) -> list[dict[str, Any]]:
    """The rows of a page as a fault leaves them; nothing of the book changes."""
    if fault == "out-of-order":
        shuffled = list(rows)
        random.Random(len(rows)).shuffle(shuffled)  # noqa: S311 - no secret, always the same
        return shuffled
    if fault == "missing-total":
        return [_without_total(row) for row in rows]
    if fault == "unknown-status":
        return [_with_unknown_status(row) if at % 3 == 0 else row for at, row in enumerate(rows)]
    if fault == "unknown-fields":
        return [_with_unknown_fields(row) for row in rows]
    return rows


def _without_total(row: dict[str, Any]) -> dict[str, Any]:
    proceeds = {name: value for name, value in row.get("proceeds", {}).items() if name != "grandTotal"}
    return {**row, "proceeds": proceeds} if "proceeds" in row else row


def _with_unknown_status(row: dict[str, Any]) -> dict[str, Any]:
    if "fulfillment" not in row:
        return row
    return {**row, "fulfillment": {**row["fulfillment"], "fulfillmentStatus": UNKNOWN_STATUS}}


def _with_unknown_fields(row: dict[str, Any]) -> dict[str, Any]:
    items = [
        {**item, "carbonFootprint": {"grams": 412}, "product": {**item["product"], "colour": "bleu"}}
        for item in row["orderItems"]
    ]
    return {**row, "orderItems": items, "loyalty": {"tier": "GOLD", "points": [1, 2, 3]}, "salesRegion": None}


def moved_order(world: World, call: Call, query: Query) -> Order | None:
    """An order of an earlier page that has changed since: in its book, too, so that it stays so.

    It gets the next status of its life (a shipped one is cancelled) and is last updated two minutes ago, or where a
    search by last update ends.
    None where all before it are cancelled.
    """
    if query.start is None:
        return None
    begin = datetime.fromtimestamp(query.start[0], UTC)
    earlier = (
        world.books[call.seller.tenant]
        .page(
            query.field,
            query.after,
            begin,
            wanted=query.wanted,
            size=EARLIER,
            start=query.start,
            rewind=EARLIER,
        )
        .rows
    )
    before = [order for order in earlier if datetime.fromisoformat(order[query.field]) < begin]
    living = [order for order in before if order["fulfillment"]["fulfillmentStatus"] != "CANCELLED"]
    changing = [order for order in living if order["fulfillment"]["fulfillmentStatus"] in NEXT_STATUS]
    if not living:
        return None
    order = (changing or living)[-1]
    status = NEXT_STATUS.get(order["fulfillment"]["fulfillmentStatus"], "CANCELLED")
    world.reports.settle()
    at = world.clock.now() - TWO_MINUTES
    if query.field == "lastUpdatedTime":
        at = min(at, query.before)
    known = datetime.fromisoformat(order["lastUpdatedTime"])
    later = change(order, status=status, at=max(at, known + timedelta(seconds=1)))
    world.books[call.seller.tenant].add([later])
    return later
