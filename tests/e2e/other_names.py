# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What everything is called at Acme, and the inventory that says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import seed
from lab.cluster import access

TENANT = "nord.42"
SELLER = seed.OTHER_TENANT  # as whom the lab's Amazon knows Acme's only customer
MARKETPLACE = seed.OTHER_MARKETPLACE
NAMESPACE, OLD_NAMESPACE = "acme-shop", "acme-legacy"
DEPLOYMENT, CONTAINER = "acme-portal", "portal"
MOUNT = "acme/kv"
APP_PATH = "shops/amazon-app"
TENANT_PATH = "shops/amazon-{tenant}/grant"
READER = "acme-shop-reader"  # the backend's policy
MAKER = "acme-shop-maker"  # the token role that makes its tokens
APP_KEYS = {
    "client_id": "lwaId",
    "client_secret": "lwaSecret",
    "application_id": "solution",
    "redirect_uri": "callback",
    "region": "zone",
}
SECRET_KEYS = {
    "client_id": "LWA_ID",
    "client_secret": "LWA_SECRET",
    "application_id": "SOLUTION",
    "redirect_uri": "CALLBACK",
    "region": "ZONE",
}
TENANT_KEYS = {
    "refresh_token": "grant",
    "seller_id": "partner",
    "marketplace_id": "shop",
    "region": "zone",
    "created_at": "since",
}
FOREIGN = {"contact": "ops@acme.example"}  # somebody else's key in the tenant's document
# Logical column to Acme's; empty where Acme has none.
TENANT_COLUMNS = {
    "tenantId": "merchant_id",
    "status": "state",
    "displayName": "label",
    "owner": "",
    "marketplaceId": "shop",
    "sellerId": "amazonPartner",
    "updatedAt": "changed_at",
}
ORDER_COLUMNS = {
    "tenantId": "merchant_id",
    "externalOrderId": "sale_no",
    "orderRef": "short_no",
    "marketplaceId": "shop",
    "orderDate": "sold_at",
    "totalAmount": "gross",
    "currency": "unit",
    "amountBasis": "",
    "orderStatus": "phase",
    "fulfillmentChannel": "shippedBy",
    "lastUpdatedAt": "amazon_changed_at",
    "updatedAt": "",
}
ITEM_COLUMNS = {
    "tenantId": "merchant_id",
    "externalOrderId": "sale_no",
    "externalItemId": "line no",
    "sku": "article",
    "asin": "",
    "title": "name",
    "quantityOrdered": "order",
    "quantityFulfilled": "sent",
    "unitPrice": "each",
    "lineTotal": "gross",
    "currency": "unit",
    "lineStatus": "lineState",
    "updatedAt": "changed_at",
}
TABLES = f"""
CREATE SCHEMA acme;
CREATE TABLE acme.merchants (
    merchant_id text PRIMARY KEY, state text NOT NULL, label text, shop text, "amazonPartner" varchar(32),
    changed_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE acme.sales (
    merchant_id text NOT NULL REFERENCES acme.merchants, sale_no varchar(40) NOT NULL, short_no text, shop text,
    sold_at timestamptz NOT NULL, gross numeric(14, 2), unit text, phase text NOT NULL, "shippedBy" text,
    amazon_changed_at timestamptz NOT NULL, UNIQUE (sale_no, merchant_id));
CREATE TABLE acme.sale_lines (
    merchant_id text NOT NULL, sale_no varchar(40) NOT NULL, "line no" text NOT NULL, article text, name text,
    "order" integer NOT NULL, sent integer, each numeric, gross numeric, unit text, "lineState" text,
    changed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (merchant_id, sale_no, "line no"));
INSERT INTO acme.merchants VALUES ('{TENANT}', 'NEW', 'Nordlicht', NULL, NULL), ('sued.7', 'NEW', NULL, NULL, NULL);
GRANT USAGE, CREATE ON SCHEMA acme TO keybuzz_repair;
GRANT SELECT, UPDATE ON acme.merchants TO keybuzz_repair;
GRANT SELECT, INSERT, UPDATE ON acme.sales, acme.sale_lines TO keybuzz_repair;
"""
RULES = {
    NAMESPACE: [
        access.rule("", ["secrets"], ["get"], ["acme-ledger", "acme-lwa"]),
        access.rule("", ["secrets"], ["get", "patch"], ["acme-vault-access"]),
        access.rule("", ["configmaps"], ["get"], ["acme-trust"]),
        access.rule("", ["configmaps"], ["create"]),
        access.rule("apps", ["deployments"], ["get", "patch"], [DEPLOYMENT]),
        access.rule("", ["pods"], ["list"]),
        access.rule("coordination.k8s.io", ["leases"], ["get", "update"], ["acme-repair"]),
        access.rule("coordination.k8s.io", ["leases"], ["create"]),
    ],
    OLD_NAMESPACE: [access.rule("", ["secrets"], ["get"], ["old-access"])],
}
IMAGES = ("acme-portal:7", "acme-metrics:1")
LABELS = {"app": "acme-portal"}


