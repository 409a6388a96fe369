# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders out of reports: the same rows whatever the document looks like, ids kept before the wait, weaker amounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_sources
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import WaitBudgetSpent

from lab.amazon import fixture, oracle
from tests.integration_lab.amazon_world import TENANT, AmazonWorld, import_process
from tests.integration_lab.orders.tables import complete, forget_runs, stored, versions
from tests.integration_lab.orders.test_interrupted import wait_for

pytestmark = pytest.mark.lab
BORDER = fixture.UNTIL - timedelta(days=60)
"""Where the first report of the window ends and the second begins."""


def as_amazon_has_them(world: AmazonWorld, source: oracle.Source) -> bool:
    """Whether the tables hold exactly what this source says of the orders of the fixture's window."""
    orders = world.amazon.admin.orders(TENANT)
    within = [one for one in orders if fixture.SINCE <= datetime.fromisoformat(one["createdTime"]) <= fixture.UNTIL]
    return stored(world) == oracle.rows_of(within, TENANT, source=source)


def at_once(world: AmazonWorld, **settings: Any) -> None:
    """Amazon makes its reports without delay."""
    world.amazon.admin.reports(queue=0, progress=0, **settings)


def everything_stored(world: AmazonWorld) -> str:
    """All rows of all tables, as text."""
    names = world.query(
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return "".join(str(row) for (name,) in names for row in world.query(f'SELECT to_json(t)::text FROM "{name}" AS t'))


def report_ids(world: AmazonWorld) -> list[str]:
    """The reports that the runs remember."""
    rows = world.query("SELECT part->>'report' FROM amazon_backfill_runs, jsonb_array_elements(state->'parts') AS part")
    return [row[0] for row in rows if row[0]]


def test_ninety_days_are_three_reports_and_the_tables_hold_what_they_say(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_sources, "BULK_PAGE", 7)
    outcome = world.import_orders(source="report")
    assert as_amazon_has_them(world, "report")
    windows = [
        (call["parameters"]["dataStartTime"], call["parameters"]["dataEndTime"]) for call in world.calls("createReport")
    ]
    assert windows == [
        ("2025-10-14T12:00:00Z", "2025-11-13T12:00:00Z"),
        ("2025-11-13T12:00:00Z", "2025-12-13T12:00:00Z"),
        ("2025-12-13T12:00:00Z", "2026-01-12T12:00:00Z"),
    ]
    counts = outcome.facts["counts"]
    assert (counts["fetched"], counts["inserted"], counts["elsewhere"]) == (94, 94, 0)
    assert outcome.facts["source"] == "report"
    assert outcome.facts["pages"] >= 14
    assert outcome.facts["this_call"]["report_seconds"] >= 1
    proof = outcome.facts["completeness"]
    assert (proof["named_by_amazon"], proof["stored"], proof["missing"], proof["doubtful"]) == (94, 94, 0, 0)
    assert world.calls("searchOrders") == []


def test_a_second_run_asks_nothing_and_changes_no_row(world: AmazonWorld) -> None:
    at_once(world)
    world.import_orders(source="report")
    before = versions(world)
    world.amazon.admin.clear_requests()
    again = world.import_orders(source="report")
    assert not again.changed
    assert [item.status for item in again.items] == ["in_sync"]
    assert world.calls() == []
    assert versions(world) == before


@pytest.mark.parametrize(
    "settings",
    [
        {"gzip": False},
        {"element": "OrderReport"},
        {"charset": "ISO-8859-1"},
        {"charset": "windows-31j"},
        {"charset": "ISO-8859-1", "gzip": False, "element": "OrderReport"},
    ],
    ids=str,
)
def test_the_rows_do_not_depend_on_how_a_document_is_written(world: AmazonWorld, settings: dict[str, Any]) -> None:
    at_once(world, **settings)
    world.import_orders(source="report")
    assert as_amazon_has_them(world, "report")
    assert any("ê" in row[0] for row in world.query("SELECT title FROM order_items"))


def test_what_a_document_holds_of_buyers_reaches_no_table_result_message_or_log(world: AmazonWorld) -> None:
    at_once(world, gzip=False)
    world.amazon.admin.inject("document-broken-xml", count=1)
    outcome = world.import_orders(source="report")
    shown = everything_stored(world) + repr(outcome) + world.database.log.read_text(errors="replace")
    assert "407-8949262-6149120" in shown
    assert fixture.CANARY not in shown
    assert "Île-de-France" not in shown


def test_the_access_token_goes_to_no_presigned_address_and_the_address_nowhere(world: AmazonWorld) -> None:
    at_once(world)
    outcome = world.import_orders(source="report")
    # The simulator refuses a download that comes with an access token, as S3 does.
    assert [(call["status"], call["error"]) for call in world.calls("reportDocument")] == [(200, None)] * 3
    signatures = world.amazon.admin.issued()["document_signatures"]
    shown = everything_stored(world) + repr(outcome) + world.database.log.read_text(errors="replace")
    assert len(signatures) >= 3
    assert not [one for one in signatures if one in shown]
    assert "tortuga" not in shown


def test_ids_of_reports_are_stored_before_the_wait_and_used_by_the_next_run(world: AmazonWorld) -> None:
    world.amazon.admin.inject("report-stuck", count=None)
    with pytest.raises(WaitBudgetSpent, match="Amazon prepares report 1 of 3, it is in the queue"):
        world.import_orders(source="report", wait_budget=0.5)
    ids = report_ids(world)
    assert len(set(ids)) == 3
    assert world.query("SELECT status, pages FROM amazon_backfill_runs") == [("RUNNING", 0)]
    checked = world.import_orders(source="report", check_mode=True)
    assert (checked.items[0].status, checked.items[0].action) == ("drifted", "update")
    world.amazon.admin.clear()
    world.amazon.admin.clear_requests()
    outcome = world.import_orders(source="report")
    assert outcome.facts["resumed"] is True
    assert world.calls("createReport") == []
    assert report_ids(world) == ids
    assert as_amazon_has_them(world, "report")


def test_an_import_killed_while_amazon_works_asks_for_no_report_again(world: AmazonWorld) -> None:
    world.own_tables()
    world.amazon.admin.inject("report-stuck", count=None)
    process = import_process(world.import_params(source="report"))
    wait_for(lambda: len(report_ids(world)) == 3 and bool(world.calls("getReport")))
    process.kill()
    process.wait()
    wait_for(lambda: not world.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"))
    world.amazon.admin.clear()
    world.import_orders(source="report")
    assert len(world.calls("createReport")) == 3
    assert as_amazon_has_them(world, "report")


def test_an_import_that_ends_within_a_document_goes_on_behind_the_last_stored_page(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_sources, "BULK_PAGE", 5)
    at_once(world, gzip=False)
    world.amazon.admin.inject("document-truncated", count=1, skip=1)
    with pytest.raises(WaitBudgetSpent, match="the download broke off"):
        world.import_orders(source="report", wait_budget=0)
    ((fetched, done),) = world.query(
        "SELECT (counters->>'fetched')::int, (state->'parts'->1->>'done')::int FROM amazon_backfill_runs"
    )
    assert done >= 5
    assert done < fetched < 94
    outcome = world.import_orders(source="report")
    assert outcome.facts["this_call"]["fetched"] == 94 - fetched
    assert outcome.facts["completeness"]["named_by_amazon"] == 94
    assert outcome.facts["completeness"]["doubtful"] == 0
    assert len(world.calls("createReport")) == 3
    assert as_amazon_has_them(world, "report")


@pytest.mark.parametrize("size", [3, 2000])
def test_orders_on_the_border_of_two_reports_are_neither_lost_nor_counted_twice(
    world: AmazonWorld, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(orders_sources, "BULK_PAGE", size)
    at_once(world)
    for border, seed in ((BORDER, 7), (fixture.SINCE, 8), (fixture.UNTIL, 9)):
        world.amazon.admin.generate_orders(TENANT, 4, start=border, end=border, seed=seed)
    outcome = world.import_orders(source="report")
    assert as_amazon_has_them(world, "report")
    counts, proof = outcome.facts["counts"], outcome.facts["completeness"]
    assert (counts["inserted"], counts["unchanged"], counts["fetched"]) == (106, 4, 110)
    assert (proof["named_by_amazon"], proof["stored"], proof["missing"], proof["doubtful"]) == (106, 106, 0, 0)
    assert outcome.facts["order_count"] == 106


def test_orders_on_a_border_are_counted_once_by_two_runs_as_well(world: AmazonWorld) -> None:
    at_once(world)
    world.amazon.admin.generate_orders(TENANT, 4, start=BORDER, end=BORDER, seed=7)
    # The second report is asked for and not made, so that the run stops between the two that share the border.
    world.amazon.admin.inject("report-stuck", count=1, operation="createReport", skip=1)
    with pytest.raises(WaitBudgetSpent, match="report 2 of 3"):
        world.import_orders(source="report", wait_budget=0.5)
    world.amazon.admin.clear()
    proof = world.import_orders(source="report").facts["completeness"]
    assert proof["stored"] == 98
    assert proof["named_by_amazon"] + proof["doubtful"] >= 98
    assert (proof["missing"], proof["named_by_amazon"]) == (0, 98)


def test_an_empty_window_is_one_cancelled_report_and_one_question_to_the_orders_api(world: AmazonWorld) -> None:
    at_once(world)
    empty = {"source": "report", "until": "2025-09-01T00:00:00Z", "days": 30}
    outcome = world.import_orders(**empty)
    assert (outcome.facts["order_count"], outcome.facts["counts"]["fetched"]) == (0, 0)
    assert outcome.facts["completeness"]["named_by_amazon"] == 0
    (asked,) = world.calls("searchOrders")
    assert (asked["rows"], asked["parameters"]["maxResultsPerPage"]) == (0, "1")
    assert len(world.calls("createReport")) == 1
    assert world.calls("getReportDocument") == []
    world.amazon.admin.clear_requests()
    again = world.import_orders(**empty)
    assert [item.status for item in again.items] == ["in_sync"]
    assert not again.changed
    assert world.calls() == []


def rows_of_orders(world: AmazonWorld) -> list[tuple[Any, ...]]:
    """Every row's version and place, of the product's tables alone."""
    return [row for row in versions(world) if row[0] in {"o", "i"}]


@pytest.mark.parametrize("given", [{}, {"days": 89}], ids=["same window", "another window"])
def test_a_reports_sum_never_overwrites_the_grand_total_of_the_same_version(
    world: AmazonWorld, given: dict[str, Any]
) -> None:
    at_once(world)
    # Whole seconds, so that a report names the very same version.
    world.import_orders(source="search")
    world.query('UPDATE orders SET "lastUpdatedAt" = date_trunc(\'second\', "lastUpdatedAt")')
    before, rows = rows_of_orders(world), stored(world)
    counts = world.import_orders(source="report", **given).facts["counts"]
    assert rows_of_orders(world) == before
    assert stored(world) == rows
    assert counts["unchanged"] == counts["fetched"] > 85
    assert (counts["inserted"], counts["updated"], counts["stale"]) == (0, 0, 0)
    assert {row[0] for row in world.query('SELECT "amountBasis" FROM orders')} == {"GRAND_TOTAL", None}


def test_a_report_is_stale_against_a_version_that_is_a_millisecond_newer(world: AmazonWorld) -> None:
    at_once(world)
    world.import_orders(source="search")
    world.query(
        "UPDATE orders SET \"lastUpdatedAt\" = date_trunc('second', \"lastUpdatedAt\") + interval '1 millisecond'"
    )
    before = rows_of_orders(world)
    facts = world.import_orders(source="report").facts
    assert (facts["counts"]["stale"], facts["counts"]["unchanged"]) == (94, 0)
    assert facts["counts"]["items_stale"] == 117
    assert facts["completeness"]["missing"] == 0
    assert rows_of_orders(world) == before


def test_a_newer_version_out_of_a_report_does_replace_the_row(world: AmazonWorld) -> None:
    at_once(world)
    world.import_orders(source="search")
    order_id = "407-8949262-6149120"
    world.amazon.admin.change_order(TENANT, order_id, "CANCELLED", at=datetime(2026, 1, 12, 15, tzinfo=UTC))
    counts = world.import_orders(source="report").facts["counts"]
    assert (counts["updated"], counts["fetched"]) == (1, 94)
    assert counts["stale"] + counts["unchanged"] == 93
    (row,) = [one for one in stored(world)[0] if one["externalOrderId"] == order_id]
    expected = oracle.rows_of(world.amazon.admin.orders(TENANT), TENANT, source="report")[0]
    assert row in expected
    assert row["orderStatus"] == "CANCELLED"


def test_a_grand_total_replaces_what_a_report_said_of_the_same_order(world: AmazonWorld) -> None:
    at_once(world)
    world.import_orders(source="report")
    world.import_orders(source="search")
    assert complete(world)


def test_a_report_read_anew_with_restart_leaves_the_rows_as_they_are(world: AmazonWorld) -> None:
    at_once(world)
    world.import_orders(source="report")
    before = rows_of_orders(world)
    forget_runs(world)
    world.amazon.admin.inject("report-stuck", count=None)
    with pytest.raises(WaitBudgetSpent):
        world.import_orders(source="report", wait_budget=0)
    world.amazon.admin.clear()
    facts = world.import_orders(source="report", restart=True).facts
    assert (facts["resumed"], facts["counts"]["unchanged"]) == (False, 94)
    assert rows_of_orders(world) == before
    assert len({*report_ids(world)}) == 6
