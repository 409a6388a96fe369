-- Copyright (c) 2026 KeyBuzz
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The backend's own tables, as its product reads them: camelCase names, quoted.
-- The roles exist already; their passwords are set by lab/postgres.py.

CREATE TABLE tenants (
    "tenantId"      text PRIMARY KEY,
    "owner"         text NOT NULL,
    "status"        text NOT NULL DEFAULT 'DISCONNECTED',
    "displayName"   text,
    "marketplaceId" text,
    "sellerId"      text,
    "updatedAt"     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE orders (
    "tenantId"           text NOT NULL REFERENCES tenants,
    "externalOrderId"    text NOT NULL,
    "orderRef"           text NOT NULL,
    "marketplaceId"      text NOT NULL,
    "orderDate"          timestamptz NOT NULL,
    "totalAmount"        numeric,
    "currency"           text,
    "amountBasis"        text,
    "orderStatus"        text NOT NULL,
    "fulfillmentChannel" text,
    "lastUpdatedAt"      timestamptz NOT NULL,
    "createdAt"          timestamptz NOT NULL DEFAULT now(),
    "updatedAt"          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY ("tenantId", "externalOrderId")
);

CREATE TABLE order_items (
    "tenantId"          text NOT NULL,
    "externalOrderId"   text NOT NULL,
    "externalItemId"    text NOT NULL,
    "sku"               text,
    "asin"              text,
    "title"             text,
    "quantityOrdered"   integer NOT NULL,
    "quantityFulfilled" integer,
    "unitPrice"         numeric,
    "lineTotal"         numeric,
    "currency"          text,
    "lineStatus"        text NOT NULL,
    "updatedAt"         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY ("tenantId", "externalOrderId", "externalItemId"),
    FOREIGN KEY ("tenantId", "externalOrderId") REFERENCES orders
);

REVOKE ALL ON DATABASE keybuzz FROM PUBLIC;
GRANT CONNECT ON DATABASE keybuzz TO keybuzz_backend, keybuzz_repair, keybuzz_audit;
-- The import keeps its checkpoints and quotas in tables of its own, which it may create.
GRANT USAGE, CREATE ON SCHEMA public TO keybuzz_repair;
GRANT USAGE ON SCHEMA public TO keybuzz_backend, keybuzz_audit;

GRANT SELECT ON tenants, orders, order_items TO keybuzz_backend, keybuzz_audit;
GRANT SELECT, INSERT, UPDATE ON tenants, orders, order_items TO keybuzz_repair;
ALTER DEFAULT PRIVILEGES FOR ROLE keybuzz_repair IN SCHEMA public GRANT SELECT ON TABLES TO keybuzz_audit;
ALTER ROLE keybuzz_audit SET default_transaction_read_only = on;
