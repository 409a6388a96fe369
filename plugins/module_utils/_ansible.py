# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The border to Ansible: everything a module's main() shares. Nothing behind it sees AnsibleModule."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils._drift import Item, Outcome, applied, pending, verdict
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import (
    BadInputError,
    ForbiddenError,
    KeybuzzError,
)
from ansible_collections.keybuzz.amazon.plugins.module_utils._options import insecure_options
from ansible_collections.keybuzz.amazon.plugins.module_utils._secrets import protect

Protect = Callable[[Iterable[str | None]], None]
"""Handed to the work, which calls it with each secret it meets, before it does anything else with it."""


def run_module(module: Any, check: str, work: Callable[[Protect], Outcome]) -> None:
    """Run ``work`` and answer Ansible.

    While looking (check mode) a failure to look becomes an item that is ``unknown``, ``blocked`` or ``stale``, so
    that an audit goes on to the next check and can never be green. While repairing it fails the task. Bad input
    fails both. An exception nobody foresaw is reported by its place in the code only: its text may hold a secret.
    """

    def remember(secrets: Iterable[str | None]) -> None:
        protect(module, secrets)

    for warning in insecure_options(module.params):
        module.warn(warning)
    try:
        remember(secret_values(module.argument_spec, module.params))
        outcome = work(remember)
    except KeybuzzError as error:
        _answer_failure(module, check, error)
        return
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} in {frame.name}"
        module.fail_json(
            msg=f"Unexpected {type(error).__name__} at {place}. Its text is withheld because it may hold a secret. "
            "Please report it with this line: https://github.com/keybuzz/keybuzz.amazon/issues",
            drift=[],
            remaining=[],
            verdict="error",
        )
        return
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**result(outcome, check_mode=module.check_mode))


def secret_values(options: Mapping[str, Mapping[str, Any]], params: Mapping[str, Any]) -> list[str]:
    """What was given for the options that hold a secret, those within others included."""
    found = []
    for name, spec in options.items():
        value = params.get(name)
        if spec.get("no_log") and isinstance(value, str):
            found.append(value)
        for inner in value if isinstance(value, list) else [value]:
            if spec.get("options") and isinstance(inner, Mapping):
                found += secret_values(spec["options"], inner)
    return found


def result(outcome: Outcome, *, check_mode: bool) -> dict[str, object]:
    """The keys every module returns: ``changed``, ``drift``, ``verdict``, ``remaining``, ``diff`` and its own facts."""
    if check_mode:
        remaining = outcome.items
    elif outcome.remaining is not None:
        remaining = outcome.remaining
    else:
        remaining = applied(outcome.items)
    return {
        **outcome.facts,
        "changed": outcome.changed,
        "drift": [item.as_dict() for item in outcome.items],
        "remaining": [item.as_dict() for item in remaining],
        "verdict": outcome.judged or verdict(remaining),
        "diff": _diff(pending(outcome.items)),
    }


def _diff(items: tuple[Item, ...]) -> dict[str, object]:
    return {
        "before_header": "as found",
        "after_header": "as wanted",
        "before": {item.id: item.before for item in items},
        "after": {item.id: item.after for item in items},
    }


def _answer_failure(module: Any, check: str, error: KeybuzzError) -> None:
    found = getattr(error, "outcome", None)
    if isinstance(found, Outcome):  # the work knows more than the error: what it found, and what it wrote before
        module.fail_json(msg=str(error), **result(found, check_mode=False))
        return
    outcome = could_not_look(check, error)
    if module.check_mode and not isinstance(error, BadInputError):
        module.exit_json(**result(outcome, check_mode=True))
    found_out = [item.as_dict() for item in outcome.items]
    module.fail_json(msg=str(error), drift=found_out, remaining=found_out, verdict="error")


def could_not_look(check: str, error: KeybuzzError, tenant: str = "") -> Outcome:
    """What a look amounts to that ended with this error: one item, which no verdict calls in sync."""
    item = Item(
        id="/".join(filter(None, (check, tenant, "could-not-check"))),
        address=error.address,
        check=check,
        severity="high",
        status=error.status,  # type: ignore[arg-type]
        reason=f"While {error.doing} {error.address}: {error.answered}.",
        hint=error.remedy,
    )
    return Outcome(items=(item,), changed=False, facts=_denied(error))


def _denied(error: KeybuzzError) -> dict[str, object]:
    """A step that cannot even be looked at would stop a repair half way: what the look lacks, the repair lacks too."""
    missing = list(error.missing_permissions)
    if isinstance(error, ForbiddenError):
        missing.append(f"{error.address}: {error.answered}")
    return {"repair_allowed": False, "missing_permissions": missing} if missing else {}


def argument_spec(*parts: Mapping[str, Mapping[str, Any]], **own: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Merge connection options and a module's own into one argument spec; a name given twice is an error."""
    merged: dict[str, dict[str, Any]] = {}
    for part in (*parts, own):
        for name, spec in part.items():
            if name in merged:
                raise ValueError(f"option {name} is defined twice")
            merged[name] = dict(spec)
    return merged
