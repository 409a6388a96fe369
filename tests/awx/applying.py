# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apply.yml by the real awx.awx against the stand-in: everything the first time, nothing the second."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.awx.controller import Controller
from tests.awx.lists import APPLY
from tests.gates.cores import said

RECAP = re.compile(r"localhost\s+: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=(\d+)")


@dataclass(frozen=True)
class Applied:
    """One run.

    :param writes: the requests of it that were no questions.
    """

    code: int
    output: str
    changed: int
    writes: tuple[str, ...]


def apply(
    programs: Path, controller: Controller, variables: Mapping[str, Any], *arguments: str, prefix: str = "/api/"
) -> Applied:
    """Runs apply.yml.

    :param programs: bin folder of an environment with awx.awx.
    :param variables: as a file of its own, as a user gives them.
    :param prefix: of the API: /api/ of an AWX, /api/controller/ of an AAP.
    """
    before = len(controller.writes)
    with tempfile.TemporaryDirectory(prefix="keybuzz-awx-") as folder:
        given = Path(folder) / "given.json"
        given.write_text(json.dumps(dict(variables)), encoding="utf-8")
        given.chmod(0o600)
        status, text = said(
            [str(programs / "ansible-playbook"), "-i", "localhost,", str(APPLY), "-e", f"@{given}", *arguments],
            folder,
            {
                "PATH": f"{programs}:{os.environ['PATH']}",
                "HOME": folder,
                "LANG": "C.UTF-8",
                "ANSIBLE_LOCALHOST_WARNING": "false",
                "CONTROLLER_HOST": controller.address,
                "CONTROLLER_OAUTH_TOKEN": controller.token,
                "CONTROLLER_OPTIONAL_API_URLPATTERN_PREFIX": prefix,
            },
            timeout=600,
        )
    recap = RECAP.search(text)
    return Applied(status, text, int(recap[1]) if recap else -1, tuple(controller.writes[before:]))
