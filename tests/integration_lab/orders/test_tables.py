# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The import and the database: names of the user's own, what is missing, what is checked, what is never there."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import result
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    UnreachableError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import connection, schema, tables
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Table
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.schema import SchemaError

from lab.amazon import fixture
from tests.integration_lab.amazon_world import AmazonWorld
from tests.integration_lab.orders.tables import complete
from tests.integration_lab.orders.test_interrupted import wait_for

pytestmark = pytest.mark.lab


def test_check_mode_asks_the_database_alone_and_writes_nothing(world: AmazonWorld) -> None:
    audit_log = world.vault.audit_log.stat().st_size
    checked = world.import_orders(check_mode=True, role="audit")
    (item,) = checked.items
    assert (item.id, item.status, item.action) == ("amazon_orders/ecomlg-001/window", "missing", "create")
    assert checked.changed
    assert world.calls() == []
    assert world.vault.audit_log.stat().st_size == audit_log
    assert world.query("SELECT to_regclass('amazon_backfill_runs')") == [(None,)]


def test_check_mode_names_every_right_that_an_import_would_lack(world: AmazonWorld) -> None:
    checked = world.import_orders(check_mode=True, role="audit")
    assert checked.facts["repair_allowed"] is False
    assert checked.facts["missing_permissions"] == [
        "INSERT on table orders",
        "UPDATE on table orders",
        "INSERT on table order_items",
        "UPDATE on table order_items",
        "CREATE on schema public",
    ]
    assert checked.warnings[0] == "The repair would be denied: INSERT on table orders."
    assert world.import_orders(check_mode=True).facts["missing_permissions"] == []


def test_where_nothing_is_to_be_imported_no_right_to_import_is_missed(world: AmazonWorld) -> None:
    world.import_orders()
    checked = world.import_orders(check_mode=True, role="audit")
    assert (checked.facts["repair_allowed"], checked.facts["missing_permissions"]) == (None, [])


def test_what_check_mode_predicts_is_what_a_run_then_does(world: AmazonWorld) -> None:
    predicted = world.import_orders(check_mode=True)
    done = world.import_orders()
    assert [item.as_dict() for item in done.items] == [item.as_dict() for item in predicted.items]
    assert result(done, check_mode=False)["verdict"] == "in_sync"
    after = world.import_orders(check_mode=True, role="audit")
    assert [item.status for item in after.items] == ["in_sync"]
    assert after.facts["counts"] == done.facts["counts"]


def test_rows_that_went_missing_are_noticed_and_imported_again(world: AmazonWorld) -> None:
    world.import_orders()
    world.query("DELETE FROM order_items WHERE \"externalOrderId\" = '407-8949262-6149120'")
    checked = world.import_orders(check_mode=True)
    assert (checked.items[0].status, checked.items[0].action) == ("drifted", "update")
    assert "hold only 94 and 116" in checked.items[0].reason
    world.import_orders()
    assert complete(world)
    assert not world.import_orders().changed


def test_rows_from_before_the_column_of_versions_are_older_than_any(world: AmazonWorld) -> None:
    world.query('ALTER TABLE orders ALTER COLUMN "lastUpdatedAt" DROP NOT NULL')
    try:
        world.query(
            'INSERT INTO orders ("tenantId", "externalOrderId", "orderRef", "marketplaceId", "orderDate",'
            " \"orderStatus\") VALUES ('ecomlg-001', '407-8949262-6149120', '#149120', 'A13V1IB3VIYZZH',"
            " '2025-11-22T12:00:24Z', 'PENDING')"
        )
        counts = world.import_orders().facts["counts"]
        assert (counts["inserted"], counts["updated"]) == (93, 1)
        assert complete(world)
    finally:
        world.query("TRUNCATE order_items, orders")
        world.query('ALTER TABLE orders ALTER COLUMN "lastUpdatedAt" SET NOT NULL')


def test_two_sessions_may_create_the_imports_tables_at_once(world: AmazonWorld) -> None:
    quota = tables.own_table("quota_table", "amazon_quota")
    first, second = world.database.connect("repair"), world.database.connect("repair")
    try:
        with ThreadPoolExecutor(1) as pool:
            with connection.transaction(first, "creating in", "here") as cursor:
                schema.create(cursor, quota)
                other = pool.submit(create_alone, second, quota)
                wait_for(lambda: bool(world.query("SELECT 1 FROM pg_locks WHERE NOT granted")))
            other.result(timeout=20)
    finally:
        first.close()
        second.close()


def create_alone(database: connection.Connection, table: Table) -> None:
    with connection.transaction(database, "creating in", "here") as cursor:
        schema.create(cursor, table)


def test_the_sample_shows_the_newest_orders_in_json_types(world: AmazonWorld) -> None:
    facts = world.import_orders().facts
    json.dumps(facts)
    newest = sorted(fixture.expected_rows()[0], key=lambda row: row["orderDate"], reverse=True)[:5]
    assert [row["externalOrderId"] for row in facts["sample"]] == [row["externalOrderId"] for row in newest]
    assert facts["window"] == {"after": "2025-10-14T12:00:00Z", "before": "2026-01-12T12:00:00Z"}


