# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The one plan: what was observed and what is wanted give the items, and the one patch that carries them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import CHECK, plan_absent, plan_wanted
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env_from import plan_env_from
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.forbidden import plan_forbidden
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.foreign import Subject, judged, subjects_of
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import (
    ListEdit,
    Operation,
    edit_list,
    set_keys,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.json_patch import replace as replace_value
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.mounts import plan_mounts
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.patched import patched
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.references import plan_references
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.reloader import Stage
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.restart import (
    marks,
    older_than_files,
    older_than_marked,
    plan_restart,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.rollout import verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired

RESTART = f"{CHECK}/restart"
ROLLOUT = f"{CHECK}/rollout"


@dataclass(frozen=True)
class Plan:
    """Items in the order of the report, the Deployment's patch (empty: nothing to do) and ConfigMap keys to write."""

    items: tuple[Item, ...]
    patch: tuple[Operation, ...] = ()
    contents: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    wish: tuple[Operation, ...] = ()
    """What the Deployment lacks, whether or not it may be written now: the patch without its tests of identity."""
    awaits_reloader: bool = False
    """The pods are to be restarted, and nothing but that is to be done, and Reloader does that by itself."""

    @property
    def refusals(self) -> tuple[Item, ...]:
        """Items that forbid every write."""
        return tuple(item for item in self.items if item.status == "blocked" and item.id != ROLLOUT)


def plan(observed: Observed, desired: Desired, *, written: Iterable[str] = (), stage: Stage = "await") -> Plan:
    """Compare. Pure: nothing is read or written here.

    :param written: ConfigMaps that this run has written already, in a try whose patch then lost a race. Pods may have
        started with what they held before.
    :param stage: how far it is with a restart that Reloader does by itself.

    If any item is blocked, nothing at all may be written: a Deployment that is half as wanted would roll out for
    nothing. The other items keep their status, lose their action, and name what they wait for.
    """
    wanted, env = plan_wanted(observed, desired)
    absent, removed = plan_absent(observed, desired)
    forbidden, cleansed = plan_forbidden(observed, desired)
    sources, env_from = plan_env_from(observed, desired)
    mounts = plan_mounts(observed, desired)
    gone = sorted({*removed, *cleansed.removed} - set(cleansed.replaced))
    env = env.joined(ListEdit(cleansed.replaced, tuple(gone), cleansed.appended))
    wanted, env = plan_references(observed, desired, wanted, env)
    operations = _operations(observed, env, env_from, mounts.volumes, mounts.mounts)
    items = [*wanted, *absent, *forbidden, *sources, *mounts.items]
    if desired.restart_for or desired.config_mounts:
        writing = {*mounts.contents, *written}
        restart = plan_restart(observed, desired, writing=writing, template_changes=bool(operations), stage=stage)
        items.append(restart)
        ours = plan_restart(observed, desired, writing=writing, template_changes=bool(operations), stage="done")
        if operations or ours.action == "restart" or (restart.action == "restart" and stage == "insist"):
            anew = bool(writing) or bool(older_than_files(observed, desired))
            # What Reloader did not restart may be marked already, by an earlier run that insisted.
            secrets_anew = stage == "insist" or bool(older_than_marked(observed, desired))
            new_marks = marks(observed, desired, anew=anew, secrets_anew=secrets_anew, insist=stage == "insist")
            operations += _mark(observed, new_marks)
    precondition = {
        "uid": observed.metadata.get("uid"),
        "generation": observed.metadata.get("generation"),
    }
    items = [replace(item, precondition=item.precondition or precondition) for item in items]
    items.append(_rollout(observed))
    items = judged(items, _subjects(items, observed, operations, mounts.contents), desired.on_foreign_owner)
    if observed.paused and (operations or any(item.action == "restart" for item in items)):
        items = [_paused(item) for item in items]
    made = _settled(items, [*_exactly(observed), *operations] if operations else [], mounts.contents)
    restarting = any(item.id == RESTART and item.action == "restart" for item in made.items)
    return replace(made, wish=tuple(operations), awaits_reloader=restarting and not operations)


def _subjects(
    items: Sequence[Item],
    observed: Observed,
    operations: Sequence[Operation],
    contents: Mapping[str, Mapping[str, str]],
) -> dict[str, Subject]:
    """The objects that the items are about, before and after."""
    maps = {
        name: Subject(
            {"metadata": state.metadata, "data": dict(state.data)},
            {"data": {**state.data, **contents.get(name, {})}},
        )
        for name, state in observed.config_maps.items()
    }
    return subjects_of(items, Subject(observed.deployment, patched(observed.deployment, operations)), maps)


def _settled(items: list[Item], patch: list[Operation], contents: Mapping[str, Mapping[str, str]]) -> Plan:
    refusals = tuple(item.id for item in items if item.status == "blocked" and item.id != ROLLOUT)
    if not refusals:
        return Plan(tuple(items), tuple(patch), contents)
    held = tuple(
        item
        if item.action == "none"
        else replace(
            item, action="none", depends_on=refusals, hint=f"Nothing is written while {refusals[0]} is blocked."
        )
        for item in items
    )
    return Plan(held)


def _operations(
    observed: Observed, env: ListEdit, env_from: list[Any] | None, volumes: ListEdit, mounts: ListEdit
) -> list[Operation]:
    pod = "/spec/template/spec"
    container = f"{pod}/containers/{observed.index}"
    spec = observed.template["spec"]
    operations = edit_list(f"{container}/env", observed.container.get("env"), env)
    if env_from is not None:
        before = observed.container.get("envFrom")
        path = f"{container}/envFrom"
        added: list[Operation] = [{"op": "add", "path": path, "value": env_from}]
        operations += replace_value(path, before, env_from) if before else added
    operations += edit_list(f"{pod}/volumes", spec.get("volumes"), volumes)
    return operations + edit_list(f"{container}/volumeMounts", observed.container.get("volumeMounts"), mounts)


def _exactly(observed: Observed) -> list[Operation]:
    """The patch holds for this object at this generation only: any change of its spec since makes it a conflict.

    The generation, not the resourceVersion: the status is written many times during a rollout.
    """
    name = f"/spec/template/spec/containers/{observed.index}/name"
    return [
        {"op": "test", "path": "/metadata/uid", "value": observed.metadata.get("uid")},
        {"op": "test", "path": "/metadata/generation", "value": observed.metadata.get("generation")},
        {"op": "test", "path": name, "value": observed.container_name},
    ]


def _mark(observed: Observed, values: Mapping[str, str]) -> list[Operation]:
    template = observed.template
    if not values:
        return []
    if not template.get("metadata"):
        return [{"op": "add", "path": "/spec/template/metadata", "value": {"annotations": dict(values)}}]
    return set_keys("/spec/template/metadata/annotations", template["metadata"].get("annotations"), values)


def _rollout(observed: Observed) -> Item:
    """How the last rollout ended, as the object stands."""
    found = verdict(observed.deployment)
    item = Item(
        id=ROLLOUT,
        address=observed.address,
        check=CHECK,
        severity="high",
        status="in_sync",
        before=found.state,
        after="complete",
        reason=f"{found.message[0].upper()}{found.message[1:]}." if found.message else "",
    )
    if found.done:
        return replace(item, after=found.state)
    if found.state == "failed":
        hint = f"See why: kubectl -n {observed.metadata.get('namespace')} describe pods."
        return replace(item, status="error", reason=f"{found.reason}: {found.message}", hint=hint)
    if found.state == "paused":
        return replace(item, status="blocked", hint=_resume(observed))
    return replace(item, status="drifted", hint="A rollout is going on; look again when it is done.")


def _paused(item: Item) -> Item:
    if item not in pending([item]):
        return item
    reason = f"{item.reason} The Deployment is paused, so a change would not roll out."
    return replace(item, status="blocked", action="none", reason=reason, hint="kubectl rollout resume it first.")


def _resume(observed: Observed) -> str:
    metadata = observed.metadata
    return f"kubectl -n {metadata.get('namespace')} rollout resume deployment {metadata.get('name')}"
