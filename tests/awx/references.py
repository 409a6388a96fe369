# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lists say of each other, of the playbooks, and of what the modules read."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.keybuzz.amazon.plugins.module_utils import _options
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec import drift_report
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.steps import STEPS

from tests.awx import rules
from tests.awx.lists import EDGES, NODES, PROJECT, Item, Lists, load

NOTIFICATIONS = tuple(f"notification_templates_{event}" for event in ("started", "success", "error", "approvals"))
REFERS: Mapping[str, str] = {
    "organization": "aap_organizations",
    "lookup_organization": "aap_organizations",
    "inventory": "controller_inventories",
    "project": "controller_projects",
    "source_project": "controller_projects",
    "execution_environment": "controller_execution_environments",
    "default_environment": "controller_execution_environments",
    "credential": "controller_credentials",
    "credentials": "controller_credentials",
    "credential_type": "controller_credential_types",
    "labels": "controller_labels",
    **dict.fromkeys(NOTIFICATIONS, "controller_notifications"),
}
JOBS = ("controller_templates", "controller_workflows")
# An input that is a secret although no option of a module says so: what holds a password among other things.
HOLD_SECRETS = frozenset({"PGPASSFILE", "K8S_AUTH_KUBECONFIG"})


def every_item(lists: Lists) -> Iterator[tuple[str, Item]]:
    """Each object with a name for messages, the nodes of workflows among them."""
    for kind, items in lists.items():
        for item in items:
            yield f"{kind} {item['name']}", item
            for node in item.get(NODES, []):
                yield f"{kind} {item['name']}: {node['identifier']}", node


def unknown_names(lists: Lists) -> list[str]:
    """Names that an object refers to and no list has."""
    known = {kind: {item["name"] for item in items} for kind, items in lists.items()}
    jobs = set().union(*(known[kind] for kind in JOBS))
    found = []
    for place, item in every_item(lists):
        for key, kind in REFERS.items():
            given = item.get(key) or []
            for name in given if isinstance(given, list) else [given]:
                found += [] if name in known[kind] else [f"{place}: {key} {name}"]
        job = item.get("unified_job_template")
        found += [f"{place}: unified_job_template {job}"] if job and job not in jobs else []
    for workflow in lists["controller_workflows"]:
        identifiers = {node["identifier"] for node in workflow[NODES]}
        for node in workflow[NODES]:
            lost = {name for edge in EDGES for name in node.get(edge, [])} - identifiers
            found += [f"{workflow['name']}: {node['identifier']} leads to {name}" for name in lost]
    return found


def twice(lists: Lists) -> list[str]:
    """Names that a list has more than once."""
    return [
        f"{kind}: {name}"
        for kind, items in lists.items()
        for name in {item["name"] for item in items}
        if sum(item["name"] == name for item in items) > 1
    ]


def refused_by_awx(lists: Lists) -> list[str]:
    """What an AWX would refuse by its own rules."""
    types = {item["name"]: item for item in lists["controller_credential_types"]}
    found = [f"{name}: {said}" for name, item in types.items() for said in rules.credential_type(item)]
    for item in lists["controller_credentials"]:
        found += [f"{item['name']}: {said}" for said in rules.credential(item, types[item["credential_type"]])]
    for place, item in every_item(lists):
        if "survey_spec" in item:
            found += [f"{place}: {said}" for said in rules.survey(item["survey_spec"])]
        if "rrule" in item:
            found += [f"{place}: {said}" for said in rules.rrule(item["rrule"])]
    kinds = {item["name"]: item["credential_type"] for item in lists["controller_credentials"]}
    for template in lists["controller_templates"]:
        given = [kinds[name] for name in template.get("credentials", []) if name in kinds]
        found += [f"{template['name']}: two credentials of {kind}" for kind in set(given) if given.count(kind) > 1]
    return found


def read_variables() -> dict[str, bool]:
    """Environment variables that a module reads, and whether what it reads is a secret."""
    found: dict[str, bool] = {}
    specs = [_options.VAULT, _options.KUBERNETES, _options.POSTGRESQL, _options.AMAZON, drift_report.OPTIONS]
    for spec in [*specs, *(step.options for step in STEPS.values())]:
        for name, option in spec.items():
            secret = bool(option.get("no_log") or spec.get(name.removesuffix("_file"), {}).get("no_log"))
            for variable in (option.get("fallback") or (None, ()))[1]:
                found[variable] = secret or variable in HOLD_SECRETS
    return found


