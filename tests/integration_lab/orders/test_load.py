# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load of pages into PostgreSQL: which version stays, whose amounts count, what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Stored, Targets, store_page
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.model import Item, Order
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import schema, tables
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.load import Target
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.rows import literal

from lab import seed
from lab.postgres import Postgres
from lab.processes import wait_until
from tests.bench.load import as_admin, database
from tests.bench.load_rows import orders, page

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

pytestmark = pytest.mark.lab
RUN = "00000000-0000-0000-0000-000000000001"
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
FIRST, SECOND = (replace(order, lastUpdatedAt=NOW) for order in list(orders(9))[:2])
ODD = ("", "NULL", "null", '"', "\\", '\\"', "{a,b}", ",", " ", "\t\n\r", "d'Été", "\U0001f4e6", "%s %(x)s", "'; --")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with database() as running:
        yield running


@pytest.fixture
def connection(server: Postgres) -> Iterator[Connection]:
    as_admin(server, "TRUNCATE order_items, orders, order_import_errors")
    opened = server.connect("repair")
    yield opened
    opened.close()


def targets_of(connection: Connection, *, delete: bool = False, **names: Any) -> Targets:
    both = (
        tables.orders_table(names.get("orders", "orders"), names.get("order_columns")),
        tables.items_table(names.get("items", "order_items"), names.get("item_columns")),
    )
    with connection, connection.cursor() as cursor:
        found = schema.inspect(cursor, both)
    errors = tables.own_table("errors_table", "order_import_errors")
    return Targets(Target(both[0], found[0].types), Target(both[1], found[1].types), errors, delete)


def store(connection: Connection, *rows: Order, targets: Targets | None = None, weaker: bool = False) -> Stored:
    targets = targets or targets_of(connection)
    with connection, connection.cursor() as cursor:
        stored = store_page(cursor, targets, seed.TENANT, replace(page(rows), weaker=weaker), run_id=RUN, number=1)
        stored.counted.check("here")
        return stored


def words(stored: Stored) -> dict[str, int]:
    return {
        name: value
        for name, value in vars(stored.counted).items()
        if value and name not in ("fetched", "items_fetched")
    }


def status(server: Postgres, order: Order) -> Any:
    return as_admin(server, f'SELECT "orderStatus" FROM orders WHERE "externalOrderId" = \'{order.externalOrderId}\'')[
        0
    ][0]


def versions(server: Postgres) -> list[tuple[Any, ...]]:
    return as_admin(
        server,
        "SELECT 'o', ctid::text, xmin::text FROM orders UNION ALL SELECT 'i', ctid::text, xmin::text FROM order_items",
    )


def later(order: Order, seconds: float = 1, **changes: Any) -> Order:
    return replace(order, lastUpdatedAt=order.lastUpdatedAt + timedelta(seconds=seconds), **changes)


def line(order: Order, item_id: str, title: str = "a line") -> Item:
    return replace(order.items[0], externalItemId=item_id, title=title)


def test_every_text_survives_the_array_literal(connection: Connection) -> None:
    with connection.cursor() as cursor:
        for values in (ODD, (None, *ODD, None), ("plain",), ("a", None), (None,), ("",), ()):
            cursor.execute("SELECT coalesce(array_agg(t ORDER BY n), '{}') FROM unnest(%s::text[])"
                           " WITH ORDINALITY AS page (t, n)", (literal(values),))  # fmt: skip
            assert cursor.fetchall() == [(list(values),)]


def test_odd_titles_and_exact_amounts_are_stored_as_they_are(server: Postgres, connection: Connection) -> None:
    amounts = [Decimal("1E+2"), Decimal("0.10"), Decimal("123456789012345678901234.5678"), Decimal("-0.01")]
    items = tuple(line(FIRST, str(number), title) for number, title in enumerate(ODD))
    store(connection, *(
        replace(FIRST, externalOrderId=f"odd-{number}", totalAmount=amount, items=items)
        for number, amount in enumerate(amounts)
    ))  # fmt: skip
    found = as_admin(server, 'SELECT "totalAmount"::text FROM orders ORDER BY "externalOrderId"')
    assert [row[0] for row in found] == ["100", "0.10", "123456789012345678901234.5678", "-0.01"]
    found = as_admin(server, "SELECT title FROM order_items WHERE \"externalOrderId\" = 'odd-0'"
                             ' ORDER BY "externalItemId"::int')  # fmt: skip
    assert tuple(row[0] for row in found) == ODD


