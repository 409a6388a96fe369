# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Variables that must not reach the process, whether they stand in ``env`` or arrive by ``envFrom``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.display import shown
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import (
    BYPASS,
    BYPASS_REASON,
    CHECK,
    arrival,
    explicit,
    unseen,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.forbidden_flags import plan_flags
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import ListEdit
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import in_container, named, owner_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.process_env import ProcessEnv, Reached, process_env
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired, Forbidden

SKIP_VERIFY = "VAULT_SKIP_VERIFY"
# Go's strconv.ParseBool, by which Vault's client reads it; empty is as unset.
FALSE = frozenset({"", "0", "f", "F", "false", "FALSE", "False"})
OVERRIDES: Mapping[str, str] = {BYPASS: "1", SKIP_VERIFY: "false"}
"""Harmless values of the variables we know: an explicit entry with one of them wins over ``envFrom``."""
REASONS: Mapping[str, str] = {
    BYPASS: BYPASS_REASON,
    SKIP_VERIFY: "VAULT_SKIP_VERIFY switches off the verification of Vault's certificate, so the token travels to an "
    "unverified peer",
}


def harmful(name: str, value: str, forbidden_value: str | None) -> bool:
    """Whether this value is what is forbidden. Without a given value: any that is not known to be harmless."""
    if forbidden_value is not None:
        return value == forbidden_value
    if name == BYPASS:
        return value == "0"  # only exactly "0" disables verification [measured on Node 20]
    return value not in FALSE if name == SKIP_VERIFY else True


def plan_forbidden(observed: Observed, desired: Desired) -> tuple[tuple[Item, ...], ListEdit]:
    """Items ``backend_access/forbidden/NAME`` and the edit of ``env`` that takes them out.

    What is wanted by name is not forbidden: the user's explicit wish is judged where it is planned.
    """
    wanted = {variable.name for variable in desired.env}
    resolved = process_env(observed.env, observed.env_from, observed.sources)
    items: list[Item] = []
    edits = ListEdit()
    for one in desired.forbidden:
        if one.name in wanted or one.flags:
            continue
        item, edit = _plan(observed, one, resolved)
        items.append(item)
        edits = edits.joined(edit)
    flags = plan_flags(observed, desired, resolved)
    if flags is not None:
        items.append(flags[0])
        edits = edits.joined(flags[1])
    return tuple(items), edits


def _plan(observed: Observed, one: Forbidden, resolved: ProcessEnv) -> tuple[Item, ListEdit]:
    item = Item(
        id=f"{CHECK}/forbidden/{one.name}",
        address=f"{observed.container_address} env {one.name}",
        check=CHECK,
        severity="critical" if one.name in REASONS else "medium",
        status="in_sync",
        before="missing",
        after="missing",
        owner=owner_of(observed.metadata, in_container(observed.container_name, "f:env", named(one.name))),
    )
    at = explicit(observed.env, one.name)
    arriving = arrival(one.name, observed.env_from, observed.sources) if one.in_env_from else None
    bad_arrival = arriving is not None and harmful(one.name, arriving.value, one.value)
    if at:
        reached = [resolved.entries[index] for index in at]
        item, edit = _explicit(observed, one, item, at, reached)
        open_to_envfrom = item.status == "forbidden_present" or all(found.state == "unset" for found in reached)
        if bad_arrival and open_to_envfrom and item.status != "unknown":
            return _shadowed(replace(item, reason=_why(one)), one, at)
        return item, edit  # whatever stands in env wins over envFrom
    if arriving is not None and bad_arrival:
        return _overridden(item, one, arriving.place)
    problems = unseen(one.name, observed.env_from, observed.sources) if one.in_env_from else ()
    if problems:
        reason = f"It could not be looked whether the variable arrives by envFrom: {'; '.join(problems)}."
        hint = "Allow get on these sources."
        return replace(item, status="unknown", before="unknown", reason=reason, hint=hint), ListEdit()
    return item, ListEdit()


def _explicit(
    observed: Observed, one: Forbidden, item: Item, at: tuple[int, ...], reached: list[Reached]
) -> tuple[Item, ListEdit]:
    before = shown(observed.env[at[-1]])
    unknown = [found for found in reached if found.text is None and found.state != "unset"]
    if unknown and one.value is not None:
        return replace(
            item,
            status="unknown",
            before=before,
            reason=f"It stands in env, {before}, and that value is not known: {unknown[0].problem}.",
            hint="Remove the entry, or allow get on what it refers to.",
        ), ListEdit()
    values = [found.text for found in reached if found.state != "unset" or one.value is None]
    if not any(value is None or harmful(one.name, value, one.value) for value in values):
        return replace(item, before=before, after=before), ListEdit()
    found = replace(item, status="forbidden_present", action="remove", before=before, reason=_why(one))
    return found, ListEdit(removed=at)


def _shadowed(item: Item, one: Forbidden, at: tuple[int, ...]) -> tuple[Item, ListEdit]:
    """Taking the entry out would let the one of ``envFrom`` through: make it harmless instead, where we know how."""
    if one.name not in OVERRIDES:
        reason = f"{item.reason} Without the entry in env it would arrive by envFrom."
        return replace(item, action="none", status="insecure", reason=reason), ListEdit()
    entry = {"name": one.name, "value": OVERRIDES[one.name]}
    hint = "It arrives by envFrom too: remove it there."
    return (
        replace(item, status="forbidden_present", action="update", after=OVERRIDES[one.name], hint=hint),
        ListEdit(replaced={at[0]: entry}, removed=at[1:]),
    )


def _overridden(item: Item, one: Forbidden, place: str) -> tuple[Item, ListEdit]:
    reason = f"{_why(one)} It arrives {place}, which is not ours to edit."
    hint = f"Remove the key from its source: {place.removeprefix('from ')}."
    if one.name not in OVERRIDES:
        return replace(item, status="insecure", before=place, reason=reason, hint=hint), ListEdit()
    value = OVERRIDES[one.name]
    entry = {"name": one.name, "value": value}
    found = replace(
        item,
        status="forbidden_present",
        action="update",
        before=place,
        after=value,
        reason=reason,
        hint=f"{hint} Until then an explicit entry {one.name}={value} wins over it.",
    )
    return found, ListEdit(appended=(entry,))


def _why(one: Forbidden) -> str:
    return f"{REASONS.get(one.name, 'The variable is forbidden here')}."
