# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What an import tells: its facts in JSON types, its warnings, its progress."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_asking import USAGE_PLAN, Asking
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import Call, Seen
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Counters, counters_from
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_plan import Plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_progress import Progress
from ansible_collections.keybuzz.amazon.plugins.module_utils._spapi.sources import iso
from ansible_collections.keybuzz.amazon.plugins.module_utils._store.checkpoint import Run

MAKING = "Amazon prepares"
"""How the reason of a wait for a report begins (``source_report``)."""


def of_window(seen: Seen) -> dict[str, object]:
    """What the database holds of the decided window, and the run that it rests on."""
    run, rows = seen.decision.run, seen.summary
    return {
        "window": {"after": iso(seen.decision.window[0]), "before": iso(seen.decision.window[1])},
        "marketplace_id": seen.wanted.marketplace_id,
        "mode": seen.wanted.mode,
        "source": run.source if run else None,
        "run_id": run.id if run else None,
        "pages": run.pages if run else 0,
        "counts": asdict(counters_from(run.counters if run else {})),
        "order_count": rows.orders,
        "item_count": rows.items,
        "by_status": rows.by_status,
        "by_currency": rows.by_currency,
        "by_line_status": rows.by_line_status,
        "by_day": rows.by_day,
        "resumed": False,
        "this_call": this_call(None, Counters()),
        "sample": [{name: _plain(value) for name, value in row.items()} for row in seen.sample],
    }


def this_call(ask: Asking | None, loaded: Counters) -> dict[str, object]:
    """What one call did: calls of Amazon, seconds waited for what, rows."""
    calls, waited = (dict(ask.calls), dict(ask.waited)) if ask else ({}, {})
    making = sum(seconds for why, seconds in waited.items() if why.startswith(MAKING))
    return {
        "calls": sum(calls.values()),
        "calls_by_operation": calls,
        "throttled_seconds": round(waited.get(USAGE_PLAN, 0.0), 1),
        "report_seconds": round(making, 1),
        "waited_seconds": round(sum(waited.values()), 1),
        **asdict(loaded),
    }


def progress(call: Call, plan: Plan) -> Progress:
    """Opened; the caller closes it."""
    shown = Progress(call.params.get("progress_file"), tenant=call.tenant)
    shown.expects(plan.orders, plan.source)
    return shown


def warnings(run: Run, *, found: int = 0) -> tuple[str, ...]:
    """What somebody should know of a run that is complete."""
    total = counters_from(run.counters)
    said = []
    if total.quarantined:
        said.append(
            f"{total.quarantined} of {total.fetched} orders could not be stored; errors_table names them and why. "
            "mode: replay asks for them again."
        )
    if total.items_left:
        said.append(
            f"{total.items_left} lines are not in the new versions of their orders any more; they are still in "
            "items_table because pg_user may not DELETE there."
        )
    if found:
        said.append(f"{found} orders of the window were missing although its import had ended; they are stored now.")
    return tuple(said)


def _plain(value: Any) -> object:
    """A value in JSON types: Ansible takes no Decimal, and times are ISO 8601 in UTC."""
    if isinstance(value, datetime):
        return iso(value if value.tzinfo else value.replace(tzinfo=UTC))
    return None if value is None else str(value)