def test_an_identical_page_rewrites_no_row_version(server: Postgres, connection: Connection) -> None:
    rows = list(orders(300))
    assert words(store(connection, *rows))["inserted"] == 300
    before = versions(server)
    again = store(connection, *rows)
    assert (again.counted.unchanged, again.counted.items_unchanged) == (300, again.counted.items_fetched)
    assert versions(server) == before
    assert sorted(again.standing) == sorted((row.externalOrderId, row.orderDate, row.orderStatus) for row in rows)


def test_a_page_of_new_changed_same_and_older_orders_is_told_apart(server: Postgres, connection: Connection) -> None:
    new, changed, same, older = (replace(order, lastUpdatedAt=NOW) for order in list(orders(4)))
    store(connection, changed, same, later(older, orderStatus="RETURNED"))
    stored = store(connection, new, later(changed, orderStatus="LOST"), same, replace(older, orderDate=NOW))
    counted = stored.counted
    assert (counted.inserted, counted.updated, counted.unchanged, counted.stale) == (1, 1, 1, 1)
    assert stored.new == {new.externalOrderId}
    assert counted.items_stale == len(older.items)
    assert stored.standing == (
        (new.externalOrderId, new.orderDate, new.orderStatus),
        (changed.externalOrderId, changed.orderDate, "LOST"),
        (same.externalOrderId, same.orderDate, same.orderStatus),
        (older.externalOrderId, older.orderDate, "RETURNED"),
    )
    assert as_admin(server, 'SELECT count(*) FROM orders WHERE "updatedAt" > "createdAt"') == [(1,)]


def test_of_several_versions_on_a_page_the_newest_is_stored_and_all_are_counted(
    server: Postgres, connection: Connection
) -> None:
    stored = store(connection, FIRST, later(FIRST, orderStatus="NEWER"), FIRST, later(FIRST, orderStatus="LAST"))
    assert (stored.counted.inserted, stored.counted.unchanged, stored.counted.stale) == (1, 1, 2)
    assert stored.standing == ((FIRST.externalOrderId, FIRST.orderDate, "LAST"),)
    assert status(server, FIRST) == "LAST"


@pytest.mark.parametrize("delete", [False, True])
def test_lines_that_a_newer_version_lost_are_deleted_or_counted(
    server: Postgres, connection: Connection, delete: bool
) -> None:
    two = replace(FIRST, items=(line(FIRST, "stays"), line(FIRST, "goes")))
    store(connection, two, SECOND)
    if delete:
        as_admin(server, "GRANT DELETE ON order_items TO keybuzz_repair")
    try:
        one = later(two, items=(line(FIRST, "stays", "another title"), line(FIRST, "comes")))
        stored = store(connection, one, SECOND, targets=targets_of(connection, delete=delete))
    finally:
        as_admin(server, "REVOKE DELETE ON order_items FROM keybuzz_repair")
    assert (stored.counted.items_inserted, stored.counted.items_updated) == (1, 1)
    assert (stored.counted.items_removed, stored.counted.items_left) == ((1, 0) if delete else (0, 1))
    left = as_admin(server, f"SELECT count(*) FROM order_items WHERE \"externalOrderId\" = '{FIRST.externalOrderId}'")
    assert left == [(2 if delete else 3,)]


