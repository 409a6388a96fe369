# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as ansible-test and the importer want it: below ansible_collections/, without caches."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.gates.cores import PROJECT

PLACE = Path("ansible_collections", "keybuzz", "amazon")
OF_THE_WORKSHOP = (".collections/", ".ci/")


def tarball(folder: Path, galaxy: Path) -> Path:
    """The collection, built.

    :param galaxy: the command ansible-galaxy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(galaxy), "collection", "build", "--force", "--output-path", str(folder), str(PROJECT)]
    # From there, where no ansible.cfg is.
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return max(folder.glob("keybuzz-amazon-*.tar.gz"), key=lambda path: path.stat().st_mtime)


def shipped(folder: Path, archive: Path) -> Path:
    """What the tarball holds, and the settings of ansible-test."""
    tree = folder / PLACE
    tree.mkdir(parents=True)
    with tarfile.open(archive) as opened:
        opened.extractall(tree, filter="data")
    (tree / "tests").mkdir(exist_ok=True)
    shutil.copy(PROJECT / "tests" / "config.yml", tree / "tests")
    return tree


def whole(folder: Path) -> Path:
    """The files that Git knows."""
    tree = folder / PLACE
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.split("\0"):
        source = PROJECT / name
        if name and source.is_file() and not name.startswith(OF_THE_WORKSHOP):
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target, follow_symlinks=False)
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=tree, check=True)
    return tree
