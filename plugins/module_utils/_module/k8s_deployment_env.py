# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module k8s_deployment_env does: look, plan, and outside check mode write once and wait for one rollout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, pending
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BlockedError, StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.address import apps
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import (
    JSON_PATCH,
    AdmissionRefused,
    Conflict,
    KubeClient,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.config_map import write_config_map
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed, read_deployment
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.display import shown
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import effective
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env_from import described
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.observe import Look
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import ROLLOUT, Plan, plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.pods import summary, why_not_ready
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.rollout import Rollout, deadline, verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wait import wait_for_rollout
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired

Protect = Callable[[Iterable[str | None]], None]

TRIES = 4
"""How often a lost race is planned anew before it is reported."""
RECOVERY = 330.0
"""Seconds that pods get to recover: kubelets wait at most 300 s before they start a container again."""


class NotAppliedError(BlockedError):
    """The repair could not be carried out or did not end well. ``outcome`` holds what was found and done."""

    def __init__(self, doing: str, address: str, answered: str, remedy: str, outcome: Outcome) -> None:
        super().__init__(doing, address, answered, remedy)
        self.outcome = outcome


class RolloutFailedError(NotAppliedError):
    """What was wanted is written, and the Deployment does not come up with it."""

    status = "error"


@dataclass(frozen=True)
class _Permission:
    """Whether the repair would be allowed; ``allowed`` is None when there is nothing to repair."""

    allowed: bool | None = None
    missing: tuple[str, ...] = ()


def run(client: KubeClient, desired: Desired, protect: Protect, *, check_mode: bool) -> Outcome:
    """Look, plan, and outside check mode repair and wait.

    :raises NotAppliedError: outside check mode, when a precondition forbids the change (nothing was written).
    :raises RolloutFailedError: the change is written, and the rollout failed or did not end in time.
    :raises StaleError: somebody else changed the objects four times in a row.
    """
    return _look_only(client, desired, protect) if check_mode else _repair(client, desired, protect)


def _look_only(client: KubeClient, desired: Desired, protect: Protect) -> Outcome:
    for tries_left in reversed(range(TRIES)):
        look = Look(client, desired, protect)
        observed = look.observe()
        made = plan(observed, desired)
        permission = _permission(client, desired, observed, made)
        try:
            items = _asked(client, desired, observed, made, permission)
            break
        except Conflict:
            if not tries_left:
                raise
    state = verdict(observed.deployment)
    pods = look.pods(observed) if state.state in {"failed", "progressing"} else observed.pods
    if pods and not state.done:
        items = tuple(_explained(item, pods) if item.id == ROLLOUT else item for item in items)
    facts = _facts(observed, desired, permission, pods)
    warnings = tuple(f"The repair would be denied: {missing}." for missing in permission.missing)
    return Outcome(items, changed=bool(pending(items)), facts=facts, warnings=warnings)


def _repair(client: KubeClient, desired: Desired, protect: Protect) -> Outcome:
    # What check mode predicts has happened by now, or will not.
    desired = replace(desired, restart_for=tuple(replace(one, will_change=False) for one in desired.restart_for))
    first: tuple[Item, ...] | None = None
    written: set[str] = set()
    for tries_left in reversed(range(TRIES)):
        look = Look(client, desired, protect)
        observed = look.observe()
        made = plan(observed, desired, written=written)
        first = first or made.items
        if made.refusals:
            _refuse(
                made.refusals,
                Outcome(first, changed=bool(written), remaining=made.items, facts=_facts(observed, desired)),
            )
        try:
            for name, values in made.contents.items():
                write_config_map(client, desired.namespace, name, observed.config_maps[name], values)
                written.add(name)
            deployment = _patched(client, desired, made)
            break
        except Conflict as error:
            if not tries_left:
                raise StaleError(
                    error.doing,
                    error.address,
                    f"it was changed by others {TRIES} times while the change was planned",
                    "Find out who writes it (kubectl get --show-managed-fields), then run again.",
                ) from None
    again = Look(client, desired, protect)
    remaining, facts, failed = _waited(client, desired, again, deployment or observed.deployment, new=bool(made.patch))
    outcome = Outcome(first or (), changed=bool(written or made.patch), remaining=remaining, facts=facts)
    if failed is not None:
        raise RolloutFailedError(
            "waiting for the rollout of", failed.address, failed.reason.rstrip("."), failed.hint, outcome
        )
    return outcome


def _patched(client: KubeClient, desired: Desired, made: Plan, *, dry_run: bool = False) -> dict[str, Any] | None:
    if not made.patch:
        return None
    path = apps(desired.namespace, "deployments", desired.deployment)
    return client.patch(path, list(made.patch), content_type=JSON_PATCH, dry_run=dry_run)


def _waited(
    client: KubeClient, desired: Desired, look: Look, deployment: Mapping[str, Any], *, new: bool
) -> tuple[tuple[Item, ...], dict[str, object], Item | None]:
    """Wait for the rollout and look again: what is left, the facts, and the rollout's item if it did not end well.

    :param new: this run has started the rollout. One that had failed before may yet succeed: what its pods lacked can
        have been repaired elsewhere (a document in Vault), and the Deployment says so only when they are ready.
    """
    state = verdict(deployment)
    recovering = state.state == "failed" and not new
    if desired.wait and (state.state == "progressing" or recovering):
        patience = RECOVERY if recovering else deadline(deployment)
        state, deployment = wait_for_rollout(
            lambda: read_deployment(client, desired.namespace, desired.deployment),
            generation=int(deployment["metadata"].get("generation") or 0),
            timeout=desired.wait_timeout if desired.wait_timeout is not None else patience,
            recovering=recovering,
        )
    after = look.observe(deployment)
    remaining = plan(after, desired).items
    if state.done:
        return remaining, _facts(after, desired), None
    pods = look.pods(after)
    remaining = tuple(
        _explained(_ended(item, state, desired), pods) if item.id == ROLLOUT else item for item in remaining
    )
    failed = next(item for item in remaining if item.id == ROLLOUT) if desired.wait else None
    return remaining, _facts(after, desired, pods=pods), failed


def _ended(item: Item, state: Rollout, desired: Desired) -> Item:
    """The rollout's item after waiting: what is not complete by now has failed, unless nobody wanted to wait."""
    if state.done or not desired.wait or state.state == "paused":
        return item
    if state.state == "failed":
        return replace(item, status="error", reason=f"{state.reason}: {state.message}")
    hint = "Look at the pods, or raise wait_timeout."
    return replace(item, status="error", reason=f"It did not end in time: {state.message}.", hint=hint)


def _explained(item: Item, pods: tuple[Mapping[str, Any], ...]) -> Item:
    reasons = why_not_ready(pods)
    return replace(item, reason=f"{item.reason.rstrip('.')}: {'; '.join(reasons)}.") if reasons else item


def _refuse(refusals: tuple[Item, ...], outcome: Outcome) -> None:
    first = refusals[0]
    more = f" ({len(refusals) - 1} more: see drift)" if len(refusals) > 1 else ""
    answered = f"nothing was written, because {first.id} is blocked{more}: {first.reason.rstrip('.')}"
    raise NotAppliedError("repairing", first.address, answered, first.hint, outcome)


def _permission(client: KubeClient, desired: Desired, observed: Observed, made: Plan) -> _Permission:
    """Ask the server whether this caller may carry the plan out: only if there is something to carry out."""
    asked = []
    if made.patch:
        asked.append(("patch", "apps", "deployments", desired.deployment))
    for name in made.contents:
        verb = "patch" if observed.config_maps[name].exists else "create"
        asked.append((verb, "", "configmaps", name))
    if not asked:
        return _Permission()
    missing = tuple(
        f"{verb} {resource}{'.' if group else ''}{group} {desired.namespace}/{name}"
        for verb, group, resource, name in asked
        if not client.may(verb, group, resource, desired.namespace, name)
    )
    return _Permission(not missing, missing)


def _asked(
    client: KubeClient, desired: Desired, observed: Observed, made: Plan, permission: _Permission
) -> tuple[Item, ...]:
    """The items, with the server's own opinion by dry run, or with a word that the repair would be denied."""
    if permission.allowed is None:
        return made.items
    if not permission.allowed:
        hint = f"The repair would be denied: {', '.join(permission.missing)}."
        return tuple(
            replace(item, hint=f"{item.hint} {hint}".strip()) if item.action != "none" else item for item in made.items
        )
    try:
        for name, values in made.contents.items():
            write_config_map(client, desired.namespace, name, observed.config_maps[name], values, dry_run=True)
        _patched(client, desired, made, dry_run=True)
    except AdmissionRefused as error:
        return tuple(_not_admitted(item, error) if item.action != "none" else item for item in made.items)
    return made.items


def _not_admitted(item: Item, error: AdmissionRefused) -> Item:
    reason = f"{item.reason} But {error.answered}."
    return replace(item, status="blocked", action="none", reason=reason, hint=error.remedy)


def _facts(
    observed: Observed,
    desired: Desired,
    permission: _Permission | None = None,
    pods: tuple[Mapping[str, Any], ...] | None = None,
) -> dict[str, object]:
    names = desired.managed_names
    return {
        "deployment": {
            "namespace": desired.namespace,
            "name": desired.deployment,
            "container": observed.container_name,
            "generation": observed.metadata.get("generation"),
            "observed_generation": (observed.deployment.get("status") or {}).get("observedGeneration"),
        },
        "effective_env": effective(observed, names),
        "backend_configuration": {
            "env": [
                {"name": str(entry.get("name")), "value": shown(entry)}
                for entry in observed.env
                if entry.get("name") in names
            ],
            "env_from": [described(source) for source in observed.env_from],
            "mounts": [
                f"ConfigMap {wanted.config_map} at {wanted.mount_path}"
                for wanted in desired.config_mounts
                if any(one.get("name") == wanted.volume for one in observed.container.get("volumeMounts") or ())
            ],
        },
        "pods": summary(pods) if pods is not None else summary(observed.pods or ()),
        "repair_allowed": permission.allowed if permission else None,
        "missing_permissions": list(permission.missing) if permission else [],
    }
