# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at many tenants' orders sees of each what a look at him alone does, with a few queries for all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    amazon_orders_backfill,
    orders_batch,
    orders_prediction,
    orders_stream,
    tenant_names,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import Call, store_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection, lock, tables
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.sessions import Sessions

from tests.integration_lab.amazon_world import FRANCE, AmazonWorld

from .drawn_tenants import NOW, UNTIL, Draw, forget

pytestmark = pytest.mark.lab
TENANTS = 90
AGO = re.compile(r"last seen \d+ s ago|connected since [^)]*")
MODES = ("backfill", "catch_up", "reconcile")
LATEST = {"until": None}
ASKED: tuple[dict[str, Any], ...] = (
    *({}, LATEST, {"source": "report"}, {"restart": True}, {"days": 30}, {"marketplace_id": FRANCE}),
)


def options(world: AmazonWorld, role: str = "audit", **given: Any) -> dict[str, Any]:
    params = world.import_params(role, **{"until": UNTIL.isoformat(), "manage_schema": False, **given})
    return {**params, "tenant": None}


def together(world: AmazonWorld, names: list[str], now: datetime = NOW, **given: Any) -> dict[str, Outcome]:
    found = list(orders_stream.looks(options(world, **given), world.protect, names, now=lambda: now))
    assert [name for name, _outcome in found] == names
    return dict(found)


def alone(world: AmazonWorld, names: list[str], now: datetime = NOW, **given: Any) -> dict[str, Outcome]:
    """The module's look at one tenant after the other."""
    params = options(world, **given)
    sessions = Sessions(lambda: connection.connect(params, world.protect, "alone"), connection.address(params))
    until = orders_stream.check_options(params)
    call = Call(params, world.protect, store_of(params, check_mode=True), sessions, until, "", check_mode=True)
    found = {}
    with closing(sessions):
        for name in names:
            try:
                found[name] = orders_prediction.predicted(orders_batch.of_tenant(call, name), now)
            except KeybuzzError as error:
                item = tenant_names.could_not_check("amazon_orders", name, error)
                found[name] = Outcome((item,), changed=False, facts={"error": str(error)})
    return found


def compared(batch: dict[str, Outcome], single: dict[str, Outcome]) -> Counter[str]:
    """Holds both against each other; how many there were of each status."""
    for name, one in single.items():
        seen = batch[name]
        assert [AGO.sub("#", repr(item)) for item in seen.items] == [AGO.sub("#", repr(item)) for item in one.items]
        assert seen.changed == one.changed
        assert seen.remaining is None
        for fact, value in seen.facts.items():
            if fact in {"order_count", "item_count"} and value is None:
                continue
            if fact in one.facts:
                assert value == one.facts[fact], (name, fact)
        if "error" not in one.facts:
            assert set(one.facts) - set(seen.facts) == LEFT_OUT
    return Counter(item.status for one in single.values() for item in one.items)


LEFT_OUT = {
    *("counts", "by_status", "by_currency", "by_line_status", "by_day"),
    *("resumed", "this_call", "sample", "plan"),
}


@pytest.fixture(scope="module")
def drawn() -> list[str]:
    return [f"drawn-{at:03d}" for at in range(TENANTS)]


@pytest.fixture
def many(world: AmazonWorld, drawn: list[str], request: pytest.FixtureRequest) -> Iterator[AmazonWorld]:
    """Drawn tenants in the tables; five of them are being imported by a heartbeat."""
    world.own_tables()
    draw = Draw(getattr(request, "param", 1))
    for name in drawn:
        draw.tenant(name)
    draw.crowded("drawn-crowded", 230)
    draw.store(world, young=drawn[:5])
    try:
        yield world
    finally:
        forget(world)


@pytest.mark.parametrize(("many", "chunk"), [(1, 500), (2, 7)], indirect=["many"])
def test_drawn_tenants_are_seen_as_if_each_were_alone(
    many: AmazonWorld, drawn: list[str], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_stream, "CHUNK", chunk)
    names = [*drawn, "drawn-crowded", "drawn-nobody"]
    holding = many.database.connect("repair")
    statuses: Counter[str] = Counter()
    try:
        with holding.cursor() as cursor:
            for name in drawn[5:10]:
                lock.hold(cursor, name, "here")
        for mode in MODES:
            for given in (
                {},
                LATEST,
                {"source": "report"},
                {"restart": True},
                {"days": 30},
                {"marketplace_id": FRANCE},
            ):
                asked = {"mode": mode, **given}
                statuses += compared(together(many, names, **asked), alone(many, names, **asked))
    finally:
        holding.close()
    # The draw has met every state that a look can end in.
    assert set(statuses) == {"in_sync", "missing", "drifted", "stale", "blocked", "error"}
    assert min(statuses.values()) > 5


def test_the_clock_moves_on(many: AmazonWorld, drawn: list[str]) -> None:
    for later in (timedelta(hours=2), timedelta(days=3)):
        for mode in MODES:
            asked = {"mode": mode, **LATEST}
            compared(together(many, drawn, NOW + later, **asked), alone(many, drawn, NOW + later, **asked))


