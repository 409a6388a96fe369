# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon's bad days: nothing is lost, nothing is taken for a last page, and waits have an end."""

from __future__ import annotations

import time

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    ForbiddenError,
    KeybuzzError,
    UnexpectedAnswerError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_asking
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import WaitBudgetSpent
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import InvalidClient, InvalidGrant

from lab import seed
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.integration_lab.orders.tables import complete, forget_runs

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    "fault", ["truncated-200", "missing-payload-key", "html-503", "internal-500", "reset", "http-401", "html-429"]
)
def test_one_bad_answer_on_the_second_page_loses_nothing(world: AmazonWorld, fault: str) -> None:
    world.own_tables()
    world.amazon.admin.inject(fault, count=1, operation="searchOrders", skip=1)
    outcome = world.import_orders(page_size=50)
    assert complete(world)
    assert outcome.facts["counts"]["inserted"] == 94
    assert len(world.calls("searchOrders")) == 3


@pytest.mark.parametrize("fault", ["truncated-200", "missing-payload-key", "html-503"])
def test_an_answer_that_stays_bad_fails_the_run_and_never_ends_it_early(
    world: AmazonWorld, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_asking, "FAILURES", 2)
    world.own_tables()
    world.amazon.admin.inject(fault, count=None, operation="searchOrders", skip=1)
    with pytest.raises(UnreachableError):
        world.import_orders(page_size=50)
    assert world.query("SELECT status, pages FROM amazon_backfill_runs") == [("RUNNING", 1)]
    assert world.import_orders(check_mode=True, page_size=50).items[0].status == "drifted"
    world.amazon.admin.clear()
    assert world.import_orders(page_size=50).facts["resumed"] is True
    assert complete(world)


def test_a_throttle_storm_is_waited_out_and_the_waits_are_counted(world: AmazonWorld) -> None:
    world.own_tables()
    world.amazon.admin.inject("throttle-storm", count=3, operation="searchOrders", skip=1)
    outcome = world.import_orders(page_size=50)
    assert complete(world)
    assert outcome.facts["this_call"]["calls"] == 5
    assert outcome.facts["this_call"]["throttled_seconds"] >= 0.6


def test_a_storm_longer_than_the_budget_fails_and_the_next_run_goes_on(world: AmazonWorld) -> None:
    world.own_tables()
    world.amazon.admin.inject("throttle-storm", count=None, operation="searchOrders", skip=1)
    started = time.monotonic()
    with pytest.raises(WaitBudgetSpent, match="raise wait_budget"):
        world.import_orders(page_size=50, wait_budget=1)
    assert time.monotonic() - started < 8
    world.amazon.admin.clear()
    assert world.import_orders(page_size=50).facts["this_call"]["fetched"] == 44
    assert complete(world)


def test_a_new_process_does_not_believe_that_it_owns_a_full_bucket(world: AmazonWorld) -> None:
    world.import_orders(page_size=50)
    ((tokens, rate),) = world.query("SELECT tokens, rate FROM amazon_quota")
    assert 18 <= tokens < 18.1
    assert rate == 0.0056
    forget_runs(world)
    world.query('UPDATE amazon_quota SET tokens = 0.2, "updatedAt" = now()')
    world.amazon.admin.clear_requests()
    with pytest.raises(WaitBudgetSpent, match=r"another 1[45]\d s are needed"):
        world.import_orders(wait_budget=10)
    assert world.calls("searchOrders") == []


def test_a_token_is_taken_before_the_call_even_if_the_call_fails(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_asking, "FAILURES", 1)
    world.amazon.admin.inject("internal-500", count=None, operation="searchOrders")
    with pytest.raises(UnreachableError):
        world.import_orders()
    assert world.query("SELECT round(tokens::numeric) FROM amazon_quota") == [(19,)]


def test_a_page_token_that_repeats_is_an_error_and_not_an_endless_loop(world: AmazonWorld) -> None:
    world.own_tables()
    world.amazon.admin.inject("repeated-page", count=None)
    with pytest.raises(UnexpectedAnswerError, match="a second time"):
        world.import_orders(page_size=50)
    assert len(world.calls("searchOrders")) == 2


def test_rows_that_come_twice_are_counted_and_stored_once(world: AmazonWorld) -> None:
    world.own_tables()
    world.amazon.admin.inject("duplicate-rows", count=None)
    counts = world.import_orders(page_size=20).facts["counts"]
    assert complete(world)
    assert counts["inserted"] == 94
    assert counts["unchanged"] > 0
    assert counts["fetched"] == counts["inserted"] + counts["unchanged"]


