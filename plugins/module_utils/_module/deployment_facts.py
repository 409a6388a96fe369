# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What k8s_deployment_env tells beside its items: of one Deployment, or of each of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, pending, verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    BlockedError,
    ForbiddenError,
    KeybuzzError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import AdmissionRefused
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import Observed
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.display import shown
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.effective import effective
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env import CHECK
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.env_from import described
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.git_fragment import git_fragment
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.pods import summary
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.deployment_preflight import Permission


class NotAppliedError(BlockedError):
    """The repair could not be carried out or did not end well. ``outcome`` holds what was found and done."""

    def __init__(self, doing: str, address: str, answered: str, remedy: str, outcome: Outcome, **more: Any) -> None:
        super().__init__(doing, address, answered, remedy, **more)
        self.outcome = outcome


class PolicyRefusedError(NotAppliedError, AdmissionRefused):
    """A policy of the cluster refuses the change; ``words`` are the policy's own."""

    def __init__(self, address: str, refused: AdmissionRefused, outcome: Outcome) -> None:
        answered = f"nothing was written, because {refused.answered}"
        super().__init__("repairing", address, answered, refused.remedy, outcome, words=refused.words)


class RolloutFailedError(NotAppliedError):
    """What was wanted is written, and the Deployment does not come up with it."""

    status = "error"


@dataclass(frozen=True)
class Done:
    """How it went with one Deployment: an outcome, an error, or an error that carries its outcome."""

    desired: Desired
    outcome: Outcome | None = None
    error: KeybuzzError | None = None

    def result(self) -> Outcome:
        """The outcome; the error is raised."""
        if self.error is not None:
            raise self.error
        return self.outcome or Outcome((), changed=False)


def facts(
    observed: Observed, desired: Desired, found: Permission | None = None, *, before: Observed | None = None
) -> dict[str, object]:
    """The results of one Deployment, JSON types only.

    :param before: the look before a repair, because the fragment for Git also takes out what the repair has removed.
    """
    names = desired.managed_names
    first = before or observed
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
        "pods": summary(observed.pods or ()),
        "git_fragment": git_fragment(first, desired, plan(first, desired).wish),
        "repair_allowed": found.allowed if found else None,
        "missing_permissions": list(found.missing) if found else [],
    }


def joined(results: Sequence[Done], *, check_mode: bool) -> Outcome:
    """One outcome of several Deployments; the ids of items get the Deployment's name.

    :raises NotAppliedError: outside check mode, when one of them failed. It carries the outcome of all.
    """
    labels = _labels([result.desired for result in results])
    items: list[Item] = []
    remaining: list[Item] = []
    each: list[dict[str, object]] = []
    warnings: dict[str, None] = {}
    for result, label in zip(results, labels, strict=True):
        outcome = _outcome(result)
        left = outcome.items if check_mode or outcome.remaining is None else outcome.remaining
        items += (_named(item, label) for item in outcome.items)
        remaining += (_named(item, label) for item in left)
        told = {"deployment": {"namespace": result.desired.namespace, "name": result.desired.deployment}}
        failed = {"error": str(result.error)} if result.error else {}
        each.append({**told, **outcome.facts, **failed, "changed": outcome.changed, "verdict": verdict(left)})
        warnings.update(dict.fromkeys(outcome.warnings))
    whole = Outcome(
        tuple(items),
        changed=any(bool(one["changed"]) for one in each),
        remaining=tuple(remaining),
        facts={"deployments": each, **_together(each)},
        warnings=tuple(warnings),
    )
    errors = [result.error for result in results if result.error is not None]
    fatal = [error for error in errors if not check_mode or isinstance(error, BadInputError)]
    if fatal:
        raise _failure(fatal, len(results) - len(errors), whole)
    return whole


def _outcome(result: Done) -> Outcome:
    if result.outcome is not None:
        return result.outcome
    error = result.error
    carried = getattr(error, "outcome", None)
    if isinstance(carried, Outcome) or error is None:
        return carried or Outcome((), changed=False)
    item = Item(
        id=f"{CHECK}/could-not-check",
        address=error.address,
        check=CHECK,
        severity="high",
        status=error.status,  # type: ignore[arg-type]
        reason=f"While {error.doing} {error.address}: {error.answered}.",
        hint=error.remedy,
    )
    # As for a single Deployment: what cannot be looked at could not be repaired either.
    denied = {"repair_allowed": False, "missing_permissions": [f"{error.address}: {error.answered}"]}
    return Outcome((item,), False, (item,), denied if isinstance(error, ForbiddenError) else {})


def _failure(errors: Sequence[KeybuzzError], well: int, outcome: Outcome) -> NotAppliedError:
    """The first error, with a word on how it went with the other Deployments."""
    first = errors[0]
    more = f", {len(errors) - 1} more failed" if len(errors) > 1 else ""
    answered = f"{first.answered} (of the other Deployments {well} went well{more}: see drift)"
    kind = RolloutFailedError if isinstance(first, RolloutFailedError) else NotAppliedError
    return kind(first.doing, first.address, answered, first.remedy, outcome)


def _together(each: Sequence[dict[str, object]]) -> dict[str, object]:
    answers = [one.get("repair_allowed") for one in each if one.get("repair_allowed") is not None]
    missing: dict[str, None] = {}
    for one in each:
        here = one.get("missing_permissions")
        missing.update(dict.fromkeys(here) if isinstance(here, list) else {})
    return {
        "git_fragment": "".join(str(one.get("git_fragment") or "") for one in each),
        "repair_allowed": all(answers) if answers else None,
        "missing_permissions": list(missing),
    }


def _labels(wishes: Sequence[Desired]) -> list[str]:
    """A name for each that no other has: the Deployment's, else with its namespace, else with its container."""
    short = [one.deployment for one in wishes]
    longer = [f"{one.namespace}.{one.deployment}" for one in wishes]
    count, count_longer = Counter(short), Counter(longer)
    return [
        name if count[name] == 1 else (full if count_longer[full] == 1 else f"{full}.{one.container}")
        for name, full, one in zip(short, longer, wishes, strict=True)
    ]


def _named(item: Item, label: str) -> Item:
    def long(name: str) -> str:
        return f"{CHECK}/{label}/{name.removeprefix(f'{CHECK}/')}"

    return replace(item, id=long(item.id), depends_on=tuple(long(name) for name in item.depends_on))


def warnings_of(found: Permission) -> tuple[str, ...]:
    """What the user is warned of: each permission the repair would lack."""
    return tuple(f"The repair would be denied: {missing}." for missing in found.missing)


def anything_pending(items: Sequence[Item]) -> bool:
    """Whether a repair would write."""
    return bool(pending(items))