def test_rights_are_those_of_the_caller(many: AmazonWorld, drawn: list[str]) -> None:
    for role in ("audit", "repair"):
        found = together(many, drawn, role=role, manage_schema=True)
        compared(found, alone(many, drawn, role=role, manage_schema=True))
        warned = [text for outcome in found.values() for text in outcome.warnings]
        pending = [outcome for outcome in found.values() if outcome.changed]
        assert pending
        lacks = bool(pending[0].facts["missing_permissions"])
        assert lacks is (role == "audit")
        assert all(outcome.facts["repair_allowed"] is not lacks for outcome in pending)
        assert len(warned) == len(set(warned)), "each once, not for each tenant"


def test_a_table_of_an_earlier_release_is_read(many: AmazonWorld, drawn: list[str]) -> None:
    many.query(
        'ALTER TABLE amazon_backfill_runs DROP COLUMN "mode", DROP COLUMN "state", DROP COLUMN "holder",'
        ' DROP COLUMN "heartbeatAt"'
    )
    for mode in MODES:
        asked: dict[str, Any] = {"mode": mode, "role": "repair", "manage_schema": True}
        compared(together(many, drawn, **asked), alone(many, drawn, **asked))
    found = together(many, drawn)
    compared(found, alone(many, drawn))
    assert {item.status for outcome in found.values() for item in outcome.items} == {"blocked"}
    assert "column amazon_backfill_runs.mode" in next(iter(found.values())).items[0].reason


def test_without_any_tables_of_the_import(world: AmazonWorld, drawn: list[str]) -> None:
    draw = Draw(1)
    for name in drawn:
        draw.tenant(name)
    draw.runs.clear()
    world.own_tables()
    draw.store(world)
    world.query("DROP TABLE amazon_backfill_runs, amazon_quota, order_import_errors")
    try:
        for role in ("audit", "repair"):
            asked: dict[str, Any] = {"role": role, "manage_schema": True}
            statuses = compared(together(world, drawn, **asked), alone(world, drawn, **asked))
            assert statuses["missing"] > TENANTS / 2
    finally:
        forget(world)


def test_own_names_and_a_column_without_time_zone(many: AmazonWorld, drawn: list[str]) -> None:
    many.query(
        'CREATE TABLE shop_orders AS SELECT "tenantId"::varchar(40) AS shop, "externalOrderId" AS number,'
        ' "orderDate" AT TIME ZONE \'UTC\' AS placed, "orderStatus" AS state, "lastUpdatedAt" AS changed FROM orders'
    )
    many.query("GRANT SELECT ON shop_orders TO keybuzz_audit")
    columns = {
        "tenantId": "shop",
        "externalOrderId": "number",
        "orderDate": "placed",
        "orderStatus": "state",
        **dict.fromkeys(set(tables.ORDERS) - {"tenantId", "externalOrderId", "orderDate", "orderStatus"}, ""),
        "lastUpdatedAt": "changed",
    }
    try:
        asked = {"orders_table": "shop_orders", "order_columns": columns}
        compared(together(many, drawn, **asked), alone(many, drawn, **asked))
    finally:
        many.query("DROP TABLE shop_orders")


def test_all_is_asked_in_a_few_queries_and_nothing_is_written(many: AmazonWorld, drawn: list[str]) -> None:
    before = many.query("SELECT xmin, ctid FROM amazon_backfill_runs")
    mark = many.database.log.stat().st_size
    together(many, drawn)
    log = many.database.log.read_bytes()[mark:].decode()
    statements = [
        line for line in log.splitlines() if "LOG:  statement:" in line and "app=keybuzz.amazon orders" in line
    ]
    assert 5 < len(statements) < 20
    assert many.query("SELECT xmin, ctid FROM amazon_backfill_runs") == before


def test_the_module_looks_at_many_in_this_way_and_at_few_in_full(many: AmazonWorld, drawn: list[str]) -> None:
    few = drawn[: tenant_names.FEW]
    params = {**options(many), "tenants": few}
    full = amazon_orders_backfill.run(params, many.protect, check_mode=True)
    assert "by_day" in full.facts["tenants"][few[-1]]  # type: ignore[index]
    lean = amazon_orders_backfill.run({**params, "tenants": drawn}, many.protect, check_mode=True)
    assert list(lean.facts["tenants"]) == drawn  # type: ignore[call-overload]
    assert "by_day" not in lean.facts["tenants"][few[-1]]  # type: ignore[index]
    assert {"repair_allowed", "missing_permissions"} <= set(lean.facts)
    ids = [item.id for item in full.items]
    assert [item.id for item in lean.items if item.id in set(ids)] == ids


def test_a_database_that_is_down_is_asked_a_few_times_and_each_tenant_is_unknown(
    world: AmazonWorld, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_stream, "CHUNK", 10)
    connect, tried = connection.connect, []

    def counted(*arguments: Any) -> Any:
        tried.append(1)
        return connect(*arguments)

    monkeypatch.setattr(connection, "connect", counted)
    found = together(world, drawn, pg_port=1)
    assert {item.status for outcome in found.values() for item in outcome.items} == {"unknown"}
    assert len(tried) == 3


def test_other_modes_are_looked_at_one_at_a_time(world: AmazonWorld) -> None:
    with pytest.raises(BadInputError, match="mode"):
        together(world, ["x"], mode="purge", retention_days=30)
