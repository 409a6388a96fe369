# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors (k8s.io/apimachinery/pkg/labels, pkg/fields)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lab.emulator.errors import bad_request

Object = dict[str, Any]
Matches = Callable[[Object], bool]

_FIELDS = {
    "metadata.name",
    "metadata.namespace",
    "spec.nodeName",
    "status.phase",
    "type",
    "involvedObject.name",
    "involvedObject.kind",
    "involvedObject.uid",
    "reason",
}
_SET = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^)]*)\)$")


def label_selector(text: str) -> Matches:
    tests = [_requirement(part.strip()) for part in re.split(r",(?![^(]*\))", text) if part.strip()]

    def matches(item: Object) -> bool:
        labels = item["metadata"].get("labels") or {}
        return all(test(labels) for test in tests)

    return matches


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    chosen = _SET.match(text)
    if chosen:
        key, operator = chosen.group(1), chosen.group(2)
        values = {value.strip() for value in chosen.group(3).split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if "!=" in text:
        key, _, value = (word.strip() for word in text.partition("!="))
        return lambda labels: labels.get(key) != value
    if "=" in text:
        key, value = (word.strip() for word in re.split(r"==?", text, maxsplit=1))
        return lambda labels: labels.get(key) == value
    if text.startswith("!"):
        return lambda labels: text[1:].strip() not in labels
    return lambda labels: text in labels


def field_selector(text: str) -> Matches:
    """Raises BadRequest for a field that cannot be selected by."""
    tests: list[tuple[str, str, bool]] = []
    for part in filter(None, text.split(",")):
        found = re.match(r"^([^=!]+)(==|=|!=)(.*)$", part)
        if found is None:
            raise bad_request(f'invalid selector: "{text}"; can\'t understand "{part}"')
        path = found.group(1)
        if path not in _FIELDS:
            raise bad_request(f"field label not supported: {path}")
        tests.append((path, found.group(3), found.group(2) != "!="))

    def matches(item: Object) -> bool:
        return all((_at(item, path) == value) is wanted for path, value, wanted in tests)

    return matches


def selected_name(text: str) -> str:
    """The name a field selector asks for, or nothing: authorization then knows it (RBAC's resourceNames)."""
    found = re.fullmatch(r"metadata\.name==?([^,]+)", text)
    return found.group(1) if found else ""


def _at(item: Object, path: str) -> str:
    value: Any = item
    for word in path.split("."):
        value = value.get(word, "") if isinstance(value, dict) else ""
    return str(value)
