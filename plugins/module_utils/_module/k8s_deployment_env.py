# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module k8s_deployment_env does: look, plan, and outside check mode write once and wait for one rollout.

Several Deployments share the connection and what is read; they are changed one after the other and waited for side by
side, and one that fails does not keep the others from being looked at or repaired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube import foreign
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import AdmissionRefused, Conflict, KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed, read_deployment
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.observe import Look
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.options import wishes
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import ROLLOUT, Plan, plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.pods import why_not_ready
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.rollout import Rollout, deadline, verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wait import Awaited, wait_for_rollouts
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.connections import Connections
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.deployment_facts import (
    Done,
    NotAppliedError,
    PolicyRefusedError,
    RolloutFailedError,
    anything_pending,
    facts,
    joined,
    warnings_of,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.deployment_preflight import (
    asked,
    not_admitted,
    permission,
    unread,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.deployment_repair import TRIES, Writer, Written

__all__ = ["NotAppliedError", "RolloutFailedError", "from_options", "run", "with_connections"]

Protect = Callable[[Iterable[str | None]], None]

RECOVERY = 330.0
"""Seconds that pods get to recover: kubelets wait at most 300 s before they start a container again."""


@dataclass(frozen=True)
class _Looked:
    """One Deployment that could be looked at, and its plan."""

    observed: Observed
    made: Plan


def from_options(options: Mapping[str, Any], protect: Protect, *, check_mode: bool) -> Outcome:
    """Run with the module's options; connects first."""
    with Connections(options, protect) as servers:
        return with_connections(servers, options, check_mode=check_mode)


def with_connections(servers: Connections, options: Mapping[str, Any], *, check_mode: bool) -> Outcome:
    """Run over connections that are there."""
    return run(servers.kube, wishes(options), servers.protect, check_mode=check_mode)


def run(client: KubeClient, desired: Desired | Sequence[Desired], protect: Protect, *, check_mode: bool) -> Outcome:
    """Look, plan, and outside check mode repair and wait; for one Deployment, or for each of several.

    :raises NotAppliedError: outside check mode, when a precondition, a permission or a policy forbids the change.
    :raises RolloutFailedError: the change is written, and the rollout failed or did not end in time.
    :raises StaleError: somebody else changed the objects four times in a row.
    """
    wishes = (desired,) if isinstance(desired, Desired) else tuple(desired)
    results = _check(client, wishes, protect) if check_mode else _repair(client, wishes, protect)
    if not isinstance(desired, Desired):
        return joined(results, check_mode=check_mode)
    return results[0].result()


def _check(client: KubeClient, wishes: Sequence[Desired], protect: Protect) -> list[Done]:
    shared = Look(client, protect)
    results = []
    for desired in wishes:
        try:
            results.append(Done(desired, _predicted(client, desired, shared, protect)))
        except KeybuzzError as error:
            results.append(Done(desired, error=error))
    return results


def _predicted(client: KubeClient, desired: Desired, look: Look, protect: Protect) -> Outcome:
    for tries_left in reversed(range(TRIES)):
        observed = look.observe(desired)
        made = plan(observed, desired)
        found = permission(client, desired, observed, made)
        try:
            items = asked(client, desired, observed, made, found)
            break
        except Conflict:
            if not tries_left:
                raise
            client.forget()
            look = Look(client, protect)
    state = verdict(observed.deployment)
    if state.state in {"failed", "progressing"}:
        observed = look.with_pods(observed)
    if observed.pods and not state.done:
        items = tuple(_explained(item, observed.pods) if item.id == ROLLOUT else item for item in items)
    # A repair that does not see everything would end without knowing whether it is done.
    lacking = (*found.missing, *unread(desired, observed))
    if lacking != found.missing:
        found = replace(found, allowed=False, missing=lacking)
    return Outcome(
        items,
        changed=anything_pending(items),
        facts=facts(observed, desired, found),
        warnings=(*warnings_of(found), *foreign.warnings(items, desired.on_foreign_owner)),
    )


def _repair(client: KubeClient, wishes: Sequence[Desired], protect: Protect) -> list[Done]:
    # What check mode predicts has happened by now, or will not.
    wishes = [
        replace(one, restart_for=tuple(replace(secret, will_change=False) for secret in one.restart_for))
        for one in wishes
    ]
    shared, writer = Look(client, protect), Writer(client, protect)
    done: dict[int, Done] = {}
    looked: dict[int, _Looked] = {}
    written: dict[int, Written] = {}
    for number, desired in enumerate(wishes):
        try:
            observed = shared.observe(desired)
            looked[number] = _Looked(observed, plan(observed, desired))
        except KeybuzzError as error:
            done[number] = Done(desired, error=error)
    for number, found in looked.items():
        try:
            written[number] = writer.write(wishes[number], found.observed, found.made)
        except NotAppliedError as error:
            done[number] = Done(wishes[number], error=error)
        except AdmissionRefused as error:
            done[number] = Done(wishes[number], error=_refused_at_last(wishes[number], found, error))
        except KeybuzzError as error:
            done[number] = Done(wishes[number], error=error)
    ends = _awaited(client, wishes, written)
    after = Look(client, protect)
    twice = len({(one.namespace, one.deployment) for one in wishes}) < len(wishes)
    for number, one in written.items():
        desired = wishes[number]
        state, deployment, problem = ends[number]
        try:
            if problem is not None:
                raise problem
            observed = after.observe(desired, None if twice else deployment)
            done[number] = _ended(desired, one, state, after, observed, before=looked[number].observed)
        except KeybuzzError as error:
            done[number] = Done(desired, error=error)
    return [done[number] for number in range(len(wishes))]


def _refused_at_last(desired: Desired, found: _Looked, error: AdmissionRefused) -> PolicyRefusedError:
    left = not_admitted(found.made.items, error)
    outcome = Outcome(found.made.items, changed=False, remaining=left, facts=facts(found.observed, desired))
    return PolicyRefusedError(found.observed.address, error, outcome)


def _awaited(
    client: KubeClient, wishes: Sequence[Desired], written: Mapping[int, Written]
) -> dict[int, tuple[Rollout, Mapping[str, Any], KeybuzzError | None]]:
    """How each rollout ended, the Deployment by then, and why it could not be read.

    One that had failed before this run may yet succeed: what its pods lacked can have been repaired elsewhere (a
    document in Vault), and the Deployment says so only when they are ready.
    """
    ends: dict[int, tuple[Rollout, Mapping[str, Any], KeybuzzError | None]] = {}
    waits: dict[int, Awaited] = {}
    for number, one in written.items():
        desired, state = wishes[number], verdict(one.deployment)
        ends[number] = (state, one.deployment, None)
        recovering = state.state == "failed" and not one.rolling
        if desired.wait and (state.state in {"progressing", "failed"}):
            patience = RECOVERY if recovering else deadline(one.deployment)
            waits[number] = Awaited(
                _reader(client, desired),
                generation=int(one.deployment["metadata"].get("generation") or 0),
                timeout=desired.wait_timeout if desired.wait_timeout is not None else patience,
                recovering=recovering,
            )
    for number, end in zip(waits, wait_for_rollouts(list(waits.values())), strict=True):
        ends[number] = (end.rollout, end.deployment, end.error)
    return ends


def _reader(client: KubeClient, desired: Desired) -> Callable[[], Mapping[str, Any]]:
    return lambda: read_deployment(client, desired.namespace, desired.deployment)


def _ended(desired: Desired, one: Written, state: Rollout, look: Look, observed: Observed, *, before: Observed) -> Done:
    """The outcome after waiting and looking again, with an error if the rollout did not end well."""
    remaining = plan(observed, desired).items
    if not state.done:
        observed = look.with_pods(observed)
        pods = observed.pods or ()
        remaining = tuple(
            _explained(_judged(item, state, desired), pods) if item.id == ROLLOUT else item for item in remaining
        )
    outcome = Outcome(
        one.first,
        changed=one.changed,
        remaining=remaining,
        facts=facts(observed, desired, before=before),
        warnings=foreign.warnings(one.first, desired.on_foreign_owner),
    )
    if state.done or not desired.wait:
        return Done(desired, outcome)
    failed = next(item for item in remaining if item.id == ROLLOUT)
    doing = "waiting for the rollout of"
    return Done(
        desired, error=RolloutFailedError(doing, failed.address, failed.reason.rstrip("."), failed.hint, outcome)
    )


def _judged(item: Item, state: Rollout, desired: Desired) -> Item:
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