@pytest.mark.parametrize("basis", ["GRAND_TOTAL", None])
def test_a_weaker_row_of_the_same_version_is_kept_out_and_only_missing_lines_are_added(
    server: Postgres, connection: Connection, basis: str | None
) -> None:
    store(connection, replace(FIRST, amountBasis=basis, orderStatus="STORED", items=(line(FIRST, "known"),)))
    weak = replace(
        FIRST,
        amountBasis="REPORT_COMPONENTS" if basis else None,
        orderStatus="WEAKER",
        items=(line(FIRST, "known", "another title"), line(FIRST, "missing")),
    )
    stored = store(connection, weak, weaker=True)
    assert words(stored) == {"unchanged": 1, "items_inserted": 1, "items_unchanged": 1}
    assert stored.standing == ((FIRST.externalOrderId, FIRST.orderDate, "STORED"),)
    found = as_admin(server, 'SELECT "externalItemId", title FROM order_items ORDER BY 1')
    assert found == [("known", "a line"), ("missing", "a line")]


def test_a_weaker_row_replaces_one_of_the_same_version_and_the_same_basis(
    server: Postgres, connection: Connection
) -> None:
    store(connection, replace(FIRST, amountBasis="REPORT_COMPONENTS"), weaker=True)
    weak = replace(FIRST, amountBasis="REPORT_COMPONENTS", totalAmount=Decimal("7.00"))
    assert words(store(connection, weak, weaker=True))["updated"] == 1
    assert as_admin(server, 'SELECT "totalAmount" FROM orders') == [(Decimal("7.00"),)]
    before = versions(server)
    assert words(store(connection, weak, weaker=True)) == {"unchanged": 1, "items_unchanged": len(FIRST.items)}
    assert versions(server) == before


def test_a_weaker_row_of_a_newer_version_is_written_and_of_the_same_second_is_stale(
    server: Postgres, connection: Connection
) -> None:
    store(connection, FIRST)
    second = replace(FIRST, lastUpdatedAt=NOW.replace(microsecond=0), orderStatus="WEAKER", amountBasis="REPORT")
    stored = store(connection, second, weaker=True)
    assert words(stored) == {"stale": 1, "items_stale": len(FIRST.items)}
    assert stored.standing[0][2] == FIRST.orderStatus
    assert store(connection, later(second), weaker=True).counted.updated == 1
    assert status(server, FIRST) == "WEAKER"


def test_without_a_column_of_bases_a_weaker_row_never_replaces_the_same_version(
    server: Postgres, connection: Connection
) -> None:
    targets = targets_of(connection, order_columns={"amountBasis": ""})
    store(connection, FIRST, targets=targets)
    stored = store(connection, replace(FIRST, orderStatus="WEAKER"), targets=targets, weaker=True)
    assert stored.counted.unchanged == 1
    assert status(server, FIRST) == FIRST.orderStatus


@pytest.mark.parametrize("theirs_is_newer", [False, True])
def test_an_order_that_somebody_else_inserts_at_the_same_time_is_held_against_theirs(
    server: Postgres, connection: Connection, theirs_is_newer: bool
) -> None:
    targets, other = targets_of(connection), server.connect("repair")
    theirs = later(FIRST, 9 if theirs_is_newer else -9, orderStatus="THEIRS")
    try:
        with ThreadPoolExecutor(1) as pool:
            with other, other.cursor() as cursor:
                store_page(cursor, targets, seed.TENANT, page([theirs]), run_id=RUN, number=1)
                ours = pool.submit(store, connection, SECOND, FIRST, targets=targets)
                waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                wait_until(
                    "the second session to wait",
                    lambda: as_admin(server, waiting) != [(0,)],
                    timeout=20,
                    log=server.log,
                )
            stored = ours.result(timeout=20)
    finally:
        other.close()
    assert stored.counted.inserted == 1
    assert (stored.counted.stale, stored.counted.updated) == ((1, 0) if theirs_is_newer else (0, 1))
    assert status(server, FIRST) == ("THEIRS" if theirs_is_newer else FIRST.orderStatus)


