# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's configuration file: JSON, 0600 (images may carry settings that are nobody else's)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.certificates import write_private
from lab.errors import LabError


@dataclass(frozen=True)
class Image:
    """What stands for a container image: a command and the environment the image brings."""

    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """A stable loopback port in front of the newest ready pod with these labels."""

    port: int
    namespace: str
    selector: dict[str, str]


@dataclass(frozen=True)
class Config:
    """``routes`` maps ``host:port`` to the ``127.0.0.1:port`` a container's process reaches instead; it is read
    anew at each start of a process, as are the images."""

    kubeconfig: Path
    folder: Path  # one folder a pod
    logs: Path  # one file a container
    images: dict[str, Image]
    services: list[Service] = field(default_factory=list)
    routes: dict[str, str] = field(default_factory=dict)
    node: str = "keybuzz-lab"

    def write(self, file: Path) -> None:
        write_private(file, json.dumps(asdict(self), indent=1, default=str))


def read(file: Path) -> Config:
    """Raises LabError with the file's name when it cannot be understood."""
    try:
        raw: Mapping[str, Any] = json.loads(file.read_text())
        return Config(
            kubeconfig=Path(raw["kubeconfig"]),
            folder=Path(raw["folder"]),
            logs=Path(raw["logs"]),
            images={name: Image(**image) for name, image in raw["images"].items()},
            services=[Service(**service) for service in raw.get("services", [])],
            routes=dict(raw.get("routes", {})),
            node=raw.get("node", "keybuzz-lab"),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"the kubelet's configuration {file} cannot be used: {error}") from error
