# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of playbooks, roles and the lab's inventory, and which of their variables a run can change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar

PROJECT = Path(__file__).parents[2]
_KNOWN: dict[str, Mapping[str, Any]] = {}
_WORD = re.compile(r"[A-Za-z_]\w*")


@contextmanager
def plugins_found() -> Iterator[None]:
    """Ansible's own lookups by their full names, without Ansible's importer.

    The importer has to come before any import of a collection, and in a test run others have imported this one.
    """
    find = lookup_loader.get
    with mock.patch.object(lookup_loader, "get", lambda name, *rest, **more: find(_short(name), *rest, **more)):
        yield


def _short(name: str) -> str:
    return name.removeprefix("ansible.builtin.")


@cache
def loader() -> DataLoader:
    """Ansible's own."""
    return DataLoader()


@cache
def load(file: Path) -> Any:
    """A YAML file whose strings Ansible's template engine will evaluate."""
    return loader().load_from_file(str(file), cache="none", trusted_as_template=True)


@cache
def of_roles() -> Mapping[str, Any]:
    """Defaults and variables of all roles: their names are their own, by the collection's rule."""
    found: dict[str, Any] = {}
    for part in ("defaults", "vars"):
        for file in sorted(PROJECT.glob(f"roles/*/{part}/main.yml")):
            found |= load(file)
    return found


@cache
def action_group(name: str) -> frozenset[str]:
    """The modules of a group of ``module_defaults``."""
    groups = load(PROJECT / "meta" / "runtime.yml")["action_groups"]
    return frozenset(str(entry).rpartition(".")[2] for entry in groups.get(name, ()) if isinstance(entry, str))


@cache
def of_the_lab() -> Mapping[str, Any]:
    """The inventory ``inventories/lab`` with its one host."""
    return {
        **load(PROJECT / "inventories" / "lab" / "group_vars" / "all" / "lab.yml"),
        "inventory_dir": str(PROJECT / "inventories" / "lab"),
        "inventory_hostname": "lab",
    }


def known(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """All variables of roles and inventory, with those of ``-e``. What a run cannot change is evaluated, once."""
    key = json.dumps(given, sort_keys=True, default=str)
    if key not in _KNOWN:
        written = {**of_roles(), **of_the_lab(), **given}
        templar = Templar(loader(), written)
        with plugins_found():
            _KNOWN[key] = {
                name: templar.template(value) if _is_fixed(name, written) else value for name, value in written.items()
            }
    return _KNOWN[key]


def _is_fixed(name: str, written: Mapping[str, Any]) -> bool:
    """Whether nothing that a task sets stands in it, at any depth."""
    return not _reachable(name, written) & _set_by_tasks()


def _reachable(name: str, written: Mapping[str, Any]) -> set[str]:
    found, left = set(), [name]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += _WORD.findall(str(written.get(one, "")))
    return found


@cache
def _set_by_tasks() -> frozenset[str]:
    files = (*PROJECT.glob("playbooks/**/*.yml"), *PROJECT.glob("roles/*/tasks/*.yml"))
    return frozenset({"ansible_check_mode"} | {name for file in files for name in _names(load(file))})


def _names(node: Any) -> Iterator[str]:
    """Every name that tasks give a value to: ``vars``, ``set_fact``, ``register``, and variables of loops."""
    if isinstance(node, list):
        for entry in node:
            yield from _names(entry)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in {"vars", "ansible.builtin.set_fact"} and isinstance(value, dict):
                yield from value
            elif key in {"register", "loop_var"}:
                yield value
            yield from _names(value)
