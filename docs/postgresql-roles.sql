-- Copyright (c) 2026 KeyBuzz
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The roles of the orders import and of the drift report's history with no right more than they use. Run it as the
-- owner of the product's tables, once for each database; adapt the names of the tables. Passwords: \password
-- orders_import, and so on.

CREATE ROLE orders_import LOGIN;
CREATE ROLE orders_audit LOGIN;
ALTER ROLE orders_audit SET default_transaction_read_only = on;

-- The product's tables: read tenants; read, insert and update orders and their lines. Nothing is ever truncated or
-- altered. With the commented line the lines that a newer version of an order does not have any more are removed too.
GRANT USAGE ON SCHEMA public TO orders_import, orders_audit;
GRANT SELECT ON tenants TO orders_import, orders_audit;
GRANT SELECT, INSERT, UPDATE ON orders, order_items TO orders_import;
-- GRANT DELETE ON order_items TO orders_import;
GRANT SELECT ON orders, order_items TO orders_audit;

-- The import's own tables in a schema of its own, which it may create and migrate (manage_schema: true) with
--   errors_table: orders_import.order_import_errors
--   runs_table: orders_import.amazon_backfill_runs
--   quota_table: orders_import.amazon_quota
CREATE SCHEMA orders_import AUTHORIZATION orders_import;
GRANT USAGE ON SCHEMA orders_import TO orders_audit;
ALTER DEFAULT PRIVILEGES FOR ROLE orders_import IN SCHEMA orders_import GRANT SELECT ON TABLES TO orders_audit;

-- The repair of all steps with one role (pg_user): it writes a tenant's row, too, besides what orders_import does.
CREATE ROLE amazon_repair LOGIN IN ROLE orders_import;
GRANT INSERT, UPDATE ON tenants TO amazon_repair;
ALTER DEFAULT PRIVILEGES FOR ROLE amazon_repair IN SCHEMA orders_import GRANT SELECT ON TABLES TO orders_audit;

-- mode: purge, run by a role of its own, so that the import itself can delete no order.
CREATE ROLE orders_retention LOGIN;
GRANT USAGE ON SCHEMA public, orders_import TO orders_retention;
GRANT SELECT ON tenants TO orders_retention;
GRANT SELECT, INSERT, UPDATE, DELETE ON orders, order_items TO orders_retention;
ALTER DEFAULT PRIVILEGES FOR ROLE orders_import, amazon_repair IN SCHEMA orders_import
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO orders_retention;

-- The history of the drift report, in a schema of its own (history_table: drift_report.history,
-- history_manage_schema: true). The role can read nothing of the product.
CREATE ROLE drift_report LOGIN;
CREATE SCHEMA drift_report AUTHORIZATION drift_report;
