# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.gates.release``: builds the tarball, installs it into an empty place, repairs the lab from there.

The place has ansible-core and what the tarball's own requirements.txt names, and nothing else; the home folder is empty
and no configuration of the checkout is read. Leaves in dist/ the tarball, its SHA-256 and a list of materials (SBOM,
CycloneDX 1.6 JSON).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.gates import trees
from tests.gates.cores import PROJECT, NotHereError, environment, module_requirements, said

DIST = PROJECT / "dist"
TENANT = "ecomlg-001"
SBOM = ("cyclonedx-bom>=7,<8",)
WORKSHOP = {"lab", "tests", "ansible.cfg", "Makefile", "conftest.py", "pyproject.toml", ".ci", ".collections", ".git"}
PURL = "pkg:generic/ansible-collection/keybuzz.amazon@{version}"


class RefusedError(Exception):
    """The release is not ready; the text says why."""


def version() -> str:
    """The version, which must be the same wherever it stands, and have its chapter in the changelog."""
    wanted = str(yaml.safe_load((PROJECT / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    changelog = yaml.safe_load((PROJECT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8"))
    if wanted not in changelog["releases"]:
        raise RefusedError(f"{wanted} has no chapter in changelogs/changelog.yaml: antsibull-changelog release.")
    if f"v{wanted}\n" not in (PROJECT / "CHANGELOG.rst").read_text(encoding="utf-8"):
        raise RefusedError(f"CHANGELOG.rst does not tell of {wanted}: antsibull-changelog generate.")
    return wanted


def held(archive: Path) -> None:
    """What the tarball must have, and must not."""
    with tarfile.open(archive) as opened:
        names = {name.split("/")[0] for name in opened.getnames()}
    needed = {
        "plugins",
        "roles",
        "playbooks",
        "meta",
        "docs",
        "README.md",
        "LICENSE",
        "CHANGELOG.rst",
        "requirements.txt",
    }
    if needed - names:
        raise RefusedError(f"the tarball lacks {', '.join(sorted(needed - names))}")
    if names & WORKSHOP:
        raise RefusedError(f"the tarball holds {', '.join(sorted(names & WORKSHOP))}: see build_ignore in galaxy.yml")


def _run(command: list[str], cwd: Path, env: Mapping[str, str], *, ends_with: int = 0) -> str:
    status, text = said(command, cwd, env)
    if status != ends_with:
        words = " ".join(Path(word).name if word.startswith("/") else word for word in command)
        raise RefusedError(f"{words} ended with {status}:\n{text[-3000:]}")
    return text


def installed(archive: Path, place: Path) -> tuple[Path, dict[str, str]]:
    """The programs and the environment of the empty place, with the collection in it."""
    with tarfile.open(archive) as opened:
        opened.extract("requirements.txt", place, filter="data")
    home = place / "home"
    home.mkdir()
    _run([sys.executable, "-m", "venv", str(place / "venv")], place, os.environ)
    programs = place / "venv" / "bin"
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "ansible-core", "-r", str(place / "requirements.txt")], place, os.environ)
    kept = ("LANG", "LC_ALL", "TMPDIR", "TZ")
    env = {
        **{name: value for name, value in os.environ.items() if name in kept},
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(home),
        "ANSIBLE_COLLECTIONS_PATH": str(place / "collections"),
    }
    galaxy = [str(programs / "ansible-galaxy"), "collection"]
    _run([*galaxy, "install", str(archive), "--offline", "-p", str(place / "collections")], place, env)
    _run([*galaxy, "verify", "--offline", "keybuzz.amazon"], place, env)
    return programs, env


def repaired(programs: Path, place: Path, env: Mapping[str, str]) -> None:
    """Break a lab and repair it from the place; the second repair must find nothing to do."""
    lab_env = {**os.environ, "LAB_DIR": str(place / "lab")}
    lab = [sys.executable, "-m", "lab"]
    inventory = place / "inventory"
    shutil.copytree(PROJECT / "inventories" / "lab", inventory)
    try:
        _run([*lab, "up"], PROJECT, lab_env)
        _run([*lab, "break", "all"], PROJECT, lab_env)

        def play(name: str, *, ends_with: int = 0) -> str:
            command = [str(programs / "ansible-playbook"), f"keybuzz.amazon.{name}", "-i", str(inventory)]
            told = {**env, "LAB_DIR": lab_env["LAB_DIR"], "PWD": str(place)}
            return _run([*command, "-e", f"tenant={TENANT}"], place, told, ends_with=ends_with)

        play("audit_amazon", ends_with=2)
        play("repair_amazon")
        play("audit_amazon")
        if "changed=0" not in play("repair_amazon"):
            raise RefusedError("a second repair changed something")
        report = json.loads((place / "drift_report.json").read_text(encoding="utf-8"))
        if report["verdict"] != "in_sync":
            raise RefusedError(f"the verdict after the repair is {report['verdict']}")
    finally:
        _run([*lab, "down"], PROJECT, lab_env)


def sbom(archive: Path, programs: Path, number: str) -> Path:
    """What is installed beside the collection, as CycloneDX."""
    tool = environment("sbom", SBOM)
    target = DIST / f"keybuzz-amazon-{number}.cdx.json"
    command = [str(tool / "cyclonedx-py"), "environment", str(programs / "python")]
    _run([*command, "--output-reproducible", "--output-format", "JSON", "--output-file", str(target)], DIST, os.environ)
    document: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    named = {str(one["name"]).lower() for one in document.get("components", ())}
    wanted = {line.split(">")[0].strip().lower() for line in module_requirements()}
    if wanted - named:
        raise RefusedError(f"the list of materials lacks {', '.join(sorted(wanted - named))}")
    document["metadata"]["component"] = {
        "bom-ref": PURL.format(version=number),
        "type": "application",
        "group": "keybuzz",
        "name": "amazon",
        "version": number,
        "purl": PURL.format(version=number),
        "licenses": [{"license": {"id": "GPL-3.0-or-later"}}],
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(archive.read_bytes()).hexdigest()}],
    }
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return target


def main() -> int:
    """The command."""
    try:
        number = version()
        with tempfile.TemporaryDirectory(prefix="keybuzz-release-") as temporary:
            place = Path(temporary)
            archive = trees.tarball(DIST, Path(sys.executable).parent / "ansible-galaxy")
            held(archive)
            programs, env = installed(archive, place)
            repaired(programs, place, env)
            materials = sbom(archive, programs, number)
    except (RefusedError, NotHereError) as error:
        print(f"release-check: {error}")
        return 1
    waiting = len(list((PROJECT / "changelogs" / "fragments").glob("*.y*ml")))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n", encoding="utf-8")
    print(
        f"release-check: keybuzz.amazon {number} installs into an empty place and repairs the lab from there;"
        f" {archive.relative_to(PROJECT)}, its SHA-256 and {materials.relative_to(PROJECT)} are ready"
        + (f"; {waiting} changelog fragments wait for the next release" if waiting else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