def unread_injectors(lists: Lists) -> list[str]:
    """Variables of the environment that no module reads, and secrets that a type does not treat as such."""
    read, found = read_variables(), []
    for kind in lists["controller_credential_types"]:
        injectors = kind["injectors"]
        secret = {field["id"] for field in kind["inputs"]["fields"] if field.get("secret")}
        for variable, text in injectors.get("env", {}).items():
            if variable not in read:
                found.append(f"{kind['name']}: nothing reads {variable}")
            elif read[variable] and not _inputs(text, injectors) & secret:
                found.append(f"{kind['name']}: {variable} is a secret, and its input is not")
        found += [f"{kind['name']}: extra variables are stored for good" for _ in injectors.get("extra_vars", {})]
    return found


def _inputs(text: str, injectors: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Words of a template, and of the files it names."""
    words = set(re.findall(r"\w+", text))
    for name, content in injectors.get("file", {}).items():
        if "filename" in words and (name == "template" or name.removeprefix("template.") in words):
            words |= set(re.findall(r"\w+", content))
    return words


def unknown_playbooks(lists: Lists) -> list[str]:
    """Playbooks that the project does not have."""
    return [
        f"{template['name']}: {template['playbook']}"
        for template in lists["controller_templates"]
        if not (PROJECT / template["playbook"]).is_file()
    ]


@functools.cache
def variables_of(playbook: str) -> frozenset[str]:
    """Names that a playbook of the project reads: those of its roles, and those in its own text."""
    if not (PROJECT / playbook).is_file():
        return frozenset()
    texts = [(PROJECT / playbook).read_text(encoding="utf-8")]
    for name in re.findall(r"import_playbook: (\w+\.yml)", texts[0]):
        texts.append((PROJECT / "playbooks" / name).read_text(encoding="utf-8"))
    for name in re.findall(r"tasks/(\w+)\.yml", "\n".join(texts)):
        texts.append((PROJECT / "playbooks" / "tasks" / f"{name}.yml").read_text(encoding="utf-8"))
    found = {word for text in texts for word in re.findall(r"\w+", text)}
    pending = {role for text in texts for role in re.findall(r"keybuzz\.amazon\.(\w+)", text)}
    seen: set[str] = set()
    while pending:
        place = PROJECT / "roles" / (role := pending.pop())
        if role in seen or not place.is_dir():
            continue
        seen.add(role)
        for entry in load(place / "meta" / "argument_specs.yml")["argument_specs"].values():
            found |= set(entry.get("options", {}))
        pending |= {link.resolve().parents[1].name for link in place.glob("defaults/main/*.yml")}  # another role's
        dependencies = load(place / "meta" / "main.yml").get("dependencies") or []
        pending |= {str(one["role"] if isinstance(one, dict) else one).rpartition(".")[2] for one in dependencies}
    return frozenset(found)


def unread_variables(lists: Lists) -> list[str]:
    """Extra variables and questions that nothing reads, and answers of nodes that no question asks for."""
    found = []
    questions: dict[str, dict[str, Any]] = {}
    for template in lists["controller_templates"]:
        extra = template.get("extra_vars", {})
        read = variables_of(template["playbook"])
        read_here = {word for text in extra.values() for word in re.findall(r"\w+", str(text))}
        asked = {question["variable"]: question for question in template["survey_spec"]["spec"]}
        questions[template["name"]] = asked
        found += [f"{template['name']}: nothing reads {name}" for name in {*extra, *asked} - read - read_here]
        found += [f"{template['name']}: {name} is set and asked for" for name in extra.keys() & asked.keys()]
    for place, item in every_item(lists):
        job = item.get("unified_job_template")
        given = item.get("extra_data") or {}
        asked = questions.get(str(job), {})
        found += [f"{place}: no question asks for {name}" for name in given.keys() - asked.keys()]
        if job in questions:
            needed = {name for name, one in asked.items() if one["required"] and "default" not in one}
            found += [f"{place}: nobody answers {name}" for name in needed - given.keys()]
    return found


LOOKS = (unknown_names, twice, refused_by_awx, unread_injectors, unknown_playbooks, unread_variables)
"""All of them. Each takes the lists and returns what is wrong, in words."""
