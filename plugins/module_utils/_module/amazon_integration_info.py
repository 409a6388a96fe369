# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module amazon_integration_info does: look at every step of one environment in one process.

Each step is the check mode of its own module. They share the connections, and an object that several of them rest on is
read once. What a step has met of secrets is masked in what it found, and not in what others found: a Secret may hold
words, such as a region, that are nothing to hide where they come from elsewhere.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.keybuzz.amazon.plugins.module_utils._ansible import could_not_look, run_module
from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import (
    Item,
    Outcome,
    Verdict,
    pending,
    verdict,
    worst,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import BadInputError, KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import (
    amazon_orders_backfill,
    k8s_deployment_env,
    tenants_stream,
    vault_amazon_app_creds,
    vault_token_secret,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.connections import Connections, Protect
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.passing_secrets import PassingSecrets
from ansible_collections.keybuzz.amazon.plugins.module_utils._module.tenant_names import FEW
from ansible_collections.keybuzz.amazon.plugins.module_utils._report.items_writer import ItemsWriter, writing
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.steps import STEPS

LOOKS: Mapping[str, Callable[..., Outcome]] = {
    "vault_token": vault_token_secret.with_connections,
    "backend_access": k8s_deployment_env.with_connections,
    "amazon_app": vault_amazon_app_creds.with_connections,
}


def _connections(
    params: Mapping[str, Any], servers: Connections, names: tuple[str, ...]
) -> Iterator[tuple[str, Outcome]]:
    return tenants_stream.looks(params, servers.protect, names, servers.vault)


def _orders(params: Mapping[str, Any], servers: Connections, names: tuple[str, ...]) -> Iterator[tuple[str, Outcome]]:
    return amazon_orders_backfill.looks(params, servers.protect, names)


STREAMS: Mapping[str, Callable[..., Iterator[tuple[str, Outcome]]]] = {
    "amazon_tenant": _connections,
    "amazon_orders": _orders,
}
OF_TENANTS = tuple(STREAMS)
MOST_WARNINGS = 50
"""Warnings that are passed on. What each tenant lacks is in its items."""


def answer(module: Any) -> None:
    """Look, and answer Ansible.

    :param module: an :class:`AnsibleModule`, or what stands for it in the controller's own process.
    """
    run_module(module, "amazon_integration", lambda protect: run(module.params, protect))


def run(params: Mapping[str, Any], protect: Protect) -> Outcome:
    """One look. Writes nothing but the file of ``items_path``.

    :param params: the module's options; a step without options is left out.
    :raises BadInputError: an option of a step is wrong; its ``outcome`` has what was found before.
    """
    asked = {
        name: _checked(name, params, protect) for name, step in STEPS.items() if params.get(step.module) is not None
    }
    if not asked:
        raise BadInputError(
            "reading options",
            ", ".join(step.module for step in STEPS.values()),
            "none is given, so nothing would be looked at",
            "Give at least one.",
        )
    names = tuple(dict.fromkeys(params.get("tenants") or ()))
    if not names and any(name in asked for name in OF_TENANTS):
        raise BadInputError("reading option", "tenants", "there is none", "Name those that are to be looked at.")
    if len(names) > FEW:
        gc.freeze()  # what is there already stays: no need to look through it again and again for what may go
    with contextlib.ExitStack() as opened:
        servers = opened.enter_context(Connections(params, protect, remember=True))
        path = params.get("items_path")
        found = Found(opened.enter_context(writing(path)) if path else None)
        try:
            for name, options in asked.items():
                if name in OF_TENANTS:
                    _look_at_tenants(name, options, names, servers, found)
                else:
                    _look_at_step(name, asked, servers, found)
        except BadInputError as error:
            error.outcome = found.outcome()  # type: ignore[attr-defined]
            raise
        found.servers = _servers(servers, asked)
        return found.outcome()


def _servers(servers: Connections, asked: Mapping[str, Any]) -> dict[str, str]:
    """Who was asked, by kind; not as whom, which may be somebody else when a plan of this look is applied."""
    params, met = servers.options, {}
    if servers.has_vault:
        namespace = servers.vault.namespace
        met["vault"] = servers.vault.addr + (f" namespace {namespace}" if namespace else "")
    if servers.has_kube:
        met["kubernetes"] = servers.kube.server
    if any(name in asked for name in OF_TENANTS):
        met["postgresql"] = f"{params['pg_host']}:{params['pg_port']}/{params['pg_dbname']}"
    return met


@dataclass
class Found:
    """What a look has found so far.

    :param writer: where the items of tenants go, if they do not go into the result.
    :param steps: results of the steps by name; those of tenants by tenant, with a writer only of those not in sync.
    :param differing: of the steps of tenants, the tenants that are not in sync.
    """

    writer: ItemsWriter | None
    items: list[Item] = field(default_factory=list)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    differing: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    servers: dict[str, str] = field(default_factory=dict)
    would_change: bool = False

    def take(self, outcome: Outcome, tenant: str = "") -> None:
        """Note what every outcome has: rights that a repair lacks, and warnings."""
        self.would_change = self.would_change or outcome.changed
        missing: Any = outcome.facts.get("missing_permissions") or ()
        self.missing |= dict.fromkeys(missing)
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings += [f"{tenant}: {text}" if tenant else text for text in outcome.warnings]

    def outcome(self) -> Outcome:
        """All of it as one outcome."""
        return Outcome(
            tuple(self.items),
            changed=False,
            remaining=tuple(self.items),
            facts={
                "would_change": self.would_change,
                "steps": self.steps,
                "verdicts": self.verdicts,
                "differing": self.differing,
                "missing_permissions": list(self.missing),
                "servers": self.servers,
                "items_path": self.writer.path if self.writer else None,
                "items_written": self.writer.count if self.writer else 0,
                "git_fragment": self.steps.get("backend_access", {}).get("git_fragment") or "",
            },
            warnings=tuple(self.warnings[:MOST_WARNINGS]),
            judged=worst(self.verdicts.values()),
        )


def _checked(name: str, params: Mapping[str, Any], protect: Protect) -> dict[str, Any]:
    """The options of a step as its own module takes them. :raises BadInputError: one of them is wrong."""
    step = STEPS[name]
    given = params[step.module]
    secret = [option for option, one in step.options.items() if one.get("no_log")]
    protect(given.get(option) for option in secret)
    doubled = sorted(set(given) & (step.connections | {"tenant", "tenants"}))
    problems = [f"{', '.join(doubled)} stands beside the steps, once for all of them"] if doubled else []
    shared = {option: params[option] for option in step.connections if params.get(option) is not None}
    if name in OF_TENANTS:
        shared["tenants"] = list(params.get("tenants") or ())
    result = ArgumentSpecValidator(dict(step.options), **step.rules).validate({**given, **shared})
    checked: dict[str, Any] = result.validated_parameters
    protect(checked.get(option) for option in secret)
    problems += result.error_messages
    if problems:
        remedy = f"They are the options of keybuzz.amazon.{step.module}: ansible-doc keybuzz.amazon.{step.module}."
        raise BadInputError("reading option", step.module, "; ".join(problems), remedy)
    return checked


def _look_at_step(name: str, asked: Mapping[str, Mapping[str, Any]], servers: Connections, found: Found) -> None:
    options = asked[name]
    if name == "backend_access" and found.steps.get("vault_token", {}).get("secret_will_change"):
        options = _restarting(options, asked["vault_token"])
    passing, for_all = PassingSecrets(), servers.protect
    servers.protect = passing.protect
    try:
        outcome = passing.masked(LOOKS[name](servers, options, check_mode=True))
    except BadInputError:
        raise
    except KeybuzzError as error:
        outcome = could_not_look(name, error)
    finally:
        servers.protect = for_all
    found.take(outcome)
    found.items += outcome.items
    found.verdicts[name] = verdict(outcome.items)
    found.steps[name] = {**outcome.facts, "verdict": found.verdicts[name]}


def _restarting(options: Mapping[str, Any], token: Mapping[str, Any]) -> dict[str, Any]:
    """The same options with what the step before is about to change: the Secret with the token."""
    return {
        **options,
        "restart_for": [
            {**one, "will_change": one["will_change"] or one["secret"] == token["secret"]}
            for one in options["restart_for"]
        ],
    }


def _look_at_tenants(
    name: str, options: Mapping[str, Any], names: tuple[str, ...], servers: Connections, found: Found
) -> None:
    repaired_before = [item.id for item in pending(found.items)]
    results: dict[str, Any] = {}
    verdicts: set[Verdict] = set()
    differing = found.differing.setdefault(name, [])
    try:
        for tenant, outcome in STREAMS[name](options, servers, names):
            found.take(outcome, tenant if len(names) > 1 else "")
            said = verdict(outcome.items, repaired_before)
            verdicts.add(said)
            if said != "in_sync":
                differing.append(tenant)
            if found.writer is None:
                found.items += outcome.items
            else:
                found.writer.write(outcome.items)
            if found.writer is None or said != "in_sync":
                results[tenant] = {**outcome.facts, "verdict": said}
    except BadInputError:
        raise
    except KeybuzzError as error:
        outcome = could_not_look(name, error)
        found.take(outcome)
        found.items += outcome.items
        verdicts.add(verdict(outcome.items))
        differing += [tenant for tenant in names if tenant not in results and tenant not in differing]
    found.verdicts[name] = worst(verdicts)
    found.steps[name] = results
