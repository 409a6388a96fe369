# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes while an import runs: orders, page tokens, consent, access tokens, and clocks that differ."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_asking, orders_sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import WaitBudgetSpent
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_import import NotComplete
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import (
    BadRequest,
    PageTokenRefused,
    TooRecent,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import InvalidGrant

from lab import seed
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.integration_lab.orders.tables import complete
from tests.integration_lab.orders.test_reports import as_amazon_has_them, at_once

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("page_size", [10, 40])
def test_an_order_that_is_updated_between_two_pages_ends_in_its_newest_version(
    world: AmazonWorld, page_size: int
) -> None:
    world.own_tables()
    world.amazon.admin.inject("moved-between-pages", count=None)
    outcome = world.import_orders(source="search", page_size=page_size)
    assert as_amazon_has_them(world, "search")
    counts, proof = outcome.facts["counts"], outcome.facts["completeness"]
    assert counts["updated"] >= 1
    assert counts["inserted"] == 94
    assert counts["fetched"] == counts["inserted"] + counts["updated"] + counts["unchanged"]
    assert (proof["named_by_amazon"], proof["missing"], proof["doubtful"]) == (94, 0, 0)


def test_pages_in_no_order_are_complete_and_counted_once_also_across_two_runs(world: AmazonWorld) -> None:
    world.own_tables()
    world.amazon.admin.inject("throttle-storm", count=None, operation="searchOrders", skip=4)
    with pytest.raises(WaitBudgetSpent):
        world.import_orders(source="search", page_size=10, wait_budget=0)
    world.amazon.admin.clear()
    world.amazon.admin.inject("out-of-order", count=None)
    outcome = world.import_orders(source="search", page_size=10)
    assert as_amazon_has_them(world, "search")
    proof = outcome.facts["completeness"]
    assert (proof["named_by_amazon"], proof["stored"], proof["missing"], proof["doubtful"]) == (94, 94, 0, 0)


def test_a_page_token_that_expires_in_mid_run_restarts_the_window_once(world: AmazonWorld) -> None:
    world.own_tables()
    world.amazon.admin.inject("expired-page-token", count=1, operation="searchOrders", skip=3)
    outcome = world.import_orders(source="search", page_size=10)
    assert as_amazon_has_them(world, "search")
    counts = outcome.facts["counts"]
    assert (counts["fetched"], counts["inserted"] + counts["unchanged"]) == (94, 94)
    assert (counts["inserted"], counts["unchanged"]) == (54, 40)
    assert world.query("SELECT restarts FROM amazon_backfill_runs") == [(1,)]
    assert outcome.facts["completeness"]["named_by_amazon"] == 94


def test_a_400_by_amazons_own_fault_touches_neither_the_tenants_row_nor_his_document(world: AmazonWorld) -> None:
    path = seed.TENANT_PATH.format(tenant=TENANT)

    def held() -> tuple[Any, Any]:
        found = world.kv().read_secret_version(path, mount_point=seed.MOUNT, raise_on_deleted_version=True)
        return found["data"], world.query("SELECT *, xmin::text FROM tenants ORDER BY 1")

    before = held()
    world.amazon.admin.inject("wrong-400", count=None)
    with pytest.raises(BadRequest, match=r"by its own fault for hours\. Run again later") as caught:
        world.import_orders(source="search")
    assert not isinstance(caught.value, PageTokenRefused)
    assert held() == before
    assert world.query("SELECT status, pages, restarts FROM amazon_backfill_runs") == [("RUNNING", 0, 0)]
    world.amazon.admin.clear()
    world.import_orders(source="search")
    assert complete(world)
    assert held() == before


def between_pages(monkeypatch: pytest.MonkeyPatch, page: int, what: Callable[[], object]) -> None:
    """Have something happen in the world before this call of Amazon (the first is 1)."""
    ask, calls = orders_asking.Asking.get, []

    def get(self: orders_asking.Asking, *given: Any, **named: Any) -> Any:
        calls.append(given)
        if len(calls) == page:
            what()
        return ask(self, *given, **named)

    monkeypatch.setattr(orders_asking.Asking, "get", get)


@pytest.mark.parametrize("source", ["search", "report"])
def test_consent_that_is_withdrawn_in_mid_run_asks_for_a_new_one_and_goes_on_after_it(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    world.own_tables()
    at_once(world)
    monkeypatch.setattr(orders_sources, "BULK_PAGE", 10)
    given: dict[str, Any] = {"source": source, "page_size": 10}
    with monkeypatch.context() as patched:
        # A report's first document is read by two calls.
        between_pages(patched, 4, lambda: world.amazon.admin.seller(TENANT, revoked=True))
        with pytest.raises(InvalidGrant, match="amazon_tenant_connect") as caught:
            world.import_orders(**given)
    outcome: Outcome = caught.value.outcome  # type: ignore[attr-defined]
    (item,) = outcome.items
    assert (item.action, item.status) == ("reauthorize", "blocked")
    assert "authorization ended" in item.reason
    assert "Then run again: the import goes on where it was." in item.hint
    assert outcome.changed
    read = world.query("SELECT count(*) FROM orders")[0][0]
    assert 0 < read < 94
    # The seller consents again.
    world.amazon.admin.seller(TENANT, revoked=False)
    world.amazon.admin.clear_requests()
    again = world.import_orders(**given)
    assert again.facts["resumed"] is True
    assert again.facts["this_call"]["fetched"] == 94 - read
    assert world.calls("createReport") == []
    assert as_amazon_has_them(world, "search" if source == "search" else "report")


def test_an_access_token_that_expires_in_mid_run_is_refreshed_without_a_word(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.own_tables()
    between_pages(monkeypatch, 4, lambda: world.amazon.admin.clock(advance=3700))
    outcome = world.import_orders(source="search", page_size=10)
    assert as_amazon_has_them(world, "search")
    assert outcome.warnings == ()
    assert len(world.calls("token")) == 2
    assert [call["status"] for call in world.calls("searchOrders")].count(403) == 1


def test_a_clock_ten_minutes_behind_amazons_makes_no_difference(world: AmazonWorld) -> None:
    world.amazon.admin.clock(offset=600)
    now = datetime.now(UTC)
    world.amazon.admin.generate_orders(
        TENANT, 30, start=now - timedelta(days=9), end=now - timedelta(hours=1), replace=True
    )
    outcome = world.import_orders(source="search", until=None, days=10)
    assert outcome.facts["counts"]["inserted"] == 30


@pytest.mark.parametrize("given", [{"until": None}, {"until": "recent"}], ids=["no until", "until"])
def test_a_clock_ten_minutes_ahead_of_amazons_is_told_by_the_two_minute_rule(
    world: AmazonWorld, given: dict[str, Any]
) -> None:
    if given["until"]:
        recent = (datetime.now(UTC) - timedelta(minutes=3)).replace(microsecond=0)
        given = {"until": recent.isoformat().replace("+00:00", "Z")}
    world.amazon.admin.clock(offset=-600)
    with pytest.raises(TooRecent, match=r"ends less than two minutes ago.*check this host's clock"):
        world.import_orders(source="search", days=10, **given)
    assert world.query("SELECT status, pages FROM amazon_backfill_runs") == [("RUNNING", 0)]
    world.amazon.admin.clock(offset=0)
    world.import_orders(source="search", days=10, **given)
    assert world.query("SELECT status FROM amazon_backfill_runs") == [("COMPLETED",)]


def test_a_report_that_ends_in_amazons_future_is_told_by_our_clock(world: AmazonWorld) -> None:
    at_once(world)
    world.amazon.admin.clock(offset=-600)
    with pytest.raises(BadRequest, match=r"InvalidInput \(HTTP 400\).*check this host's clock"):
        world.import_orders(source="report", until=None, days=10)
    world.amazon.admin.clock(offset=0)
    world.import_orders(source="report", until=None, days=10)
    assert world.query("SELECT status FROM amazon_backfill_runs") == [("COMPLETED",)]


@pytest.mark.parametrize("source", ["search", "report"])
def test_rows_that_somebody_deletes_meanwhile_are_missed_by_the_proof_and_read_again(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    world.own_tables()
    at_once(world)
    monkeypatch.setattr(orders_sources, "BULK_PAGE", 10)
    given: dict[str, Any] = {"source": source, "page_size": 10}
    with monkeypatch.context() as patched:
        between_pages(patched, 4, lambda: world.query("TRUNCATE order_items, orders"))
        with pytest.raises(
            NotComplete, match=r"Amazon named 94 orders and \d+ of them are not in the table \(\d+ of 2"
        ):
            world.import_orders(**given)
    assert world.query("SELECT status, pages FROM amazon_backfill_runs") == [("RUNNING", 0)]
    world.import_orders(**given)
    assert as_amazon_has_them(world, "search" if source == "search" else "report")


def test_rows_that_vanish_while_a_report_is_waited_for_are_read_again(world: AmazonWorld) -> None:
    at_once(world)
    world.amazon.admin.inject("report-stuck", count=1, operation="createReport", skip=1)
    with pytest.raises(WaitBudgetSpent):
        world.import_orders(source="report", wait_budget=0.5)
    world.query('DELETE FROM order_items WHERE "externalOrderId" IN (SELECT "externalOrderId" FROM orders LIMIT 5)')
    world.amazon.admin.clear()
    world.import_orders(source="report")
    assert as_amazon_has_them(world, "report")


def test_an_order_that_changes_behind_its_report_is_caught_up_with(world: AmazonWorld) -> None:
    at_once(world)
    world.import_orders(source="report")
    order_id = "407-8949262-6149120"
    world.amazon.admin.change_order(TENANT, order_id, "CANCELLED", at=datetime.now(UTC) - timedelta(minutes=5))
    world.import_orders(mode="catch_up")
    status = 'SELECT "orderStatus" FROM orders WHERE "externalOrderId" = %s'
    assert world.query(status, (order_id,)) == [("CANCELLED",)]


def test_buckets_go_by_the_clock_of_postgresql_and_not_by_ours(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.own_tables()
    world.query('UPDATE amazon_quota SET tokens = 0, rate = 0.01, "updatedAt" = now()')
    # A host that lives an hour ahead would think that the bucket is full.
    ahead = orders_asking.time.time
    monkeypatch.setattr(orders_asking.time, "time", lambda: ahead() + 3600)
    with pytest.raises(WaitBudgetSpent, match=r"another (9\d|10\d) s are needed"):
        world.import_orders(source="search", wait_budget=1)
    assert world.calls("searchOrders") == []
    drift = world.query('SELECT extract(epoch FROM now() - "updatedAt") FROM amazon_quota')[0][0]
    assert abs(float(drift)) < 5