def test_other_types_and_a_view_take_the_same_rows(server: Postgres, connection: Connection) -> None:
    as_admin(server, """
        CREATE SCHEMA shop;
        CREATE TYPE shop.state AS ENUM ('SHIPPED', 'CANCELLED', 'UNSHIPPED', 'PENDING');
        CREATE TABLE shop.sale (t varchar(20), oid varchar(40), placed timestamp, amount numeric(12,2),
            state shop.state, changed timestamp, UNIQUE (t, oid));
        CREATE VIEW shop."Order" AS SELECT * FROM shop.sale;
        CREATE TABLE shop.line (t text, oid text, lid bigint, qty bigint, price double precision, label varchar(5),
            PRIMARY KEY (lid, oid, t));
        GRANT USAGE ON SCHEMA shop TO keybuzz_repair;
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA shop TO keybuzz_repair
    """)  # fmt: skip
    order_names = {"tenantId": "t", "externalOrderId": "oid", "orderDate": "placed", "totalAmount": "amount",
                   "orderStatus": "state", "lastUpdatedAt": "changed"}  # fmt: skip
    item_names = {"tenantId": "t", "externalOrderId": "oid", "externalItemId": "lid", "quantityOrdered": "qty",
                  "unitPrice": "price", "title": "label"}  # fmt: skip
    targets = targets_of(
        connection,
        orders="shop.Order",
        items="shop.line",
        order_columns=dict.fromkeys(tables.ORDERS, "") | order_names,
        item_columns=dict.fromkeys(tables.ITEMS, "") | item_names,
    )
    rows = list(orders(50))
    try:
        assert store(connection, *rows, targets=targets).counted.inserted == 50
        again = store(connection, *rows, targets=targets)
        assert (again.counted.unchanged, again.counted.items_updated) == (50, 0)
        stale = store(connection, later(rows[0], -1), targets=targets)
        assert stale.standing == ((rows[0].externalOrderId, rows[0].orderDate, rows[0].orderStatus),)
        placed = as_admin(server, f"SELECT placed FROM shop.sale WHERE oid = '{rows[0].externalOrderId}'")
        assert placed == [(rows[0].orderDate.replace(tzinfo=None),)]
    finally:
        connection.rollback()
        as_admin(server, "DROP SCHEMA shop CASCADE")


def test_a_stored_order_closes_its_record_of_rejection(server: Postgres, connection: Connection) -> None:
    as_admin(
        server,
        'INSERT INTO order_import_errors ("tenantId", "externalOrderId", "reasonCode", field, "runId", page)'
        f" VALUES ('{seed.TENANT}', '{FIRST.externalOrderId}', 'missing', 'x', '{RUN}', 1),"
        f" ('{seed.TENANT}', 'another', 'missing', 'x', '{RUN}', 1)",
    )
    store(connection, FIRST)
    assert as_admin(server, 'SELECT "externalOrderId" FROM order_import_errors WHERE "resolvedAt" IS NULL') == [
        ("another",)
    ]


def test_a_page_without_orders_stores_nothing(connection: Connection) -> None:
    assert words(store(connection)) == {}


def test_a_table_with_row_security_takes_the_same_rows(server: Postgres, connection: Connection) -> None:
    rows = list(orders(20))
    as_admin(server, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON orders USING (true)")
    try:
        assert store(connection, *rows).counted.inserted == 20
        assert store(connection, *rows).counted.unchanged == 20
    finally:
        as_admin(server, "DROP POLICY all_rows ON orders; ALTER TABLE orders DISABLE ROW LEVEL SECURITY")


def test_lines_without_their_order_are_held_against_the_page(server: Postgres, connection: Connection) -> None:
    store(connection, FIRST)
    as_admin(server, "ALTER TABLE order_items DISABLE TRIGGER ALL; ALTER TABLE orders DISABLE TRIGGER ALL")
    as_admin(server, "DELETE FROM orders")
    as_admin(server, "ALTER TABLE order_items ENABLE TRIGGER ALL; ALTER TABLE orders ENABLE TRIGGER ALL")
    stored = store(connection, replace(FIRST, items=(*FIRST.items, line(FIRST, "another"))))
    assert words(stored) == {"inserted": 1, "items_inserted": 1, "items_unchanged": len(FIRST.items)}
