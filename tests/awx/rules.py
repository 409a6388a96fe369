# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AWX refuses: rules of its serializers and models, written down from their effect.

Each function returns what it would say, and nothing for what it would take. The places in AWX 24.6.1:
awx/main/fields.py (credential types), awx/api/views (surveys), awx/api/serializers.py (schedules).
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.sandbox import ImmutableSandboxedEnvironment

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
FILE = re.compile(r"template(\.[a-zA-Z_][a-zA-Z0-9_]*)?")
ASCII = re.compile(r"[\x00-\x7f]*")
BLOCKED = frozenset(
    [
        "VIRTUAL_ENV",
        "PATH",
        "PYTHONPATH",
        "JOB_ID",
        "INVENTORY_ID",
        "INVENTORY_SOURCE_ID",
        "INVENTORY_UPDATE_ID",
        "AD_HOC_COMMAND_ID",
        "REST_API_URL",
        "REST_API_TOKEN",
        "MAX_EVENT_RES",
        "CALLBACK_QUEUE",
        "CALLBACK_CONNECTION",
        "CACHE",
        "JOB_CALLBACK_DEBUG",
        "INVENTORY_HOSTVARS",
        "AWX_HOST",
        "PROJECT_REVISION",
        "SUPERVISOR_CONFIG_PATH",
    ]
)
FIELD_KEYS = frozenset(
    [
        "id",
        "label",
        "type",
        "format",
        "choices",
        "help_text",
        "multiline",
        "secret",
        "ask_at_runtime",
        "default",
    ]
)
QUESTION_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": (int, float),
}
RRULE = re.compile(r"DTSTART;TZID=(?P<zone>[^:;]+):(?P<start>\d{8}T\d{6}) RRULE:(?P<rule>\S+)")
FREQUENCIES = frozenset({"MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"})


class _Files:
    """``tower.filename`` as AWX puts it into the templates."""


def credential_type(item: Mapping[str, Any]) -> list[str]:
    """Of a credential type: inputs, and injectors that use nothing but them."""
    said = [] if item.get("kind") in ("cloud", "net") else ["kind must be cloud or net"]
    inputs, injectors = item.get("inputs") or {}, item.get("injectors") or {}
    fields = {field.get("id"): field for field in inputs.get("fields", [])}
    if len(fields) != len(inputs.get("fields", [])):
        said.append("field ids must be unique")
    for name, field in fields.items():
        said += [f"{name}: unknown key {key}" for key in field.keys() - FIELD_KEYS]
        said += [f"{name}: has no label"] if not field.get("label") else []
        said += [f"{name}: is reserved or no name"] if name == "tower" or not NAME.fullmatch(str(name)) else []
        # AWX takes it, and fills in Jinja's own object where the input is empty.
        said += [f"{name}: is a name of Jinja's"] if name in DEFAULT_NAMESPACE else []
        if field.get("type", "string") not in ("string", "boolean"):
            said.append(f"{name}: type must be string or boolean")
        if "choices" in field and "default" in field and field["default"] not in field["choices"]:
            said.append(f"{name}: the default is none of the choices")
    said += [f"required {name} is no field" for name in inputs.get("required", []) if name not in fields]
    said += [f"unknown injector {name}" for name in injectors.keys() - {"env", "file", "extra_vars"}]
    return said + _injectors(injectors, list(fields))


def _injectors(injectors: Mapping[str, Mapping[str, str]], fields: list[str]) -> list[str]:
    said = []
    files = list(injectors.get("file", {}))
    said += [f"file {name}: is not template or template.name" for name in files if not FILE.fullmatch(name)]
    if "template" in files and len(files) > 1:
        said.append("several files need names: template.name")
    for name, value in injectors.get("env", {}).items():
        if name.startswith("ANSIBLE_") or name in BLOCKED:
            said.append(f"env {name}: is not allowed in credentials")
        if not NAME.fullmatch(name) or not ASCII.fullmatch(value):
            said.append(f"env {name}: is no name of a variable, or its value is not ASCII")
    said += [
        f"extra variable {name}: is no name" for name in injectors.get("extra_vars", {}) if not NAME.fullmatch(name)
    ]
    namespace: dict[str, Any] = dict.fromkeys(fields, "EXAMPLE") | {"tower": tower(dict.fromkeys(files, "EXAMPLE"))}
    for kind, templates in injectors.items():
        for name, text in templates.items():
            try:
                ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(text).render(namespace)
            except TemplateError as error:
                said.append(f"{kind} {name}: {error}")
    return said


