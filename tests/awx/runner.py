# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as AWX's execution nodes run it: ansible-runner transmit, worker, process.

The project's folder and the home are not for writing, there is no terminal, and the worker gets its environment and
nothing of whoever starts this.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.awx.injecting import inject, shown_secrets
from tests.awx.lists import PROJECT, Item, Lists, named

PROGRAMS = Path(sys.executable).parent
CONTENT = ("playbooks", "roles", "plugins", "meta", "galaxy.yml", "ansible.cfg", ".collections", "extensions")
# linux/prctl.h and linux/capability.h: what lets root pass over the rights of files.
PR_CAPBSET_DROP = 24
DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER = 1, 2, 3


@dataclass(frozen=True)
class Ended:
    """A finished job.

    :param folder: what AWX keeps: job_events, stdout, rc, status and so on.
    :param sent: what came back from the execution node, byte by byte.
    :param left: what is in the execution node's folder, without what the job was given.
    :param masked: variables of the environment that hold a secret. The runner tells the controller the whole
        environment of the job, and AWX masks these before it keeps it.
    """

    template: str
    code: int
    status: str
    folder: Path
    sent: bytes
    left: tuple[Path, ...]
    masked: frozenset[str]

    @property
    def output(self) -> str:
        return (self.folder / "stdout").read_text(encoding="utf-8", errors="replace")

    @property
    def events(self) -> list[dict[str, Any]]:
        paths = sorted((self.folder / "job_events").glob("*.json"), key=lambda path: int(path.name.split("-")[0]))
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]

    @property
    def artifacts(self) -> dict[str, Any]:
        """What set_stats told the workflow."""
        data = [event["event_data"] for event in self.events if event["event"] == "playbook_on_stats"]
        found: dict[str, Any] = data[-1].get("artifact_data", {}) if data else {}
        return found

    @property
    def changed(self) -> int:
        data = [event["event_data"] for event in self.events if event["event"] == "playbook_on_stats"]
        return sum(data[-1]["changed"].values()) if data else 0

    def places(self) -> dict[str, str]:
        """Every text that is left of the job, by where it is."""
        kept = [path for path in self.folder.rglob("*") if path.is_file()]
        returned = (self._told(line) for line in self.sent.decode(errors="replace").splitlines())
        return {
            f"{self.template}: returned": "\n".join(returned),
            **{f"{self.template}: {path}": self._text(path) for path in (*kept, *self.left)},
        }

    def _text(self, path: Path) -> str:
        text = path.read_text(errors="replace")
        return self._told(text) if path.name == "command" else text

    def _told(self, line: str) -> str:
        """A line as AWX keeps it: what the runner says of its environment is masked."""
        try:
            told = json.loads(line)
        except ValueError:
            return line
        if not isinstance(told, dict) or "env" not in told:
            return line
        environment = {name: value for name, value in told["env"].items() if name not in self.masked}
        return json.dumps({**told, "env": environment}, ensure_ascii=False)


