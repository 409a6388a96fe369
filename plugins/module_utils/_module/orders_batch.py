# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The look of :mod:`orders_look` at many tenants at once: a query for all of them where that one asks for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_look import (
    Call,
    Seen,
    decided,
    inspected,
    lacking,
    rested_on,
    wanted_of,
    window_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_page import Targets
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.orders_window import Decision, Wanted
from ansible_collections.keybuzz.amazon.plugins.module_utils._store import checkpoint, lock, schema, summary, tenants

if TYPE_CHECKING:
    from ansible_collections.keybuzz.amazon.plugins.module_utils._store.connection import Cursor


@dataclass
class Tables:
    """What is the same for all tenants, asked for once.

    :param found: the tables as the catalogue has them, by option.
    :param denied: rights that an import needs and the caller has not; ``None``: nobody wanted to know yet.
    """

    found: Mapping[str, schema.Found]
    targets: Targets
    denied: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Known:
    """What the database says of one tenant before its rows are counted."""

    wanted: Wanted
    runs: tuple[checkpoint.Run, ...]
    rested_on: tuple[checkpoint.Run, ...]
    stored: dict[str, tuple[int, int]] = field(default_factory=dict)


def tables(cursor: Cursor, call: Call) -> Tables:
    """:raises SchemaError: tables, columns, keys or privileges are missing."""
    return Tables(*inspected(cursor, call))


def look(
    cursor: Cursor, call: Call, shared: Tables, names: Sequence[str], now: datetime
) -> dict[str, Seen | KeybuzzError]:
    """What :func:`orders_look.look` sees of each tenant in check mode, or why it cannot be looked at.

    Left out is what no decision rests on: the plan, the sample, and how the rows divide. The rows are counted only
    where the decision needs that.
    """
    # Many small lookups by an index: compiling them would take longer than they do.
    cursor.execute("SELECT set_config('jit', 'off', true) WHERE current_setting('jit', true) IS NOT NULL")
    wanted, failed = _wanted(cursor, call, names)
    seen: dict[str, Seen | KeybuzzError] = {**failed}
    known = _known(cursor, call, shared, wanted, now)
    _count(cursor, shared.targets, known)
    decisions = {name: decided(one.wanted, one.runs, one.stored, now) for name, one in known.items()}
    pending = [name for name, decision in decisions.items() if decision.kind != "complete"]
    importers = _importers(cursor, call, shared, pending) if pending else {}
    for name, decision in decisions.items():
        seen[name] = Seen(
            wanted=known[name].wanted,
            decision=decision,
            summary=_summary(decision, known[name].stored),
            sample=(),
            importer=importers.get(name),
            targets=shared.targets,
            runs=known[name].runs,
            denied=(shared.denied or ()) if decision.kind != "complete" else (),
        )
    return seen


def _wanted(cursor: Cursor, call: Call, names: Sequence[str]) -> tuple[dict[str, Wanted], dict[str, KeybuzzError]]:
    """What is asked for of each tenant, and why nothing can be asked for of some."""
    table = call.store.tenants
    rows = tenants.read_all(cursor, table, names)
    others = tenants.some(cursor, table) if any(name not in rows for name in names) else ()
    wanted: dict[str, Wanted] = {}
    failed: dict[str, KeybuzzError] = {}
    for name in names:
        try:
            wanted[name] = wanted_of(of_tenant(call, name), rows.get(name), others)
        except KeybuzzError as error:
            failed[name] = error
    return wanted, failed


def _known(
    cursor: Cursor, call: Call, shared: Tables, wanted: Mapping[str, Wanted], now: datetime
) -> dict[str, _Known]:
    runs: Mapping[str, tuple[checkpoint.Run, ...]] = {}
    table = shared.found["runs_table"]
    if table.exists:
        places = {name: one.marketplace_id for name, one in wanted.items()}
        runs = checkpoint.runs_of_many(cursor, call.store.runs, places, call.mode, table.types)
    return {
        name: _Known(one, runs.get(name, ()), rested_on(one, runs.get(name, ()), now)) for name, one in wanted.items()
    }


def of_tenant(call: Call, name: str) -> Call:
    """The same call for one tenant."""
    return replace(call, params={**call.params, "tenant": name})


def _count(cursor: Cursor, targets: Targets, known: Mapping[str, _Known]) -> None:
    """The rows of all windows that have to be counted, by one query."""
    asked = [(one, run) for one in known.values() for run in one.rested_on]
    windows = [window_of(one.wanted, (run.after, run.before)) for one, run in asked]
    if not windows:
        return
    counts = summary.counts_of_many(cursor, targets.orders, targets.items, windows)
    for (one, run), found in zip(asked, counts, strict=True):
        one.stored[run.id] = found


def _summary(decision: Decision, stored: Mapping[str, tuple[int, int]]) -> summary.Summary:
    run = decision.run
    if run is None or run.id not in stored or decision.window != (run.after, run.before):
        return summary.Summary()
    return summary.Summary(*stored[run.id])


def _importers(cursor: Cursor, call: Call, shared: Tables, names: Sequence[str]) -> dict[str, str]:
    if shared.denied is None:
        shared.denied = lacking(cursor, call, shared.found)
    beats = "heartbeatAt" in shared.found["runs_table"].types
    return lock.importers(cursor, call.store.runs if beats else None, names)
