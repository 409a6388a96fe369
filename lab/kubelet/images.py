# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an image of the table to the command line and environment of a process."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from lab.kubelet.config import Image
from lab.kubelet.environment import expand
from lab.processes import MARK, free_port

Object = dict[str, Any]


def command(
    image: Image,
    spec: Object,
    env: Mapping[str, str],
    routes: Mapping[str, str],
) -> tuple[list[str], dict[str, str], int]:
    """Command line, whole environment and port. ``command`` and ``args`` of the container replace the image's.

    PORT is this node's choice and wins over any other: two pods share one network here.
    """
    port = free_port()
    argv = list(image.argv)
    if "command" in spec:
        argv = [expand(word, env) for word in spec["command"]]
    argv += [expand(word, env) for word in spec.get("args", [])]
    base = {"PATH": os.environ.get("PATH", os.defpath)}
    forced = {"PORT": str(port), "KEYBUZZ_ROUTES": json.dumps(dict(routes))}
    # The lab finds its processes by this mark, whoever has started them.
    mark = {MARK: os.environ[MARK]} if MARK in os.environ else {}
    return argv, {**base, **env, **forced, **mark}, port
