# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-doc says of the plugin, against what it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from ansible_collections.keybuzz.amazon.plugins.module_utils._errors import KeybuzzError
from ansible_collections.keybuzz.amazon.plugins.module_utils._module import tenants_inventory
from ansible_collections.keybuzz.amazon.plugins.module_utils._spec.tenants_inventory import OPTIONS

from lab.processes import COLLECTIONS

NAME = "keybuzz.amazon.tenants"
ONE_SOURCE = {"pg_host", "pg_dbname", "pg_user", "vault_addr"}
"""Needed by an environment of one source, and so not by the file."""


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    finished = subprocess.run(
        [sys.executable, "-m", "ansible.cli.doc", "-t", "inventory", "-j", NAME],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(finished.stdout)[NAME]
    return found


def test_every_option_of_an_environment_is_documented_as_it_is(page: dict[str, Any]) -> None:
    documented = page["doc"]["options"]
    for options in OPTIONS.values():
        for name, spec in options.items():
            told = documented[name]
            assert told["type"] == spec["type"], name
            assert told.get("default") == spec.get("default"), name
            assert list(told.get("choices") or []) == list(spec.get("choices") or []), name
            assert bool(told.get("required")) == (bool(spec.get("required")) and name not in ONE_SOURCE), name


def test_every_variable_that_an_option_falls_back_to_is_documented(page: dict[str, Any]) -> None:
    for options in OPTIONS.values():
        for name, spec in options.items():
            text = " ".join(page["doc"]["options"][name]["description"])
            for variable in spec.get("fallback", ((), ()))[1]:
                assert f"E({variable})" in text, (name, variable)


def examples(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(page["examples"]) if document]


def test_every_example_is_a_file_that_the_plugin_takes(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGDATABASE", "PGUSER"):
        monkeypatch.setenv(name, "from-the-environment")
    found = examples(page)
    assert len(found) == 3
    for document in found:
        assert set(document) <= set(page["doc"]["options"])
        asked = tenants_inventory.environments(
            document["environments"],
            document,
            document.get("source", "postgresql"),
            lambda name, given: {
                option: value.replace("{{ amazon_environment }}", name) if isinstance(value, str) else value
                for option, value in given.items()
            },
        )
        assert not [str(one) for one in asked.values() if isinstance(one, KeybuzzError)]
