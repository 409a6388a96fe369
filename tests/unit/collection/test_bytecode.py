# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible finds the collection's Python as bytecode, and as it would without it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.processes import PROJECT

LOOKED = """
import builtins, json, sys
from ansible.plugins.loader import action_loader, init_plugin_loader

init_plugin_loader([sys.argv[1]])
compiled, compile_ = [], builtins.compile

def counted(source, filename, *rest, **more):
    compiled.append(str(filename))
    return compile_(source, filename, *rest, **more)

builtins.compile = counted
for name in ("amazon_integration_info", "drift_report"):
    assert action_loader.get("keybuzz.amazon." + name, class_only=True), name
files = [str(getattr(module, "__file__", "")) for module in list(sys.modules.values())]
ours = sys.argv[1] + "/ansible_collections/keybuzz/amazon/plugins/module_utils/"
print(json.dumps([sorted(name for name in names if name.startswith(ours) and name.endswith(".py"))
                  for names in (files, compiled)]))
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The collection's plugins where ansible-galaxy would put them."""
    place = tmp_path / "ansible_collections" / "keybuzz" / "amazon"
    without = shutil.ignore_patterns("__pycache__")
    for name in ("plugins", "meta"):
        shutil.copytree(PROJECT / name, place / name, ignore=without)
    (place / "galaxy.yml").write_text((PROJECT / "galaxy.yml").read_text(encoding="utf-8"))
    return place


def looked(installed: Path, **environment: str) -> tuple[list[str], list[str]]:
    """The files of ``module_utils`` that Ansible finds for both plugins, and those that were compiled for it."""
    hindered = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    kept = {name: value for name, value in os.environ.items() if name not in hindered}
    done = subprocess.run(
        [sys.executable, "-c", LOOKED, str(installed.parents[2])],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    files, compiled = json.loads(done.stdout)
    assert len(files) > 100
    return files, compiled


@pytest.mark.slow
def test_what_was_compiled_once_is_not_compiled_again_until_its_source_changes(installed: Path) -> None:
    files, compiled = looked(installed)
    assert compiled == files
    assert looked(installed) == (files, [])
    changed = installed / "plugins" / "module_utils" / "_drift.py"
    changed.write_text(changed.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert looked(installed) == (files, [str(changed)])


@pytest.mark.slow
def test_where_nothing_may_be_written_nothing_is_and_the_same_files_are_found(installed: Path) -> None:
    for _ in range(2):
        files, compiled = looked(installed, PYTHONDONTWRITEBYTECODE="1")
        assert compiled == files
    assert not list(installed.rglob("__pycache__"))
