# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of extensions/awx as a playbook sees them: read and filled in by Ansible itself."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.gates.cores import said

PROJECT = Path(__file__).parents[2]
AWX = PROJECT / "extensions" / "awx"
APPLY = AWX / "apply.yml"
PLAYBOOK = str(Path(sys.executable).parent / "ansible-playbook")

Item = dict[str, Any]
Lists = dict[str, list[Item]]

MODULES = {
    "aap_organizations": "organization",
    "controller_labels": "label",
    "controller_execution_environments": "execution_environment",
    "controller_notifications": "notification_template",
    "controller_credential_types": "credential_type",
    "controller_credentials": "credential",
    "controller_projects": "project",
    "controller_inventories": "inventory",
    "controller_hosts": "host",
    "controller_inventory_sources": "inventory_source",
    "controller_templates": "job_template",
    "controller_workflows": "workflow_job_template",
    "controller_schedules": "schedule",
}
"""Each list, and the module of awx.awx that takes an item of it."""
NODES = "simplified_workflow_nodes"
EDGES = ("success_nodes", "failure_nodes", "always_nodes")


class _Loader(yaml.SafeLoader):
    """YAML with Ansible's tag for what is not to be filled in."""


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("!unsafe", _text)


def load(path: Path) -> Any:
    """A YAML file as it stands, with the text of what is marked !unsafe."""
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  # a SafeLoader with one more tag


def files() -> list[Path]:
    """What apply.yml reads its variables from, in its order."""
    return [AWX / name for name in load(APPLY)[0]["vars_files"]]


def rendered(variables: Mapping[str, Any] | None = None) -> Lists:
    """Every list, filled in with these variables over those of defaults.yml.

    :raises RuntimeError: Ansible could not fill them in; with what it said.
    """
    with tempfile.TemporaryDirectory(prefix="keybuzz-awx-") as folder:
        place = Path(folder)
        (place / "given.json").write_text(json.dumps(dict(variables or {})), encoding="utf-8")
        names = ", ".join(f"'{name}': {name}" for name in MODULES)
        play = [
            {
                "hosts": "localhost",
                "connection": "local",
                "gather_facts": False,
                "vars_files": [str(path) for path in files()],
                "tasks": [
                    {
                        "ansible.builtin.copy": {
                            "content": f"{{{{ {{ {names} }} | to_json }}}}",
                            "dest": str(place / "lists.json"),
                            "mode": "0600",
                        },
                        "no_log": True,
                        "vars": {"ansible_python_interpreter": sys.executable},
                    }
                ],
            }
        ]
        (place / "render.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "render.yml"]
        env = {**os.environ, "HOME": folder, "ANSIBLE_LOCALHOST_WARNING": "false"}
        status, text = said([*command, "-e", "@given.json"], place, env, timeout=120)
        if status:
            raise RuntimeError(text)
        lists: Lists = json.loads((place / "lists.json").read_text(encoding="utf-8"))
        return lists


def nodes(workflow: Item) -> list[Item]:
    """The nodes of a workflow, each as workflow_job_template_node takes it."""
    return [{"workflow_job_template": workflow["name"], **node} for node in workflow[NODES]]


def named(items: list[Item], name: str) -> Item:
    """The item of that name. Raises StopIteration where there is none."""
    return next(item for item in items if item["name"] == name)
