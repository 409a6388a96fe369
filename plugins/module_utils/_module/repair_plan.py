# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module repair_plan does: write a plan from a look, or hold a look against a plan."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import UNCHECKED, Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan import document, entries
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import Group
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.hold import hold
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.document import iso, parse_items
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.files import write_text


def run(params: Mapping[str, Any], now: datetime.datetime) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The result of the module, and warnings.

    :param now: aware.
    :raises BadInputError: nothing was looked at, the file cannot be written or is no plan, or the plan may not be
        applied here.
    """
    looked_at = [
        (_place(raw), parse_items(raw["drift"], raw["name"]), str(raw["error"])) for raw in params["environments"]
    ]
    for place, items, error in looked_at:
        if error or not items:
            why = error or "nothing was looked at"
            raise BadInputError("planning", f"environment {place.name}", why, "Mend this, then plan.")
    return _held(params, looked_at, now) if params["state"] == "held" else _written(params, looked_at, now)


Looked = Sequence[tuple[document.Place, tuple[Item, ...], str]]


def _place(raw: Mapping[str, Any]) -> document.Place:
    servers = {str(name): str(server) for name, server in (raw.get("servers") or {}).items()}
    return document.Place(str(raw["name"]), servers, tuple(str(tenant) for tenant in raw.get("tenants") or ()))


def _written(
    params: Mapping[str, Any], looked_at: Looked, now: datetime.datetime
) -> tuple[dict[str, Any], tuple[str, ...]]:
    plans = [(place, entries.planned(items)) for place, items, _error in looked_at]
    made = document.signed(document.compose(plans, iso(now)), params.get("signing_key"))
    write_text(params["path"], json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    warnings = []
    for (place, items, _error), (_place, planned) in zip(looked_at, plans, strict=True):
        ids = {one["id"] for one in planned}
        unknown = [item.id for item in items if item.status in UNCHECKED and item.id not in ids]
        if unknown:
            warnings.append(f"{place.name}: not in the plan, because it could not be checked: {', '.join(unknown)}.")
    result = {
        "planned": {place.name: [one["id"] for one in planned] for place, planned in plans},
        "key_id": made.get("signature", {}).get("key_id"),
    }
    return result, tuple(warnings)


def _held(
    params: Mapping[str, Any], looked_at: Looked, now: datetime.datetime
) -> tuple[dict[str, Any], tuple[str, ...]]:
    if len(looked_at) != 1:
        raise BadInputError(
            "reading option",
            "environments",
            f"there are {len(looked_at)}, and a plan is held against one at a time",
            "Call the module once for each environment.",
        )
    place, items, _error = looked_at[0]
    path = params["path"]
    planned = document.require(
        document.read(path), path, place, now, public_key=params.get("public_key"), max_age=params["max_age"]
    )
    held = hold(planned, items)
    refused = [{"id": one.id, "why": one.why} for one in held.refused]
    return {
        "apply": [one for one in planned if entries.group_of(one["id"], one["check"]) in held.groups],
        "steps": sorted({group.check for group in held.groups}),
        "tenants": {check: _tenants(held.groups, check) for check in ("amazon_tenant", "amazon_orders")},
        "refused": refused,
        "unplanned": [one.id for one in held.unplanned],
        "done": list(held.done),
    }, tuple(f"Stale, not applied: {one['id']}: {one['why']}." for one in refused)


def _tenants(groups: frozenset[Group], check: str) -> list[str]:
    return sorted(group.tenant for group in groups if group.check == check)