def test_an_older_version_of_an_order_never_overwrites_a_newer_one(world: AmazonWorld) -> None:
    world.import_orders()
    forget_runs(world)
    world.query(
        'UPDATE orders SET "lastUpdatedAt" = now(), "orderStatus" = %s WHERE "externalOrderId" LIKE %s',
        ("RETURNED", "408-%"),
    )
    ((newer,),) = world.query("SELECT count(*) FROM orders WHERE \"orderStatus\" = 'RETURNED'")
    counts = world.import_orders().facts["counts"]
    assert counts["stale"] == newer > 0
    assert counts["unchanged"] == 94 - newer
    assert counts["items_stale"] + counts["items_unchanged"] == counts["items_fetched"]
    assert world.query("SELECT count(*) FROM orders WHERE \"orderStatus\" = 'RETURNED'") == [(newer,)]


def test_an_order_that_changed_is_updated_and_lines_it_lost_are_left_and_counted(world: AmazonWorld) -> None:
    world.import_orders()
    forget_runs(world)
    order_id = "407-8949262-6149120"
    world.amazon.admin.change_order(TENANT, order_id, "CANCELLED")
    world.query(
        'INSERT INTO order_items ("tenantId", "externalOrderId", "externalItemId", "quantityOrdered", "lineStatus")'
        " VALUES (%s, %s, 'gone', 1, 'ACTIVE')",
        (TENANT, order_id),
    )
    outcome = world.import_orders()
    counts = outcome.facts["counts"]
    assert (counts["updated"], counts["unchanged"], counts["items_left"]) == (1, 93, 1)
    assert "may not DELETE" in outcome.warnings[0]
    assert world.query('SELECT "orderStatus" FROM orders WHERE "externalOrderId" = %s', (order_id,)) == [("CANCELLED",)]
    world.query("GRANT DELETE ON order_items TO keybuzz_repair")
    try:
        forget_runs(world)
        world.amazon.admin.change_order(TENANT, order_id, "SHIPPED")
        assert world.import_orders().facts["counts"]["items_removed"] == 1
    finally:
        world.query("REVOKE DELETE ON order_items FROM keybuzz_repair")


def test_a_revoked_token_is_the_sellers_matter(world: AmazonWorld) -> None:
    world.amazon.admin.seller(TENANT, revoked=True)
    with pytest.raises(InvalidGrant, match="amazon_tenant_connect"):
        world.import_orders()
    assert world.calls("searchOrders") == []


def test_refused_credentials_are_the_applications_matter(world: AmazonWorld) -> None:
    world.amazon.admin.inject("invalid-client", count=None)
    with pytest.raises(InvalidClient, match="vault_amazon_app_creds"):
        world.import_orders()


def test_a_403_says_role_or_region(world: AmazonWorld) -> None:
    world.amazon.admin.inject("forbidden-403", count=None)
    with pytest.raises(ForbiddenError, match="roles, that region and marketplace_id"):
        world.import_orders()
    assert len(world.calls("searchOrders")) == 1


def test_a_400_on_the_first_page_is_not_taken_for_a_dead_page_token(world: AmazonWorld) -> None:
    world.amazon.admin.inject("wrong-400", count=None, operation="searchOrders")
    with pytest.raises(UnexpectedAnswerError, match=r"InvalidInput \(HTTP 400\)"):
        world.import_orders()
    assert len(world.calls("searchOrders")) == 1


def test_a_server_that_is_not_trusted_gets_no_token(world: AmazonWorld) -> None:
    with pytest.raises(UnreachableError, match="certificate was not accepted"):
        world.import_orders(amazon_ca_cert=str(world.vault.ca_file))
    assert world.calls() == []


def test_settings_of_the_environment_do_not_reach_the_library(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SP_API_DEFAULT_MARKETPLACE", "NOWHERE")
    monkeypatch.setenv("AWS_ENV", "SANDBOX")
    monkeypatch.setenv("LWA_APP_ID", "another")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    world.import_orders()
    assert complete(world)


def test_a_tenant_without_a_document_is_sent_to_the_step_before(world: AmazonWorld) -> None:
    world.kv().delete_metadata_and_all_versions(seed.TENANT_PATH.format(tenant=TENANT), mount_point=seed.MOUNT)
    with pytest.raises(KeybuzzError, match="amazon_tenant_connect"):
        world.import_orders()
    assert world.query("SELECT count(*) FROM amazon_backfill_runs") == [(0,)]
