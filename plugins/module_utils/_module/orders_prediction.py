# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One tenant of the modes that read a window: what check mode says, and whether there is anything to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import orders_facts, orders_follow, orders_window
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import Call, Seen, look
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import refuse_unplanned
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import BACKFILL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


def planned(call: Call, seen: Seen) -> Item:
    """The one item of this tenant and mode."""
    make = orders_window.plan if call.mode == BACKFILL else orders_follow.plan_follow
    return make(seen.wanted, seen.decision, call.store.orders.name, call.where, seen.importer)


def predicted(call: Call, now: datetime | None = None) -> Outcome:
    """What check mode answers: the item, the plan, and whether the database would let this caller carry it out."""
    seen = look(call, now)
    plan = seen.plan.facts() if seen.plan and planned(call, seen).action != "none" else None
    return prediction(call, seen, {**orders_facts.of_window(seen), "plan": plan})


def prediction(call: Call, seen: Seen, facts: Mapping[str, object]) -> Outcome:
    """The outcome of a look that was taken. :param facts: what is told beside the item and the rights."""
    item = planned(call, seen)
    pending = item.action != "none"
    allowed = {
        "repair_allowed": not seen.denied if pending else None,
        "missing_permissions": list(seen.denied) if pending else [],
    }
    warnings = tuple(f"The repair would be denied: {missing}." for missing in seen.denied) if pending else ()
    return Outcome((item,), changed=pending, facts={**facts, **allowed}, warnings=warnings)


def complete_already(call: Call) -> Outcome | None:
    """The outcome of a call that has nothing to do; ``None`` when there is something.

    :raises StaleError: there is, and it was not planned.
    """
    seen = look(call)
    if seen.decision.kind != "complete":
        refuse_unplanned((planned(call, seen),), call.params.get("planned"))
        return None
    return Outcome((planned(call, seen),), changed=False, facts=orders_facts.of_window(seen))
