# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries a playbook out in this process, as it stands in its files: order, conditions, loops and variables.

Nothing of the playbooks or roles is repeated here, so nothing can differ: their files are read, and Ansible's own
template engine evaluates what stands in them. Left out is what no module of the collection does: ``rescue`` (what fails
is raised instead), and the roles that only check the settings and write the report.
``test_same_calls.py`` holds it against a real run of ansible-playbook.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.template import Templar

from tests.parity import modules, variables
from tests.parity.variables import PROJECT

COLLECTION = "keybuzz.amazon."
NOT_STEPS = frozenset({"environment", "drift_report"})
SILENT = frozenset({"debug", "meta"})

Task = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """One call of a module and its answer. ``step`` is the name of the include it stands in; ``arguments`` are all of
    the module's options as it got them, defaults too.
    """

    phase: str
    step: str
    module: str
    arguments: Mapping[str, Any]
    check_mode: bool
    result: Mapping[str, Any]


class StepFailed(Exception):
    """A module failed, or the playbook stopped itself. ``call`` is the module's, if it was one."""

    def __init__(self, message: str, call: Call | None = None) -> None:
        super().__init__(message)
        self.call = call


@dataclass
class Play:
    """One run. ``calls`` grows while it runs; ``facts`` are what ansible calls facts and registered variables.

    :param extra: variables that win over all others, as ``-e`` does.
    """

    lab_directory: Path
    tenant: str
    check_mode: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    _defaults: Mapping[str, Any] = field(default_factory=dict)

    def run(self, playbook: str = "repair_amazon.yml") -> Play:
        """Raises StepFailed at the first failure, with everything before it in ``calls``."""
        with variables.plugins_found():
            for play in variables.load(PROJECT / "playbooks" / playbook):
                self._defaults = play.get("module_defaults", {})
                self._tasks(play["tasks"], PROJECT / "playbooks", _Place())
        return self

    def phase(self, name: str) -> list[Call]:
        """The calls of one of the playbook's includes of task files: ``First look``, ``Repair step by step``, …"""
        return [call for call in self.calls if call.phase == name]

    def _tasks(self, tasks: Sequence[Task], folder: Path, place: _Place) -> None:
        for task in tasks:
            for one in self._looped(task, place):
                if all(self._holds(condition, one) for condition in _conditions(task)):
                    self._task(task, folder, one)

    def _looped(self, task: Task, place: _Place) -> Iterator[_Place]:
        if "loop" not in task:
            yield place.inside(task)
            return
        name = task.get("loop_control", {}).get("loop_var", "item")
        for value in self._templar(place).template(task["loop"]):
            yield place.inside(task, {name: value})

    def _task(self, task: Task, folder: Path, place: _Place) -> None:
        if "block" in task:
            try:
                self._tasks(task["block"], folder, place)
            finally:
                self._tasks(task.get("always", ()), folder, place)
            return
        action = next(key for key in task if "." in key)
        arguments = task[action]
        short = action.rpartition(".")[2]
        if action.startswith(COLLECTION):
            self._module(short, task, place)
        elif short in {"include_tasks", "import_tasks"}:
            given = arguments if isinstance(arguments, dict) else {"file": arguments}
            file, name = folder / given["file"], str(task["name"])
            check_mode = given.get("apply", {}).get("check_mode")
            inner = place.within(phase=place.phase or name, step=name, check_mode=check_mode)
            self._tasks(variables.load(file), file.parent, inner)
        elif short in {"include_role", "import_role"}:
            role = arguments["name"].removeprefix(COLLECTION)
            if role not in NOT_STEPS:
                applied = arguments.get("apply", {})
                inner = place.within(step=str(task["name"]), check_mode=applied.get("check_mode"))
                file = PROJECT / "roles" / role / "tasks" / f"{arguments.get('tasks_from', 'main')}.yml"
                self._tasks(variables.load(file), file.parent, inner)
        elif short == "set_fact":
            self.facts |= self._templar(place).template(arguments)
        elif short == "assert":
            wanted = arguments["that"] if isinstance(arguments["that"], list) else [arguments["that"]]
            if not all(self._holds(condition, place) for condition in wanted):
                raise StepFailed(str(self._templar(place).template(arguments.get("fail_msg", task["name"]))))
        elif short == "fail":
            raise StepFailed(str(self._templar(place).template(arguments["msg"])))
        elif short not in SILENT:
            raise LookupError(f"{task['name']}: {action} is not known here")

    def _module(self, module: str, task: Task, place: _Place) -> None:
        templar = self._templar(place)
        arguments: dict[str, Any] = {}
        for group, defaults in self._defaults.items():
            if module in variables.action_group(group.removeprefix(f"group/{COLLECTION}")):
                arguments |= templar.template(defaults)
        arguments |= templar.template(task.get("module_defaults", {}).get(f"{COLLECTION}{module}", {}))
        arguments |= templar.template(task[f"{COLLECTION}{module}"])
        check_mode = self.check_mode if place.check_mode is None else place.check_mode
        result = modules.run(module, arguments, check_mode=check_mode)
        call = Call(place.phase, place.step, module, result.pop("options"), check_mode, result)
        self.calls.append(call)
        if "register" in task:
            self.facts[task["register"]] = result
        if result["failed"]:
            raise StepFailed(f"{place.step}: {result['msg']}", call)

    def _holds(self, condition: str | bool, place: _Place) -> bool:
        return self._templar(place).evaluate_conditional(condition)

    def _templar(self, place: _Place) -> Templar:
        # As Ansible ranks them: an include's variables win over facts, and what is given with -e over everything.
        known = {
            **variables.known(self._given),
            "ansible_check_mode": self.check_mode,
            **self.facts,
            **place.variables,
            **self._given,
        }
        return Templar(variables.loader(), known)

    @property
    def _given(self) -> dict[str, Any]:
        return {"lab_directory": str(self.lab_directory), "tenant": self.tenant, **self.extra}


@dataclass(frozen=True)
class _Place:
    """Where in the playbook a task stands, and what it inherits from there."""

    phase: str = ""
    step: str = ""
    check_mode: bool | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)

    def inside(self, task: Task, loop: Mapping[str, Any] | None = None) -> _Place:
        return self.within(variables={**self.variables, **(loop or {}), **task.get("vars", {})})

    def within(self, **changes: Any) -> _Place:
        return _Place(**{**vars(self), **{name: value for name, value in changes.items() if value is not None}})


def _conditions(task: Task) -> list[str | bool]:
    when = task.get("when", True)
    return when if isinstance(when, list) else [when]