def inventory(state: Mapping[str, Any], tokens: Mapping[str, Path]) -> dict[str, Any]:
    """Variables of the host ``acme``: every name there is, and where the lab's servers are.

    :param state: the lab's state.json.
    :param tokens: files of the Vault tokens ``repair`` and ``bootstrap``; the tenants' tokens lie beside them.
    """
    return {
        "vault_addr": state["vault"]["addr"],
        "vault_ca_cert": state["vault"]["ca_file"],
        "vault_token_file": str(tokens["repair"]),
        "vault_bootstrap_token_file": str(tokens["bootstrap"]),
        "vault_mount": MOUNT,
        "vault_app_path": APP_PATH,
        "vault_tenant_path": TENANT_PATH,
        "vault_app_document_keys": APP_KEYS,
        "vault_tenant_document_keys": TENANT_KEYS,
        "vault_token_policy": READER,
        "vault_token_role": MAKER,
        "vault_token_copy_from": {"namespace": OLD_NAMESPACE, "secret": "old-access", "key": "old.token"},
        "kubeconfig": state["kubernetes"]["kubeconfigs"]["repair"],
        "backend_namespace": NAMESPACE,
        "repair_lease_name": "acme-repair",
        "backend_deployment": DEPLOYMENT,
        "backend_container": CONTAINER,
        "backend_secrets": {
            "database": "acme-ledger",
            "vault_token": "acme-vault-access",
            "amazon_app": "acme-lwa",
        },
        "backend_vault_token_key": "ACME_VAULT_SECRET",
        "backend_vault_addr": state["vault"]["addr"],
        "backend_vault_addr_variable": "ACME_VAULT_URL",
        "vault_ca_config_map": "acme-trust",
        "vault_ca_volume": "trusted",
        "vault_ca_key": "bundle.pem",
        "vault_ca_mount_path": "/opt/acme/trust",
        "amazon_app_source_keys": SECRET_KEYS,
        "pg_host": state["postgres"]["host"],
        "pg_port": state["postgres"]["port"],
        "pg_dbname": state["postgres"]["dbname"],
        "pg_user": state["postgres"]["users"]["repair"],
        "pg_passfile": state["postgres"]["passfile"],
        "pg_sslrootcert": state["postgres"]["ca_file"],
        "tenants_table": "acme.merchants",
        "tenant_columns": TENANT_COLUMNS,
        "amazon_tenant_connected_status": "LIVE",
        "amazon_tenant_seller_ids": {TENANT: seed.OTHER_SELLER_ID},
        "amazon_tenant_refresh_token_file": str(tokens["repair"].with_name("{tenant}.acme")),
        "amazon_marketplace_id": MARKETPLACE,
        "amazon_endpoint": state["amazon"]["endpoint"],
        "amazon_lwa_url": state["amazon"]["lwa_url"],
        "amazon_ca_cert": state["amazon"]["ca_file"],
        "amazon_orders_until": state["until"],
        "amazon_orders_manage_schema": True,
        "amazon_orders_table": "acme.sales",
        "amazon_orders_columns": ORDER_COLUMNS,
        "amazon_orders_items_table": "acme.sale_lines",
        "amazon_orders_item_columns": ITEM_COLUMNS,
        "amazon_orders_errors_table": "acme.rejects",
        "amazon_orders_runs_table": "acme.imports",
        "amazon_orders_quota_table": "acme.buckets",
    }
