# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  vault_mount:
    description:
      - Mount of the key-value engine that holds the documents. It may have several segments, as V(team/kv).
    type: str
    default: secret
  app_path:
    description:
      - Path of the application's document, below O(vault_mount).
    type: str
    default: keybuzz/amazon_spapi/app
  tenant_path:
    description:
      - Path of the tenant's document, below O(vault_mount). C({tenant}) stands for the tenant.
    type: str
    default: keybuzz/tenants/{tenant}/amazon_spapi
  app_document_keys:
    description:
      - Names of the keys in the application's document where they differ from the usual C(client_id),
        C(client_secret), C(application_id), C(redirect_uri), C(region).
    type: dict
    default: {}
  tenant_document_keys:
    description:
      - Names of the keys in the tenant's document where they differ from the usual C(refresh_token), C(seller_id),
        C(marketplace_id), C(region), C(created_at).
    type: dict
    default: {}
"""
