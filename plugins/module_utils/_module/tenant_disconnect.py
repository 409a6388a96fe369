# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Taking a tenant's connection away: the row first, so that the product stops; then the token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Fingerprints, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.amazon_documents import Content
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_plan import CHECK


def plan(
    tenant: str, document: Content, row: Mapping[str, Any], row_address: str, disconnected_status: str
) -> tuple[Item, ...]:
    """Row and document of a tenant that should not be connected. Amazon is not asked."""
    return (_row(tenant, row, row_address, disconnected_status), _document(tenant, document))


def _row(tenant: str, row: Mapping[str, Any], address: str, disconnected_status: str) -> Item:
    item_id = f"{CHECK}/{tenant}/row"
    if row.get("status") == disconnected_status:
        return Item(item_id, address, CHECK, "info", "in_sync")
    return Item(
        item_id,
        address,
        CHECK,
        "high",
        "drifted",
        "update",
        before={"status": row.get("status")},
        after={"status": disconnected_status},
        reason="The row says that the tenant is connected, and it should not be.",
        hint="A repair sets the status.",
    )


def _document(tenant: str, content: Content) -> Item:
    item_id, document = f"{CHECK}/{tenant}/document", content.document
    if not content.values.get("refresh_token"):
        return Item(item_id, document.address, CHECK, "info", "in_sync", sensitive=True)
    return Item(
        item_id,
        document.address,
        CHECK,
        "high",
        "forbidden_present",
        "remove",
        sensitive=True,
        before={"refresh_token": Fingerprints().of(content.values["refresh_token"])},
        after={"refresh_token": "missing"},
        reason="The document still holds the seller's token.",
        hint="A repair writes a version without it. Older versions keep it until they are destroyed.",
        precondition={"version": document.version},
    )