class Node:
    """An execution node with the project, below one folder."""

    def __init__(self, place: Path, lists: Lists, inventories: Mapping[str, Mapping[str, Any]]) -> None:
        self.place = place
        self.lists = lists
        self.inventories = inventories
        self.types = {item["name"]: item for item in lists["controller_credential_types"]}
        self.project = place / "project"
        self.home = place / "home"
        self.home.mkdir()
        self._jobs = 0
        checked_out(self.project)
        for folder in (self.project, self.home):
            closed(folder)

    def credentials_of(self, template: Item) -> list[Item]:
        return [named(self.lists["controller_credentials"], name) for name in template["credentials"]]

    def run(
        self,
        name: str,
        answers: Mapping[str, Any] | None = None,
        more: list[Item] | None = None,
        inventory: Mapping[str, Any] | None = None,
    ) -> Ended:
        """Launch a template.

        :param answers: to its survey; the others are its defaults.
        :param more: credentials added at the launch.
        :param inventory: a slice of the template's own.
        """
        template = named(self.lists["controller_templates"], name)
        if more and not template.get("ask_credential_on_launch"):
            raise ValueError(f"{name} asks for no credential")
        self._jobs += 1
        place = self.place / f"job-{self._jobs}"
        given, seen, kept = place / "given", place / "seen", place / "kept"
        for folder in (given / "env", given / "inventory", seen, kept):
            folder.mkdir(parents=True)
        credentials = [*self.credentials_of(template), *(more or [])]
        environment, files = inject(credentials, self.types, given / "env", seen / "env")
        self._write(given, template, environment, answers or {})
        script = given / "inventory" / "hosts"
        content = json.dumps(dict(inventory or self.inventories[template["inventory"]]))
        script.write_text(f"#!/usr/bin/env python3\nprint({content!r})\n", encoding="utf-8")
        script.chmod(0o700)
        before = (snapshot(self.project), snapshot(self.home))
        sent = self._piped(template["playbook"], given, seen, kept)
        if (snapshot(self.project), snapshot(self.home)) != before:
            raise AssertionError(f"{name} has written into the project's folder or the home")
        folder = kept / "artifacts" / str(self._jobs)
        ours = {seen / "env" / file for file in (*files, "envvars")}
        left = tuple(path for path in seen.rglob("*") if path.is_file() and path not in ours)
        code = int((folder / "rc").read_text()) if (folder / "rc").exists() else -1
        status = (folder / "status").read_text() if (folder / "status").exists() else "error"
        shutil.rmtree(given)
        return Ended(name, code, status, folder, sent, left, shown_secrets(credentials, self.types))

    def _write(self, given: Path, template: Item, environment: Mapping[str, str], answers: Mapping[str, Any]) -> None:
        questions = template["survey_spec"]["spec"]
        defaults = {one["variable"]: one["default"] for one in questions if "default" in one}
        unknown = answers.keys() - {one["variable"] for one in questions}
        missing = {one["variable"] for one in questions if one["required"]} - answers.keys() - defaults.keys()
        if unknown or missing:
            raise ValueError(f"{template['name']}: no question for {unknown}, no answer to {missing}")
        # The template's own may be filled in by the job; what somebody answers is never a template.
        lines = [f"{name}: {json.dumps(value)}" for name, value in template["extra_vars"].items()]
        lines += [f"{name}: {_answered(value)}" for name, value in {**defaults, **answers}.items()]
        (given / "env" / "extravars").write_text("\n".join(lines) + "\n", encoding="utf-8")
        arguments = ["--check"] if template["job_type"] == "check" else []
        arguments += ["--diff"] if template["diff_mode"] else []
        arguments += [f"--limit '{template['limit']}'"] if template.get("limit") else []
        arguments += [f"--forks {template['forks']}"]
        (given / "env" / "cmdline").write_text(" ".join(arguments), encoding="utf-8")
        (given / "env" / "envvars").touch(mode=0o600)
        (given / "env" / "envvars").write_text(json.dumps(dict(environment)), encoding="utf-8")
        settings = {"suppress_env_files": True, "job_timeout": template["timeout"]}
        (given / "env" / "settings").write_text(json.dumps(settings), encoding="utf-8")

    def _piped(self, playbook: str, given: Path, seen: Path, kept: Path) -> bytes:
        runner = str(PROGRAMS / "ansible-runner")
        scratch = seen.parent / "tmp"
        scratch.mkdir()
        bare = {
            "PATH": f"{PROGRAMS}:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            # As an execution environment's image has them: the only places that can be written.
            "TMPDIR": str(scratch),
            "ANSIBLE_HOME": str(scratch / "ansible"),
        }
        project = ("--project-dir", str(self.project))
        transmit = [runner, "transmit", str(given), "-p", playbook, "-i", str(self._jobs), *project]
        worker = [runner, "worker", "--private-data-dir", str(seen)]
        process = [runner, "process", "-i", str(self._jobs), str(kept)]
        asked = subprocess.run(
            transmit, env=bare, capture_output=True, stdin=subprocess.DEVNULL, check=True, timeout=120
        )
        worked = subprocess.run(
            worker,
            env=bare,
            input=asked.stdout,
            capture_output=True,
            check=False,
            timeout=600,
            preexec_fn=_no_more_than_others,
        )
        # It ends as the job has ended.
        subprocess.run(process, env=bare, input=worked.stdout, capture_output=True, check=False, timeout=120)
        return worked.stdout


def _answered(value: Any) -> str:
    return f"!unsafe {json.dumps(value)}" if isinstance(value, str) else json.dumps(value)


def checked_out(folder: Path) -> None:
    """What a project's folder has of this checkout."""
    folder.mkdir()
    leave = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in CONTENT:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True, ignore=leave)
        else:
            shutil.copy2(source, folder / name)


def closed(folder: Path) -> None:
    """Take the right to write from the folder and all that is in it."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[None]:
    """Gives the right to write back at the end, so that the folder can be removed."""
    try:
        yield
    finally:
        for path in (folder, *folder.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IWUSR)


def snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Size, time and rights of everything in it."""
    paths = [folder, *folder.rglob("*")]
    return {str(path): (found.st_size, found.st_mtime_ns, found.st_mode) for path in paths for found in [path.lstat()]}


def _no_more_than_others() -> None:
    """Root is held to the rights of files, too, as the user of an execution environment is."""
    if os.geteuid() == 0:
        library = ctypes.CDLL(None, use_errno=True)
        for capability in (DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER):
            if library.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")
