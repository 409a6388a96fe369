# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the import stores where: the product's tables and its own; and the table of a drift report's history."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.keybuzz.amazon.plugins.module_utils._store.names import Column, Table, quote, table

READ = ("SELECT",)
WRITE = ("SELECT", "INSERT", "UPDATE")

TENANTS: Mapping[str, Column] = {
    "tenantId": Column("text", required=True),
    "status": Column("text", required=True),
    "displayName": Column("text"),
    "owner": Column("text"),
    "marketplaceId": Column("text"),
    "sellerId": Column("text"),
    "updatedAt": Column("timestamptz"),
}
ORDERS: Mapping[str, Column] = {
    "tenantId": Column("text", required=True),
    "externalOrderId": Column("text", required=True),
    "orderRef": Column("text"),
    "marketplaceId": Column("text"),
    "orderDate": Column("timestamptz", required=True),
    "totalAmount": Column("numeric"),
    "currency": Column("text"),
    "amountBasis": Column("text"),
    "orderStatus": Column("text", required=True),
    "fulfillmentChannel": Column("text"),
    "lastUpdatedAt": Column("timestamptz", required=True),
    "updatedAt": Column("timestamptz"),
}
ITEMS: Mapping[str, Column] = {
    "tenantId": Column("text", required=True),
    "externalOrderId": Column("text", required=True),
    "externalItemId": Column("text", required=True),
    "sku": Column("text"),
    "asin": Column("text"),
    "title": Column("text"),
    "quantityOrdered": Column("integer", required=True),
    "quantityFulfilled": Column("integer"),
    "unitPrice": Column("numeric"),
    "lineTotal": Column("numeric"),
    "currency": Column("text"),
    "lineStatus": Column("text"),
    "updatedAt": Column("timestamptz"),
}
# The import's own tables. No column can hold anything of a buyer.
ERRORS: Mapping[str, Column] = {
    "tenantId": Column("text", constraint="NOT NULL"),
    "externalOrderId": Column("text", constraint="NOT NULL"),
    "reasonCode": Column("text", constraint="NOT NULL"),
    "field": Column("text", constraint="NOT NULL"),
    "runId": Column("uuid", constraint="NOT NULL"),
    "page": Column("integer", constraint="NOT NULL"),
    "attempts": Column("integer", constraint="NOT NULL DEFAULT 1"),
    "firstSeenAt": Column("timestamptz", constraint="NOT NULL DEFAULT now()"),
    "lastSeenAt": Column("timestamptz", constraint="NOT NULL DEFAULT now()"),
    "resolvedAt": Column("timestamptz"),
}
RUNS: Mapping[str, Column] = {
    "runId": Column("uuid", constraint="NOT NULL"),
    "tenantId": Column("text", constraint="NOT NULL"),
    "marketplaceId": Column("text", constraint="NOT NULL"),
    "source": Column("text", constraint="NOT NULL"),
    "days": Column("integer", constraint="NOT NULL"),
    "windowAfter": Column("timestamptz", constraint="NOT NULL"),
    "windowBefore": Column("timestamptz", constraint="NOT NULL"),
    "query": Column("jsonb", constraint="NOT NULL"),
    "status": Column("text", constraint="NOT NULL"),
    "pageToken": Column("text"),
    "pageTokenAt": Column("timestamptz"),
    "pages": Column("integer", constraint="NOT NULL DEFAULT 0"),
    "restarts": Column("integer", constraint="NOT NULL DEFAULT 0"),
    "counters": Column("jsonb", constraint="NOT NULL"),
    "startedAt": Column("timestamptz", constraint="NOT NULL DEFAULT now()"),
    "updatedAt": Column("timestamptz", constraint="NOT NULL DEFAULT now()"),
    "completedAt": Column("timestamptz"),
    "mode": Column("text", constraint="NOT NULL DEFAULT 'backfill'"),
    "state": Column("jsonb", constraint="NOT NULL DEFAULT '{}'"),
    "holder": Column("text"),
    "heartbeatAt": Column("timestamptz"),
}
QUOTA: Mapping[str, Column] = {
    "applicationId": Column("text", constraint="NOT NULL"),
    "sellerId": Column("text", constraint="NOT NULL"),
    "operation": Column("text", constraint="NOT NULL"),
    "rate": Column("double precision", constraint="NOT NULL"),
    "burst": Column("double precision", constraint="NOT NULL"),
    "tokens": Column("double precision", constraint="NOT NULL"),
    "updatedAt": Column("timestamptz", constraint="NOT NULL"),
}
# What a drift report remembers, in the order of the history's entries. No value, reason or address of anything.
HISTORY: Mapping[str, Column] = {
    "environment": Column("text", constraint="NOT NULL"),
    "itemId": Column("text", constraint="NOT NULL"),
    "status": Column("text", constraint="NOT NULL"),
    "firstSeenAt": Column("timestamptz", constraint="NOT NULL"),
    "lastSeenAt": Column("timestamptz", constraint="NOT NULL"),
    "clearedAt": Column("timestamptz"),
    "times": Column("integer", constraint="NOT NULL DEFAULT 0"),
    "broughtBy": Column("text"),
}
ERRORS_KEY = ("tenantId", "externalOrderId", "reasonCode", "field")
RUNS_KEY = ("runId",)
QUOTA_KEY = ("applicationId", "sellerId", "operation")
HISTORY_KEY = ("environment", "itemId")
OWN: Mapping[str, tuple[Mapping[str, Column], tuple[str, ...]]] = {
    "errors_table": (ERRORS, ERRORS_KEY),
    "runs_table": (RUNS, RUNS_KEY),
    "quota_table": (QUOTA, QUOTA_KEY),
    "history_table": (HISTORY, HISTORY_KEY),
}
PRODUCT: Mapping[str, Mapping[str, Column]] = {"tenants_table": TENANTS, "orders_table": ORDERS, "items_table": ITEMS}


def tenants_table(name: str, columns: Mapping[str, str] | None, privileges: tuple[str, ...] = READ) -> Table:
    """The table with one row a tenant."""
    return table(
        "tenants_table",
        name,
        TENANTS,
        columns,
        key=("tenantId",),
        privileges=privileges,
        columns_option="tenant_columns",
    )


def orders_table(name: str, columns: Mapping[str, str] | None, privileges: tuple[str, ...] = WRITE) -> Table:
    """The product's orders."""
    return table(
        "orders_table",
        name,
        ORDERS,
        columns,
        key=("tenantId", "externalOrderId"),
        privileges=privileges,
        columns_option="order_columns",
    )


def items_table(name: str, columns: Mapping[str, str] | None, privileges: tuple[str, ...] = WRITE) -> Table:
    """The lines of the product's orders."""
    return table(
        "items_table",
        name,
        ITEMS,
        columns,
        key=("tenantId", "externalOrderId", "externalItemId"),
        privileges=privileges,
        columns_option="item_columns",
    )


def own_table(option: str, name: str, privileges: tuple[str, ...] = WRITE) -> Table:
    """One of the import's own tables: only its name is the user's."""
    columns, key = OWN[option]
    return table(option, name, columns, key=key, privileges=privileges)


def create_statement(own: Table) -> str:
    """DDL of one of the import's own tables."""
    columns, key = OWN[own.option]
    lines = [f"{quote(name)} {column.type} {column.constraint}".rstrip() for name, column in columns.items()]
    lines.append(f"PRIMARY KEY ({', '.join(quote(name) for name in key)})")
    return f"CREATE TABLE {own.quoted} ({', '.join(lines)})"
