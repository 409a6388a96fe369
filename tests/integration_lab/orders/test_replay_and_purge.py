# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders that could not be stored are tried again; orders that are too old are deleted."""

from __future__ import annotations

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, BlockedError

from lab.amazon import fixture
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.integration_lab.orders.tables import complete

pytestmark = pytest.mark.lab


def one_order_in_quarantine(world: AmazonWorld) -> str:
    """An import whose one order could not be stored, for a reason that has gone since."""
    order_id = "407-8949262-6149120"
    world.own_tables()
    world.import_orders()
    world.query('DELETE FROM order_items WHERE "externalOrderId" = %s', (order_id,))
    world.query('DELETE FROM orders WHERE "externalOrderId" = %s', (order_id,))
    world.query(
        'INSERT INTO order_import_errors ("tenantId", "externalOrderId", "reasonCode", "field", "runId", "page")'
        " SELECT %s, %s, 'wrong_value', 'proceeds.grandTotal.amount', \"runId\", 1 FROM amazon_backfill_runs",
        (TENANT, order_id),
    )
    world.amazon.admin.clear_requests()
    return order_id


def test_an_order_that_could_not_be_stored_is_asked_for_again_and_stored(world: AmazonWorld) -> None:
    one_order_in_quarantine(world)
    checked = world.import_orders(mode="replay", check_mode=True, role="audit")
    assert [(item.id, item.status, item.action) for item in checked.items] == [
        (f"amazon_orders/{TENANT}/quarantine", "drifted", "update")
    ]
    assert world.calls() == []
    outcome = world.import_orders(mode="replay")
    assert outcome.facts["this_call"]["inserted"] == 1
    assert outcome.facts["waiting"] == 0
    assert [item.status for item in outcome.remaining or ()] == ["in_sync"]
    assert [call["operation"] for call in world.calls() if call["operation"] != "token"] == ["getOrder"]
    assert complete(world)
    assert world.query('SELECT "resolvedAt" IS NOT NULL FROM order_import_errors') == [(True,)]
    assert not world.import_orders(mode="replay").changed


def test_an_order_that_still_cannot_be_stored_waits_on_with_one_attempt_more(world: AmazonWorld) -> None:
    one_order_in_quarantine(world)
    world.query("UPDATE order_import_errors SET \"externalOrderId\" = '999-9999999-9999999'")
    outcome = world.import_orders(mode="replay")
    assert outcome.facts["waiting"] == 1
    assert "does not have 1 of these orders any more" in outcome.warnings[0]
    assert [item.status for item in outcome.remaining or ()] == ["drifted"]


def grant_delete(world: AmazonWorld, *, grant: bool) -> None:
    word, to = ("GRANT", "TO") if grant else ("REVOKE", "FROM")
    world.query(f"{word} DELETE ON orders, order_items {to} keybuzz_repair")


def days_that_keep(world: AmazonWorld, orders: int) -> int:
    """A retention that keeps about the newest so many orders."""
    ((days,),) = world.query(
        'SELECT extract(epoch FROM now() - "orderDate")::int / 86400 FROM orders ORDER BY "orderDate" DESC OFFSET %s'
        " LIMIT 1",
        (orders,),
    )
    return int(days)


def test_orders_older_than_the_retention_go_with_their_lines_and_do_not_come_back(world: AmazonWorld) -> None:
    world.own_tables()
    world.import_orders()
    days = days_that_keep(world, 30)
    ((old,),) = world.query(
        'SELECT count(*) FROM orders WHERE "orderDate" < now() - make_interval(days => %s)', (days,)
    )
    assert 0 < old < fixture.ORDER_COUNT
    checked = world.import_orders(mode="purge", retention_days=days, check_mode=True)
    assert (checked.items[0].status, checked.items[0].action) == ("forbidden_present", "remove")
    assert checked.facts["missing_permissions"] == ["DELETE on table orders", "DELETE on table order_items"]
    with pytest.raises(BlockedError, match="DELETE on table orders"):
        world.import_orders(mode="purge", retention_days=days)
    grant_delete(world, grant=True)
    try:
        outcome = world.import_orders(mode="purge", retention_days=days)
        assert outcome.facts["purged"]["orders"] == old
        assert not world.import_orders(mode="purge", retention_days=days).changed
    finally:
        grant_delete(world, grant=False)
    assert world.query("SELECT count(*) FROM orders") == [(fixture.ORDER_COUNT - old,)]
    assert world.query(
        'SELECT count(*) FROM order_items WHERE "externalOrderId" NOT IN (SELECT "externalOrderId" FROM orders)'
    ) == [(0,)]
    world.amazon.admin.clear_requests()
    assert [item.status for item in world.import_orders(check_mode=True).items] == ["in_sync"]
    assert not world.import_orders().changed
    assert world.calls() == []


def test_a_purge_without_a_retention_is_refused(world: AmazonWorld) -> None:
    with pytest.raises(BadInputError, match="retention_days"):
        world.import_orders(mode="purge")
    with pytest.raises(BadInputError, match="retention_days"):
        world.import_orders(mode="purge", retention_days=0)


@pytest.mark.parametrize("mode", ["purge", "replay"])
def test_a_database_that_was_never_imported_into_is_no_obstacle(world: AmazonWorld, mode: str) -> None:
    world.own_tables()
    world.import_orders()
    world.query("DROP TABLE order_import_errors, amazon_backfill_runs, amazon_quota")
    grant_delete(world, grant=True)
    try:
        outcome = world.import_orders(mode=mode, retention_days=1)
    finally:
        grant_delete(world, grant=False)
    assert [item.status for item in outcome.remaining or outcome.items] == ["in_sync"]
    assert world.query("SELECT count(*) FROM orders") == [(0 if mode == "purge" else fixture.ORDER_COUNT,)]