def tower(files: Mapping[str, str]) -> object:
    """What a template sees as ``tower``: the paths of the files, by the names of their templates."""
    holder, names = _Files(), _Files()
    for name, path in files.items():
        if name == "template":
            names = path  # type: ignore[assignment]
        else:
            setattr(names, name.removeprefix("template."), path)
    holder.filename = names  # type: ignore[attr-defined]
    return holder


def credential(item: Mapping[str, Any], kind: Mapping[str, Any]) -> list[str]:
    """Of a credential's inputs, by its type."""
    fields = {field["id"]: field for field in kind["inputs"].get("fields", [])}
    said = [f"{name} is no input of {kind['name']}" for name in item["inputs"].keys() - fields.keys()]
    for name, value in item["inputs"].items():
        choices = fields.get(name, {}).get("choices")
        if choices and value not in choices:
            said.append(f"{name}: must be one of {', '.join(choices)}")
        if not isinstance(value, str | bool):
            said.append(f"{name}: is no text")
    return said


def survey(spec: Mapping[str, Any]) -> list[str]:
    """Of a survey's specification."""
    said = [f"{name} is missing or no text" for name in ("name", "description") if not isinstance(spec.get(name), str)]
    said += ["spec holds no question"] if not spec.get("spec") else []
    seen: set[str] = set()
    for question in spec.get("spec", []):
        name = str(question.get("variable"))
        missing = {"type", "question_name", "variable", "required"} - question.keys()
        said += [f"{name}: {key} is missing" for key in missing]
        said += [f"{name}: is asked twice"] if name in seen else []
        seen.add(name)
        if question.get("type") not in QUESTION_TYPES:
            said.append(f"{name}: no type {question.get('type')}")
            continue
        said += _question(name, question)
    return said


def _question(name: str, question: Mapping[str, Any]) -> list[str]:
    said = [
        f"{name}: {key} must be a whole number"
        for key in ("min", "max")
        if question.get(key) is not None and type(question[key]) is not int
    ]
    if not isinstance(question.get("required", False), bool):
        said.append(f"{name}: required must be true or false")
    choices, default = question.get("choices"), question.get("default", "")
    if question["type"] in ("multiplechoice", "multiselect"):
        if not choices:
            said.append(f"{name}: has no choices")
        elif default != "" and any(one not in choices for one in str(default).splitlines()):
            said.append(f"{name}: the default is none of the choices")
    if default != "":
        if not isinstance(default, QUESTION_TYPES[question["type"]]):
            said.append(f"{name}: the default has another type")
        else:
            said += answer(question, default)
    return said


def answer(question: Mapping[str, Any], value: Any) -> list[str]:
    """Of what somebody answers to a question."""
    name = question["variable"]
    if not isinstance(value, QUESTION_TYPES[question["type"]]):
        return [f"{name}: {value!r} has another type than {question['type']}"]
    size = len(value) if isinstance(value, str) else value
    low, high = question.get("min"), question.get("max")
    if question["type"] in ("multiplechoice", "multiselect"):
        return [] if value in question["choices"] else [f"{name}: {value!r} is none of the choices"]
    said = [f"{name}: {value!r} is too small"] if low is not None and size < low else []
    return said + ([f"{name}: {value!r} is too large"] if high is not None and size > high else [])


def rrule(text: str) -> list[str]:
    """Of a schedule's rule."""
    found = RRULE.fullmatch(text)
    if not found:
        return ["is not one DTSTART;TZID=zone:start and one RRULE"]
    rule = dict(part.partition("=")[::2] for part in found["rule"].split(";"))
    said = [] if found["zone"] in zoneinfo.available_timezones() else [f"no time zone {found['zone']}"]
    said += [] if rule.get("FREQ") in FREQUENCIES else [f"no frequency {rule.get('FREQ')}"]
    said += [] if rule.get("INTERVAL", "").isdecimal() and int(rule["INTERVAL"]) > 0 else ["INTERVAL is missing"]
    try:
        datetime.strptime(found["start"], "%Y%m%dT%H%M%S")  # the zone stands beside it
    except ValueError:
        said.append("the start is no time")
    return said
