# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Sources of ``envFrom``: the list is atomic for the API, so it is rewritten as a whole, others' entries kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed, env_from_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.owners import in_container, owner_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired, EnvFrom


def merged(entries: Sequence[Any], wanted: Sequence[EnvFrom]) -> list[Any]:
    """The list with every wanted source in it and the wanted ones in their order (the last one wins at run time).

    Missing ones are appended. Only if that breaks the order, the places of the wanted ones are filled anew.
    """
    place = {(one.source, one.prefix): number for number, one in enumerate(wanted)}

    def number(entry: Any) -> int | None:
        have = env_from_of(entry)
        return place.get((have.source, have.prefix))

    here = [number(entry) for entry in entries]
    kept = [
        wanted[at].entry() if at is not None and env_from_of(entry).optional != wanted[at].optional else entry
        for entry, at in zip(entries, here, strict=True)
    ]
    appended = [*kept, *(one.entry() for at, one in enumerate(wanted) if at not in here)]
    order = [at for at in map(number, appended) if at is not None]
    if order == sorted(order):
        return appended
    by_number = {number(entry): entry for entry in appended}
    rest = iter([by_number[at] for at in sorted(set(order))])
    seen: set[int] = set()
    result = []
    for entry in appended:
        at = number(entry)
        if at is None:
            result.append(entry)
        elif at not in seen:
            seen.add(at)
            result.append(next(rest))
    return result


def plan_env_from(observed: Observed, desired: Desired) -> tuple[tuple[Item, ...], list[Any] | None]:
    """Items ``backend_access/env_from/NAME`` and the new list, or None if it stays as it is."""
    entries = list(observed.container.get("envFrom") or ())
    wanted_list = merged(entries, desired.env_from) if desired.env_from else entries
    have = {(one.source, one.prefix): one for one in observed.env_from}
    owner = owner_of(observed.metadata, in_container(observed.container_name, "f:envFrom"))
    items = []
    for one in desired.env_from:
        found = have.get((one.source, one.prefix))
        item = Item(
            id=f"{CHECK}/env_from/{one.name}",
            address=f"{observed.container_address} envFrom {_kind(one)} {one.name}",
            check=CHECK,
            severity="high",
            status="in_sync",
            before="missing" if found is None else described(found),
            after=described(one),
            owner=owner,
        )
        items.append(_judged(observed, desired, one, found, item))
    if wanted_list != entries and all(item.status == "in_sync" for item in items) and items:
        why = "Its variables are overridden in another order than wanted: the last source of envFrom wins."
        order = ", ".join(one.name for one in observed.env_from)
        items[0] = replace(items[0], status="drifted", action="update", before=f"order {order}", reason=why)
        items[0] = replace(items[0], after="order " + ", ".join(env_from_of(entry).name for entry in wanted_list))
    return tuple(items), wanted_list if wanted_list != entries else None


def _judged(observed: Observed, desired: Desired, one: EnvFrom, found: EnvFrom | None, item: Item) -> Item:
    state = observed.sources.get(one.source)
    predicted = one.kind == "secret" and any(
        restart.secret == one.name and restart.will_change for restart in desired.restart_for
    )
    needed = not (one.optional or predicted)
    if found is not None:
        return _listed(one, found, item, gone=needed and state is not None and state.exists is False)
    why = "The source is not in envFrom, so the backend gets none of its variables."
    item = replace(item, status="missing", action="create", reason=why)
    if not needed:
        return item
    if state is None or state.exists is None:
        problem = state.problem if state else "it was not read"
        why = f"{why} Whether it exists is unknown: {problem}."
        return replace(item, status="blocked", action="none", reason=why, hint=f"Allow get on that {_kind(one)}.")
    if not state.exists:
        return replace(
            item,
            status="blocked",
            action="none",
            reason=f"{why} It cannot be added: the {_kind(one)} does not exist, and the container would not start.",
            hint=f"Create the {_kind(one)} first, or set optional.",
        )
    return item


def _listed(one: EnvFrom, found: EnvFrom, item: Item, *, gone: bool) -> Item:
    """The item of a source that is in the list."""
    if gone:
        why = f"The source is in envFrom, and the {_kind(one)} does not exist: no container starts with it any more."
        return replace(item, status="blocked", reason=why, hint=f"Create the {_kind(one)} first, or set optional.")
    if found.optional != one.optional:
        why = "Whether the source may be missing is not as wanted."
        return replace(item, status="drifted", action="update", reason=why)
    return item


def described(one: EnvFrom) -> str:
    """``Secret vault-token``, with prefix and optional where they are set."""
    extra = [f"prefix {one.prefix}"] if one.prefix else []
    extra += ["optional"] if one.optional else []
    return f"{_kind(one)} {one.name}" + (f" ({', '.join(extra)})" if extra else "")


def _kind(one: EnvFrom) -> str:
    return "Secret" if one.kind == "secret" else "ConfigMap"
