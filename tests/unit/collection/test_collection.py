# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reviewer of collections checks by hand: the action group, the documentation against the argument specs."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from lab.processes import COLLECTIONS, PROJECT

MODULES = sorted(file.stem for file in (PROJECT / "plugins" / "modules").glob("*.py"))
SECRET_NAME = re.compile(r"(token|secret|password|api_key|authorization_code)$")
NOT_SECRET = {
    "secret",  # the name of a Kubernetes Secret
}


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible.cli.doc",
            "-t",
            "module",
            "-j",
            *(f"keybuzz.amazon.{name}" for name in MODULES),
        ],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        check=True,
    )
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def spec_of(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The argument spec that main() hands to AnsibleModule."""

    class Captured(Exception):
        pass

    seen: dict[str, Any] = {}

    def capture(**arguments: Any) -> None:
        seen.update(arguments)
        raise Captured

    module = importlib.import_module(f"ansible_collections.keybuzz.amazon.plugins.modules.{name}")
    monkeypatch.setattr(module, "AnsibleModule", capture)
    with pytest.raises(Captured):
        module.main()
    assert seen["supports_check_mode"] is True
    spec: dict[str, Any] = seen["argument_spec"]
    return spec


def compare(options: dict[str, Any], spec: dict[str, Any], place: str) -> None:
    assert set(options) == set(spec), place
    for name, documented in options.items():
        given, where = spec[name], f"{place}.{name}"
        assert documented.get("type", "str") == given.get("type", "str"), where
        assert documented.get("elements") == given.get("elements"), where
        assert documented.get("default") == given.get("default"), where
        assert list(documented.get("choices") or []) == list(given.get("choices") or []), where
        assert bool(documented.get("required")) == bool(given.get("required")), where
        if given.get("options") or documented.get("suboptions"):
            compare(documented.get("suboptions") or {}, given.get("options") or {}, where)


@pytest.mark.parametrize("name", MODULES)
def test_documentation_and_argument_spec_say_the_same(
    name: str, documented: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(documented[f"keybuzz.amazon.{name}"]["doc"]["options"], spec_of(name, monkeypatch), name)


@pytest.mark.parametrize("name", MODULES)
def test_every_option_that_holds_a_secret_is_no_log(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for option, spec in spec_of(name, monkeypatch).items():
        if SECRET_NAME.search(option) and option not in NOT_SECRET and spec.get("type", "str") == "str":
            assert spec.get("no_log") is True, f"{name}.{option}"


@pytest.mark.parametrize("name", MODULES)
def test_examples_and_results_are_documented(name: str, documented: dict[str, Any]) -> None:
    page = documented[f"keybuzz.amazon.{name}"]
    assert yaml.safe_load(page["examples"])
    assert all("sample" in value or value.get("contains") for value in page["return"].values())


def test_the_action_groups_hold_every_module_that_takes_their_options(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = yaml.safe_load((PROJECT / "meta" / "runtime.yml").read_text())["action_groups"]
    assert groups == {
        "all": MODULES,
        "kubernetes": [name for name in MODULES if "kubeconfig" in spec_of(name, monkeypatch)],
        "vault": [name for name in MODULES if "vault_addr" in spec_of(name, monkeypatch)],
    }


def test_every_role_documents_every_default() -> None:
    for role in (PROJECT / "roles").iterdir():
        if role.name == "steps":  # its defaults are links to those of the others
            continue
        defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
        options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"][
            "options"
        ]
        assert set(defaults) <= set(options), f"{role.name}: {set(defaults) - set(options)}"
        readme = (role / "README.md").read_text()
        assert all(f"`{name}`" in readme for name in options), role.name


def test_the_role_steps_has_the_names_of_every_role_that_hands_options_to_a_module() -> None:
    roles = {
        file.parents[1].name
        for file in PROJECT.glob("roles/*/vars/main.yml")
        if f"{file.parents[1].name}_options" in yaml.safe_load(file.read_text())
    }
    assert len(roles) == 5
    for part in ("defaults", "vars"):
        links = {file.stem: file.resolve() for file in (PROJECT / "roles" / "steps" / part / "main").iterdir()}
        assert links == {role: PROJECT / "roles" / role / part / "main.yml" for role in roles}


def test_every_source_file_carries_its_licence() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    kinds = (".py", ".yml", ".sh", ".go", ".js", ".j2", "Makefile")
    bare = [
        name
        for name in tracked
        if name.endswith(kinds)
        and not name.startswith(("changelogs/", "roles/drift_report/templates/"))
        and not (PROJECT / name).is_symlink()
        and (PROJECT / name).is_file()
        and "SPDX-License-Identifier: GPL-3.0-or-later" not in (PROJECT / name).read_text()[:600]
    ]
    assert bare == []