def test_nothing_of_buyers_and_no_token_reaches_the_database_or_its_log(world: AmazonWorld) -> None:
    world.import_orders()
    names = [
        row[0]
        for row in world.query(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
    ]
    assert len(names) == 6
    content = "".join(
        str(row[0]) for name in names for row in world.query(f'SELECT to_json(t)::text FROM "{name}" AS t')
    )
    log = world.database.log.read_text(errors="replace")
    assert "407-8949262-6149120" in content
    for secret in ("CANARY", fixture.CANARY, base64.b64encode(b"CANARY").decode()[:6]):
        assert secret not in content
        assert secret not in log
    assert any(value.startswith("Atza|") for value in world.secrets_met)


def test_tables_and_columns_of_other_names_and_types(world: AmazonWorld) -> None:
    world.query("CREATE SCHEMA shop")
    world.query(
        'CREATE TABLE shop."Order" (t varchar(20), oid varchar(40), placed timestamp, amount numeric(14,4),'
        " cur char(3), state varchar(30), changed timestamp, UNIQUE (t, oid))"
    )
    world.query(
        "CREATE TABLE shop.line (t text, oid text, lid text, qty bigint, price double precision,"
        " PRIMARY KEY (lid, oid, t))"
    )
    world.query(
        "GRANT USAGE ON SCHEMA shop TO keybuzz_repair;"
        "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA shop TO keybuzz_repair"
    )
    order_columns = {
        "tenantId": "t",
        "externalOrderId": "oid",
        "orderDate": "placed",
        "totalAmount": "amount",
        "currency": "cur",
        "orderStatus": "state",
        "lastUpdatedAt": "changed",
        **dict.fromkeys(("orderRef", "marketplaceId", "amountBasis", "fulfillmentChannel", "updatedAt"), ""),
    }
    item_columns = {
        "tenantId": "t",
        "externalOrderId": "oid",
        "externalItemId": "lid",
        "quantityOrdered": "qty",
        "unitPrice": "price",
        **dict.fromkeys(
            ("sku", "asin", "title", "quantityFulfilled", "lineTotal", "currency", "lineStatus", "updatedAt"), ""
        ),
    }
    given: dict[str, Any] = {
        "orders_table": "shop.Order",
        "order_columns": order_columns,
        "items_table": "shop.line",
        "item_columns": item_columns,
        "runs_table": "shop_runs",
        "errors_table": "shop_errors",
        "quota_table": "shop_quota",
    }
    try:
        facts = world.import_orders(**given).facts
        assert (facts["order_count"], facts["item_count"]) == (94, 117)
        assert world.query("SELECT placed, amount FROM shop.\"Order\" WHERE oid = '407-8949262-6149120'")[0][
            0
        ].isoformat() == ("2025-11-22T12:00:24")
        assert not world.import_orders(**given).changed
        world.query("DELETE FROM shop_runs")
        assert world.import_orders(**given).facts["counts"]["unchanged"] == 94
    finally:
        world.query("DROP SCHEMA shop CASCADE")
        world.query("DROP TABLE IF EXISTS shop_runs, shop_errors, shop_quota")


def test_everything_that_is_missing_is_named_at_once_with_the_sql_that_adds_it(world: AmazonWorld) -> None:
    with pytest.raises(SchemaError) as caught:
        world.import_orders(
            manage_schema=False,
            order_columns={"orderRef": "short_ref"},
            item_columns={"title": "label"},
            items_table="order_items",
            tenants_table="nobody",
        )
    message = str(caught.value)
    for part in (
        "table nobody (tenants_table)",
        'ALTER TABLE "orders" ADD COLUMN "short_ref" text;',
        'ALTER TABLE "order_items" ADD COLUMN "label" text;',
        'CREATE TABLE "amazon_quota" (',
        'CREATE TABLE "order_import_errors" (',
        'CREATE TABLE "amazon_backfill_runs" (',
    ):
        assert part in message
    assert world.calls() == []


def test_a_role_without_the_right_to_write_is_told_which_grant_it_lacks(world: AmazonWorld) -> None:
    with pytest.raises(SchemaError, match=r'GRANT INSERT, UPDATE ON "orders" TO "keybuzz_audit";'):
        world.import_orders(role="audit")


def test_a_role_that_may_not_create_tables_is_told_so(world: AmazonWorld) -> None:
    world.query("REVOKE CREATE ON SCHEMA public FROM keybuzz_repair")
    try:
        with pytest.raises(ForbiddenError, match="permission denied for schema public"):
            world.import_orders()
    finally:
        world.query("GRANT CREATE ON SCHEMA public TO keybuzz_repair")


def test_an_unknown_tenant_is_told_who_is_known(world: AmazonWorld) -> None:
    with pytest.raises(BadInputError, match=r"unknown tenant 'nobody'\. Known tenants: ecomlg-001, switaa-002"):
        world.import_orders(tenant="nobody")
    assert world.calls() == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pg_port": 1}, "nothing listens there"),
        ({"pg_host": "127.0.0.1", "pg_sslrootcert": "VAULT"}, "certificate was not accepted"),
        ({"pg_dbname": "nowhere"}, "no such database"),
        ({"pg_passfile": "/nonexistent"}, "wants a password"),
        ({"pg_password": "CANARY wrong", "pg_passfile": None}, "password was not accepted"),
    ],
)
def test_a_database_that_cannot_be_reached_is_said_in_one_way_each(
    world: AmazonWorld, given: dict[str, Any], words: str
) -> None:
    if given.get("pg_sslrootcert") == "VAULT":
        given = {**given, "pg_sslrootcert": str(world.vault.ca_file)}
    with pytest.raises((UnreachableError, ForbiddenError, BadInputError), match=words) as caught:
        world.import_orders(**given)
    assert "CANARY" not in str(caught.value)
