# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials as AWX puts them into a job: files in its private folder, and variables of its environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from tests.awx.rules import tower

Item = Mapping[str, Any]


def inject(
    credentials: Iterable[Item], types: Mapping[str, Item], folder: Path, seen: Path
) -> tuple[dict[str, str], list[str]]:
    """Write the files, and return the variables and the names of the files.

    :param types: credential types by name.
    :param folder: where the files are written.
    :param seen: the same folder as the job sees it.
    """
    sandbox = ImmutableSandboxedEnvironment()
    environment: dict[str, str] = {}
    files: list[str] = []
    for number, credential in enumerate(credentials):
        injectors = types[credential["credential_type"]]["injectors"]
        # AWX leaves out what is empty, and templates are filled in leniently.
        namespace = {name: value for name, value in credential["inputs"].items() if value != ""}
        paths = {}
        for label, text in injectors.get("file", {}).items():
            path = folder / f"tmp{number}{label.replace('.', '')}"
            path.touch(mode=0o600)
            path.write_text(sandbox.from_string(text).render(**namespace), encoding="utf-8")
            paths[label] = str(seen / path.name)
            files.append(path.name)
        for name, text in injectors.get("env", {}).items():
            environment[name] = sandbox.from_string(text).render(tower=tower(paths), **namespace)
    return environment, files


def shown_secrets(credentials: Iterable[Item], types: Mapping[str, Item]) -> frozenset[str]:
    """Variables of the environment that hold a secret themselves, and no path of a file."""
    found = set()
    for kind in (types[credential["credential_type"]] for credential in credentials):
        secret = {field["id"] for field in kind["inputs"]["fields"] if field.get("secret")}
        for name, text in kind["injectors"].get("env", {}).items():
            if "filename" not in text and secret & set(re.findall(r"\w+", text)):
                found.add(name)
    return frozenset(found)


def secrets_of(credentials: Iterable[Item], types: Mapping[str, Item]) -> dict[str, str]:
    """Every secret input by ``credential: input``; of one with several lines each long one."""
    found: dict[str, str] = {}
    for credential in credentials:
        fields = types[credential["credential_type"]]["inputs"]["fields"]
        for name in {field["id"] for field in fields if field.get("secret")} & credential["inputs"].keys():
            text = credential["inputs"][name]
            lines = text.splitlines() if "\n" in text else [text]
            for number, line in enumerate(lines):
                # A kubeconfig: what stands behind the keys that hold a secret.
                value = line.partition(": ")[2] if len(lines) > 1 and ("token" in line or "key-data" in line) else line
                if len(lines) == 1 or value != line:
                    found[f"{credential['name']}: {name} {number}"] = value.strip()
    return {name: value for name, value in found.items() if value}
