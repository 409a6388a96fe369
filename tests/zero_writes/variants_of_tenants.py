# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What could be written about tenants: their documents, their rows, their orders, and what is left at Amazon."""

from __future__ import annotations

from collections.abc import Iterator

from lab import seed
from tests.zero_writes.place import Place
from tests.zero_writes.variant import MANY, NEWCOMER, OTHER, TENANT, Variant


def amazon_tenant_connect(place: Place) -> Iterator[Variant]:
    base = {
        **place.vault,
        **place.postgresql,
        **place.selling_partner,
        "tenant": TENANT,
        "marketplace_id": seed.MARKETPLACE,
        "amazon_seller_central": place.seller_central,
    }
    one = {"seller_id": seed.SELLER_ID}
    other = {"tenant": OTHER, "seller_id": seed.OTHER_SELLER_ID}
    file = {**one, "refresh_token_file": place.refresh_token}
    code = {"authorization_code": place.code, "oauth_state": place.state}
    each = {
        "tenant": None,
        "tenants": [TENANT, OTHER],
        "refresh_token_file": place.refresh_token.replace(TENANT, "{tenant}"),
        "seller_ids": {OTHER: seed.OTHER_SELLER_ID},
    }
    alone = {**other, "tenant": NEWCOMER, "refresh_token_file": place.other_refresh_token, "owner": "new@example.org"}
    for name, given, idle in (
        ("a connection with the stored token", {**one, "state": "present"}, ""),
        ("a connection with the token of a file", {**file, "draft_application": True}, ""),
        ("a connection with a given token", {**one, "refresh_token": place.refresh_value}, ""),
        ("a tenant nobody has connected", {**other, "refresh_token_file": place.other_refresh_token}, ""),
        ("a code, exchanged", {**other, **code}, ""),
        ("a code of another state", {**other, **code, "oauth_state": "another"}, "its state is refused"),
        ("a consent, which is asked for", {**other, "draft_application": True}, "only the seller can help"),
        ("a row of its own", {**alone, "create_row": True}, ""),
        ("no row of its own", {**alone, "create_row": False}, "the tenant has no row, and none is to be made"),
        ("another name to show", {**file, "display_name": "Shop {seller_id}"}, ""),
        ("another owner", {**file, "owner": "new@example.org"}, ""),
        ("another status", {**file, "connected_status": "LINKED"}, ""),
        (
            "another marketplace and region",
            {**file, "marketplace_id": seed.OTHER_MARKETPLACE, "region": "eu-west-1"},
            "",
        ),
        ("another seller", {**file, "seller_id": seed.OTHER_SELLER_ID}, ""),
        ("keys by other names", {**file, "tenant_document_keys": {"seller_id": "merchant"}}, ""),
        ("a document elsewhere", {**file, "tenant_path": "keybuzz/tenants/elsewhere-{tenant}/amazon_spapi"}, ""),
        ("the connection taken away", {"state": "absent"}, ""),
        ("the connection taken away, with another status", {"state": "absent", "disconnected_status": "GONE"}, ""),
        ("the connection taken away, by keys", {"state": "absent", "depth": "keys"}, ""),
        ("the keys alone", {**one, "depth": "keys"}, ""),
        ("all of it", {**one, "depth": "values"}, ""),
        ("two tenants", {"tenant": None, "tenants": [TENANT, OTHER], "connected_status": "LINKED"}, ""),
        ("two tenants with a token file and a seller each", each, ""),
        ("many tenants with a token file and a seller each", {**each, "tenants": MANY}, ""),
        ("many tenants", {"tenant": None, "tenants": MANY, "connected_status": "LINKED"}, ""),
        ("many tenants taken away", {"tenant": None, "tenants": MANY, "state": "absent"}, ""),
    ):
        yield Variant("amazon_tenant_connect", name, given, base, idle=idle)


def amazon_orders_backfill(place: Place) -> Iterator[Variant]:
    base = {
        **place.vault,
        **place.postgresql,
        **place.selling_partner,
        "tenant": TENANT,
        "marketplace_id": seed.MARKETPLACE,
        "until": seed.UNTIL,
        "manage_schema": True,
        "progress_file": f"{place.folder}/progress",
    }
    fresh = {"until": None, "days": 30}
    own = {f"{one}_table": f"another_{one}" for one in ("errors", "runs", "quota")}
    several = {"tenant": None, "tenants": [TENANT, OTHER], "parallel": 2}
    many = {"tenant": None, "tenants": MANY}
    unfinished = {"tenant": OTHER, "days": 7}
    for name, given, idle in (
        ("the window", {"mode": "backfill"}, ""),
        ("a newer window", {**fresh, "mode": "backfill"}, ""),
        ("a newer window in other sizes", {**fresh, "page_size": 10, "expected_orders": 200000}, ""),
        ("a window by any source", {**fresh, "source": "auto"}, ""),
        ("a window by search", {**fresh, "source": "search"}, ""),
        ("a window by a report, which would be ordered", {**fresh, "source": "report"}, ""),
        ("a window by the old interface", {**fresh, "source": "v0"}, ""),
        ("a window under a session's lock", {**fresh, "lock": "session"}, ""),
        ("a window under heartbeats", {**fresh, "lock": "heartbeat"}, ""),
        ("a window under whichever lock works", {**fresh, "lock": "auto"}, ""),
        ("what has changed since", {"mode": "catch_up", "overlap": 60, "max_lag": 60}, ""),
        ("what a list missed", {"mode": "reconcile"}, ""),
        ("what a list missed, by a report", {"mode": "reconcile", "source": "report"}, ""),
        ("what could not be stored", {"mode": "replay"}, ""),
        ("old orders, deleted", {"mode": "purge", "retention_days": 1}, ""),
        ("an unfinished run given up", {**unfinished, "restart": True}, ""),
        ("an unfinished run kept", {**unfinished, "restart": False}, "other parameters are refused"),
        ("the unfinished run, gone on with", {"tenant": OTHER}, ""),
        ("its own tables, created", {**own, "manage_schema": True}, ""),
        ("its own tables, missing", {**own, "manage_schema": False}, "without its tables there is no import"),
        ("two tenants", several, ""),
        ("two tenants' updates", {**several, "mode": "catch_up"}, ""),
        ("two tenants' old orders, deleted", {**several, "mode": "purge", "retention_days": 1}, ""),
        ("two tenants' orders that could not be stored", {**several, "mode": "replay"}, ""),
        ("many tenants", many, ""),
        ("many tenants' updates", {**many, "mode": "catch_up"}, ""),
        ("many tenants' second look", {**many, "mode": "reconcile"}, ""),
        ("many tenants' old orders, deleted", {**many, "mode": "purge", "retention_days": 1}, ""),
    ):
        yield Variant("amazon_orders_backfill", name, given, base, idle=idle)
