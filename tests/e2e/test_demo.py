# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration ends with a page that its last audit has written.

The script is run whole. Its lab and its repair are stand-ins that say nothing; its audits are the role drift_report,
which ansible-core runs as it does for the real one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PYTHON = f"""#!/bin/sh
[ "$1" = -m ] && exit 0
exec {sys.executable} "$@"
"""
ANSIBLE = f"""#!/bin/sh
[ "$1" = audit_amazon.yml ] || exit 0
number=$(cat audits 2>/dev/null || echo 0)
echo $((number + 1)) > audits
if [ -e "no-page-$number" ]; then exit 0; fi
exec {BIN}/ansible-playbook -i localhost, -c local "play-$number.json"
"""


def play(status: str) -> list[dict[str, Any]]:
    """What the audit playbook does after its look."""
    item = {"id": "a/b", "check": "a", "address": "x", "severity": "high", "status": status}
    return [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": [
                {"name": "Look", "ansible.builtin.set_fact": {"repair_drift": [item]}},
                {"name": "Report", "ansible.builtin.include_role": {"name": "keybuzz.amazon.drift_report"}},
            ],
        }
    ]


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    """The script in a folder that has a page of an earlier day; its first audit finds drift, its second one none."""
    stubs = folder / "bin"
    stubs.mkdir()
    for name, script in (("python", PYTHON), ("ansible-playbook", ANSIBLE)):
        (stubs / name).write_text(script)
        (stubs / name).chmod(0o755)
    for number, status in enumerate(("missing", "in_sync")):
        (folder / f"play-{number}.json").write_text(json.dumps(play(status)))
    (folder / "drift_report.html").write_text("of an earlier day")
    return subprocess.run(
        ["bash", str(PROJECT / "lab" / "demo.sh")],
        env={
            "PATH": f"{stubs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
        },
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def test_the_last_lines_are_the_page_of_the_last_audit_and_an_address_that_opens_it(tmp_path: Path) -> None:
    folder = tmp_path / "a folder, with ü"
    folder.mkdir()
    done = demo(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    path, address = (line.strip() for line in done.stdout.splitlines()[-2:])
    assert path == str(folder / "drift_report.html")
    assert address.startswith("file:///")
    opened = Path(urllib.request.url2pathname(urllib.parse.urlsplit(address).path))
    assert opened == Path(path)
    page = opened.read_text()
    assert page.startswith("<!DOCTYPE html>") and "In sync: every check was made, nothing differs." in page


def test_a_demonstration_without_a_page_at_its_end_fails_and_names_no_page_of_an_earlier_day(tmp_path: Path) -> None:
    (tmp_path / "no-page-1").touch()
    done = demo(tmp_path)
    assert done.returncode == 1
    assert f"The audit wrote no page to {tmp_path / 'drift_report.html'}" in done.stderr
    assert "file://" not in done.stdout
