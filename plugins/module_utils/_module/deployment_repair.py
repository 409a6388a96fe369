# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Writing what was planned for one Deployment: its ConfigMaps, then one patch, planned anew when a race is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError, StaleError
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.client import Conflict, KubeClient
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.config_map import write_config_map
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.deployment import (
    ConfigMapState,
    Observed,
    read_deployment,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.observe import Look, config_map_state
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.plan import Plan, plan
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.reloader import wait_until_it_acts
from ansible_collections.keybuzz.amazon.plugins.module_utils._kube.wanted import Desired
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.deployment_facts import (
    NotAppliedError,
    PolicyRefusedError,
    facts,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.deployment_preflight import (
    admitted,
    denied,
    not_admitted,
    patched,
    permission_if_told,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._plan.entries import refuse_unplanned

Protect = Callable[[Iterable[str | None]], None]

TRIES = 4
"""How often a lost race is planned anew before it is reported."""


@dataclass(frozen=True)
class Written:
    """What was found at first, whether anything was written, and the Deployment as the last answer has it."""

    first: tuple[Item, ...]
    deployment: Mapping[str, Any]
    changed: bool
    rolling: bool
    """This run has started a rollout."""


class Writer:
    """Writes for one Deployment after the other; a ConfigMap that several of them mount is written once."""

    def __init__(self, client: KubeClient, protect: Protect) -> None:
        self._client = client
        self._protect = protect
        self._config_maps: dict[tuple[str, str], ConfigMapState] = {}

    def write(self, desired: Desired, observed: Observed, made: Plan) -> Written:
        """Carry out ``made``.

        :raises NotAppliedError: a precondition, a permission or a policy of the cluster is against it, or something
            failed after a ConfigMap was written.
        :raises StaleError: somebody else changed the objects four times in a row.
        """
        try:
            return self._write(desired, observed, made)
        except NotAppliedError:
            raise
        except KeybuzzError as error:
            there = self._written(desired)
            if not there:
                raise
            answered = f"{error.answered}; ConfigMap {', '.join(sorted(there))} had been written by then"
            outcome = Outcome(made.items, changed=True, remaining=made.items, facts=facts(observed, desired))
            raise NotAppliedError(error.doing, error.address, answered, error.remedy, outcome) from None

    def _write(self, desired: Desired, observed: Observed, made: Plan) -> Written:
        first = made.items
        mine: set[str] = set()
        for tries_left in reversed(range(TRIES)):
            self._refuse_blocked(desired, observed, made, first, changed=bool(mine))
            refuse_unplanned(made.items, desired.planned)
            try:
                self._refuse_unallowed(desired, observed, made, first, changed=bool(mine))
                self._write_config_maps(desired, observed, made)
                mine = self._written(desired)
                reloaded = False
                if made.awaits_reloader:
                    observed, made, reloaded = self._after_reloader(desired, observed, mine)
                deployment = patched(self._client, desired, made)
                return Written(
                    first,
                    deployment or observed.deployment,
                    changed=bool(mine or made.patch or reloaded),
                    rolling=bool(made.patch),
                )
            except Conflict as error:
                if not tries_left:
                    raise StaleError(
                        error.doing,
                        error.address,
                        f"it was changed by others {TRIES} times while the change was planned",
                        "Find out who writes it (kubectl get --show-managed-fields), then run again.",
                    ) from None
            observed = Look(self._client, self._protect).observe(desired)
            mine = self._written(desired)
            self._config_maps |= {(desired.namespace, name): observed.config_maps[name] for name in mine}
            made = plan(observed, desired, written=mine)
        raise AssertionError("unreachable")

    def _after_reloader(
        self, desired: Desired, observed: Observed, written: Iterable[str]
    ) -> tuple[Observed, Plan, bool]:
        """Let Reloader restart the pods; the look and the plan after that, and whether it did."""
        acted = wait_until_it_acts(
            lambda: read_deployment(self._client, desired.namespace, desired.deployment), observed.template
        )
        observed = Look(self._client, self._protect).observe(desired)
        return observed, plan(observed, desired, written=written, stage="done" if acted else "insist"), acted

    def _written(self, desired: Desired) -> set[str]:
        """Names of its ConfigMaps that hold something else now, by this or by an earlier Deployment of the call."""
        ours = {name for namespace, name in self._config_maps if namespace == desired.namespace}
        return ours & {one.config_map for one in desired.config_mounts}

    def _write_config_maps(self, desired: Desired, observed: Observed, made: Plan) -> None:
        for name, values in made.contents.items():
            key = (desired.namespace, name)
            state = self._config_maps.get(key, observed.config_maps[name])
            left = {file: text for file, text in values.items() if state.data.get(file) != text}
            if left:
                answer = write_config_map(self._client, desired.namespace, name, state, left)
                self._config_maps[key] = config_map_state(answer)

    @staticmethod
    def _refuse_blocked(
        desired: Desired, observed: Observed, made: Plan, first: tuple[Item, ...], *, changed: bool
    ) -> None:
        if not made.refusals:
            return
        one = made.refusals[0]
        more = f" ({len(made.refusals) - 1} more: see drift)" if len(made.refusals) > 1 else ""
        what = "nothing more" if changed else "nothing"
        answered = f"{what} was written, because {one.id} is blocked{more}: {one.reason.rstrip('.')}"
        outcome = Outcome(first, changed=changed, remaining=made.items, facts=facts(observed, desired))
        raise NotAppliedError("repairing", one.address, answered, one.hint, outcome)

    def _refuse_unallowed(
        self, desired: Desired, observed: Observed, made: Plan, first: tuple[Item, ...], *, changed: bool
    ) -> None:
        """Ask for every permission before the first write, and admission too where two writes belong together."""
        found = permission_if_told(self._client, desired, observed, made)
        if found.missing:
            left = denied(made.items, found)
            verb = found.missing[0].split()[0]
            missing = ", ".join(found.missing)
            answered = f"nothing was written, because this caller may not {verb} it (missing: {missing})"
            told = Outcome(first, changed, left, facts(observed, desired, found))
            raise NotAppliedError("repairing", observed.address, answered, found.remedy, told)
        contents = {
            name: values for name, values in made.contents.items() if (desired.namespace, name) not in self._config_maps
        }
        if not (made.patch and contents):
            return  # one write is done or not done; that needs no rehearsal
        refused = admitted(self._client, desired, observed, made, contents)
        if refused is not None:
            left = not_admitted(made.items, refused)
            told = Outcome(first, changed, left, facts(observed, desired, found))
            raise PolicyRefusedError(observed.address, refused, told)
