# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault that Amazon's simulator knows, in one table: what an import makes of it, and that nothing is lost after.

Then orders that change, credentials that end and clocks that differ while an import runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, UnexpectedAnswerError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_asking
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import WaitBudgetSpent
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi import lwa, source_report
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.answers import (
    AccessRefused,
    BadRequest,
    PageTokenRefused,
    Unavailable,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.lwa import (
    InvalidClient,
    InvalidGrant,
    LwaUnavailable,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.source_report import ReportFailed

from lab.amazon import faults, fixture, oracle
from tests.integration_lab.amazon_world import TENANT, AmazonWorld
from tests.integration_lab.orders.tables import complete, forget_runs
from tests.integration_lab.orders.test_reports import as_amazon_has_them, at_once, everything_stored

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Case:
    """One fault.

    :param once: it happens once and the run is complete; extra calls of ``operation`` that this costs.
    :param fails: of a fault that does not end, how the run ends; ``None``: it is complete all the same.
    :param says: what its message says.
    """

    operation: str | None
    once: int
    fails: type[KeybuzzError] | None
    says: str = ""
    source: oracle.Source = "search"
    skip: int = 0
    seconds: float = 0.0


SECOND = Case("searchOrders", 1, Unavailable, "", skip=1)
PAGE = replace(SECOND, skip=0)
LWA = Case("token", 1, LwaUnavailable)
REPORT = Case("createReport", 0, ReportFailed, source="report")
DOCUMENT = Case("reportDocument", 1, Unavailable, source="report")

CASES: dict[str, Case] = {
    "revoked-token": replace(LWA, once=-1, fails=InvalidGrant, says="invalid_grant.*amazon_tenant_connect"),
    "invalid-client": replace(LWA, once=-1, fails=InvalidClient, says="invalid_client.*vault_amazon_app_creds"),
    "unauthorized-client": replace(LWA, once=-1, fails=KeybuzzError, says="unauthorized_client"),
    "lwa-503-html": replace(LWA, says="HTTP 503"),
    "lwa-truncated": replace(LWA, says="asking for a token"),
    "lwa-429": replace(LWA, says="HTTP 429"),
    "lwa-slow": replace(LWA, says="asking for a token", seconds=0.8),
    "lwa-500-json": replace(LWA, says="HTTP 500"),
    "throttle-storm": replace(SECOND, fails=WaitBudgetSpent, says="usage plan .searchOrders"),
    "forbidden-403": replace(SECOND, fails=AccessRefused, says=r"Unauthorized \(HTTP 403\).*roles, that region"),
    "internal-500": replace(SECOND, says=r"InternalFailure \(HTTP 500\)"),
    "http-401": replace(SECOND, fails=AccessRefused, says="HTTP 401"),
    "wrong-400": replace(SECOND, once=-1, fails=BadRequest, says=r"InvalidInput \(HTTP 400\).*by its own fault"),
    "quota-429-with-retry-after": replace(SECOND, fails=WaitBudgetSpent, says="usage plan .searchOrders"),
    "gateway-504": replace(SECOND, says="HTTP 504 without one of the API's error codes"),
    "not-json-200": replace(SECOND, says="HTTP 200 with a body that is cut or not JSON"),
    "http-413": replace(SECOND, once=-1, fails=BadRequest, says=r"RequestTooLarge \(HTTP 413\)"),
    "html-503": replace(SECOND, says="HTTP 503"),
    "html-429": replace(SECOND, fails=WaitBudgetSpent, says="usage plan .searchOrders"),
    "slow": replace(SECOND, says="no answer within 0.5 s", seconds=0.8),
    "reset": replace(SECOND, says="the connection failed"),
    "truncated-200": replace(SECOND, says="a body that is cut or not JSON"),
    "missing-payload-key": replace(SECOND, says="no 'orders' in its answer"),
    "repeated-page": replace(PAGE, once=-1, fails=UnexpectedAnswerError, says="a second time, which would never end"),
    "duplicate-rows": replace(PAGE, once=0, fails=None),
    "expired-page-token": replace(PAGE, once=2, fails=PageTokenRefused, says="the page token was not accepted"),
    "moved-between-pages": replace(PAGE, once=0, fails=None),
    "out-of-order": replace(PAGE, once=0, fails=None),
    "missing-total": replace(PAGE, once=0, fails=None),
    "unknown-status": replace(PAGE, once=0, fails=None),
    "unknown-fields": replace(PAGE, once=0, fails=None),
    "report-fatal": replace(REPORT, once=-1, says=r"\(FATAL\), explaining: The report could not be generated"),
    "report-fatal-unexplained": replace(REPORT, once=-1, says=r"\(FATAL\), without an explanation"),
    "report-cancelled": replace(REPORT, once=1, says="cancels it, although the Orders API has orders"),
    "report-stuck": replace(REPORT, once=-1, fails=WaitBudgetSpent, says="Amazon prepares report 1 of 3"),
    "document-expired": replace(DOCUMENT, says="HTTP 403"),
    "document-reset": replace(DOCUMENT, says="the connection failed"),
    "document-truncated": replace(DOCUMENT, fails=ReportFailed, says="its gzip ends too early"),
    "document-slow": replace(DOCUMENT, says="no (data|answer) within 0.5 s", seconds=0.8),
    "document-html-503": replace(DOCUMENT, says="HTTP 503"),
    "document-corrupt-gzip": replace(DOCUMENT, fails=ReportFailed, says="its gzip"),
    "document-broken-xml": replace(DOCUMENT, fails=ReportFailed, says="its XML is cut or broken"),
    "document-duplicate-orders": replace(DOCUMENT, once=0, fails=None),
    "document-other-marketplace": replace(DOCUMENT, once=0, fails=None),
}
# What Amazon says of an order is then not what the oracle says: they have a test of their own below.
OTHER_ROWS = {"missing-total", "unknown-status"}
CALLS = {"searchOrders": 3, "token": 1, "createReport": 3, "reportDocument": 3}


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tries of everything, and hardly a pause between them."""
    monkeypatch.setattr(orders_asking, "FAILURES", 2)
    monkeypatch.setattr(orders_asking, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(lwa, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(lwa, "TRIES", 2)
    monkeypatch.setattr(source_report, "TRIES", 2)


def run(world: AmazonWorld, case: Case, **given: Any) -> Outcome:
    size = {"page_size": 40} if case.source == "search" else {}
    timeout = 0.5 if case.seconds else 5
    return world.import_orders(source=case.source, **{"amazon_timeout": timeout, "wait_budget": 2, **size, **given})


def test_the_table_covers_every_fault_there_is() -> None:
    assert set(CASES) == set(faults.NAMES)


def says_nothing_secret(world: AmazonWorld, shown: str) -> bool:
    issued = [value for values in world.amazon.admin.issued().values() for value in values]
    rows = world.query('SELECT "pageToken" FROM amazon_backfill_runs') if table_is_there(world) else []
    tokens = [row[0] for row in rows if row[0]]
    secrets = [*issued, *tokens, world.amazon.client_secret, world.amazon.refresh_tokens[TENANT], fixture.CANARY]
    return not any(secret in shown for secret in secrets)


def table_is_there(world: AmazonWorld) -> bool:
    return world.query("SELECT to_regclass('amazon_backfill_runs') IS NOT NULL") == [(True,)]


@pytest.mark.parametrize("name", sorted(name for name, case in CASES.items() if case.once >= 0))
def test_a_fault_that_happens_once_costs_a_few_calls_and_nothing_else(world: AmazonWorld, name: str) -> None:
    case = CASES[name]
    world.own_tables()
    at_once(world)
    world.amazon.admin.inject(name, count=1, operation=case.operation, skip=case.skip, seconds=case.seconds)
    outcome = run(world, case, wait_budget=10)
    assert any(call["fault"] == name for call in world.calls())
    assert case.operation is not None
    assert len(world.calls(case.operation)) == CALLS[case.operation] + case.once
    if name not in OTHER_ROWS:
        assert as_amazon_has_them(world, case.source)
    assert outcome.facts["completeness"]["missing"] == 0
    assert outcome.facts["order_count"] == 94
    assert says_nothing_secret(world, repr(outcome))
    world.amazon.admin.clear_requests()
    assert not run(world, case).changed
    assert world.calls() == []


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_fault_that_stays_ends_as_the_table_says_and_the_next_run_is_complete(world: AmazonWorld, name: str) -> None:
    case = CASES[name]
    world.own_tables()
    at_once(world)
    world.amazon.admin.inject(name, count=None, operation=case.operation, skip=case.skip, seconds=case.seconds)
    if case.fails is None:
        run(world, case)
    else:
        with pytest.raises(case.fails) as caught:
            run(world, case)
        message = str(caught.value)
        assert re.search(case.says, message), message
        assert says_nothing_secret(world, message + repr(getattr(caught.value, "outcome", "")))
        assert "<html" not in message
    world.amazon.admin.clear()
    if name in OTHER_ROWS:
        # The run was complete: the same versions come whole when the window is read anew.
        forget_runs(world)
    run(world, case)
    assert as_amazon_has_them(world, case.source)
    assert fixture.CANARY not in everything_stored(world)


def test_orders_without_a_total_and_of_a_status_nobody_knows_are_stored_as_they_are(world: AmazonWorld) -> None:
    world.own_tables()
    world.amazon.admin.inject("missing-total", count=None)
    world.import_orders(source="search")
    assert world.query('SELECT count(*), count("totalAmount"), count("amountBasis") FROM orders') == [(94, 0, 0)]
    world.amazon.admin.clear()
    world.amazon.admin.inject("unknown-status", count=None)
    forget_runs(world)
    facts = world.import_orders(source="search").facts
    assert facts["by_status"]["AWAITING_DRONE"] == 32
    assert facts["completeness"]["by_status_named"]["AWAITING_DRONE"] == 32
    world.amazon.admin.clear()
    forget_runs(world)
    world.import_orders(source="search")
    assert complete(world)
