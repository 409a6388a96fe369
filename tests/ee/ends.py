# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.ee.ends [lowest] [newest]``: the collection with both ends of the ranges in requirements.txt.

Each end is an environment of its own: the lowest versions that the file allows with the oldest series of ansible-core
in meta/runtime.yml, and the newest of both that this Python can have. In each the unit tests run, and some against real
servers: Vault, PostgreSQL, Kubernetes, Amazon's simulator, and one audit from its command on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.gates.cores import PROJECT, environment, said

OUTPUT = PROJECT / "build" / "evidence" / "ends.json"
RANGE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<lowest>[0-9][0-9.]*),<[0-9][0-9.]*")
SERVERS = (
    "tests/integration_lab/access/test_connection.py",
    "tests/integration_lab/inventory",
    "tests/integration_lab/kube/test_client.py",
    "tests/integration_lab/orders/test_import.py",
    "tests/integration_lab/tenant/test_connect.py",
    "tests/integration_lab/vault/test_vault_failures.py",
    "tests/integration_lab/vault/test_vault_login.py",
    "tests/e2e/test_auditor.py::test_an_auditor_sees_the_same_as_the_repair_and_writes_nothing",
)
"""What the four libraries do: connect, log in, list, patch, copy, sign in at Amazon."""
SHOWN = ("ansible-core",)


def ranges(text: str) -> dict[str, str]:
    """The lowest version of each requirement. :raises ValueError: a line is no range with two ends."""
    found = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = RANGE.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"{line!r} is no range such as hvac>=2.3.0,<3")
        found[match["name"]] = match["lowest"]
    return found


def oldest_core(text: str) -> str:
    """The oldest series of ansible-core in meta/runtime.yml, in its last release."""
    return "ansible-core~=" + str(yaml.safe_load(text)["requires_ansible"]).removeprefix(">=")


def wanted(end: str) -> list[str]:
    """What pip installs for an end."""
    requirements = PROJECT / "requirements.txt"
    tests = [f"-r{PROJECT / name}" for name in ("requirements-lab.txt", "requirements-test.txt")]
    if end == "newest":
        return [f"-r{requirements}", *tests]
    core = oldest_core((PROJECT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    lowest = ranges(requirements.read_text(encoding="utf-8"))
    return [*(f"{name}=={version}" for name, version in lowest.items()), core, *tests]


def versions(programs: Path) -> dict[str, str]:
    """What was installed of the requirements, by name."""
    command = [str(programs / "python"), "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    listed: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    names = {*ranges((PROJECT / "requirements.txt").read_text(encoding="utf-8")), *SHOWN}
    return {one["name"]: one["version"] for one in listed if one["name"] in names}


def tested(programs: Path, paths: Sequence[str]) -> dict[str, Any]:
    """One run of pytest: its exit code, its last line, and how long it took."""
    began = time.monotonic()
    told = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    code, text = said([str(programs / "python"), "-m", "pytest", "-q", "-x", *paths], PROJECT, told)
    if code:
        print(text[-6000:], flush=True)
    last = text.strip().splitlines()[-1] if text.strip() else ""
    return {"code": code, "said": last, "seconds": round(time.monotonic() - began)}


def main() -> int:
    """The command; ends with 1 where a test fails at an end."""
    parser = argparse.ArgumentParser(prog="python -m tests.ee.ends", description=__doc__)
    parser.add_argument("ends", nargs="*", choices=["lowest", "newest"], default=["lowest", "newest"])
    found = []
    for end in parser.parse_args().ends:
        programs = environment(f"ends-{end}", wanted(end), anew=end == "newest")
        here = versions(programs)
        print(f"{end}: {', '.join(f'{name} {version}' for name, version in here.items())}", flush=True)
        results = {}
        for name, paths in (("units", ["tests/unit"]), ("servers", SERVERS)):
            results[name] = tested(programs, paths)
            print(f"  {name}: {results[name]['said']}", flush=True)
        found.append({"end": end, "versions": here, **results})
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    document = {"python": sys.version.split()[0], "ends": found}
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    bad = [one["end"] for one in found if one["units"]["code"] or one["servers"]["code"]]
    works = "both ends of the ranges work" if len(found) > 1 else "it works"
    print(f"failed: {', '.join(bad)}" if bad else works)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
