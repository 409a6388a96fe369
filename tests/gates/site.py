# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.gates.site``: the documentation site, in build/docs/html. A warning is an error."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.gates.cores import PROJECT, NotHereError, environment, surroundings

PYTHON = "3.12"
REQUIREMENTS = (
    "ansible-core~=2.21.0",
    "antsibull-docs>=2.28,<3",
    "furo>=2025.7.19",
    "myst-parser>=4,<6",
    "sphinx>=8,<10",
)
BUILD = PROJECT / "build" / "docs"
REPOSITORY = "https://github.com/keybuzz/keybuzz.amazon/blob/main/"
LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?(\))")
NAME = "keybuzz.amazon"


def linked(text: str, page: Path) -> str:
    """The page's text with links to files that are not in docs/, and to folders, as addresses of the repository.

    :raises FileNotFoundError: a link leads nowhere.
    """

    def place(found: re.Match[str]) -> str:
        target = (page.parent / found[2]).resolve()
        if not target.exists():
            raise FileNotFoundError(f"{page.relative_to(PROJECT)} links to {found[2]}, which is not there")
        if target.is_file() and target.is_relative_to(PROJECT / "docs"):
            return found[0]
        return f"{found[1]}{REPOSITORY}{target.relative_to(PROJECT)}{found[3] or ''}{found[4]}"

    return LINK.sub(place, text)


def sources(folder: Path) -> None:
    """The pages of docs/ as Sphinx takes them."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PROJECT / "docs", folder, ignore=shutil.ignore_patterns("__pycache__", "terminal"))
    for page in (PROJECT / "docs").glob("*.md"):
        (folder / page.name).write_text(linked(page.read_text(encoding="utf-8"), page), encoding="utf-8")


def main() -> int:
    """The command."""
    try:
        programs = environment("docs", REQUIREMENTS, PYTHON)
    except NotHereError as error:
        print(f"docs: NOT BUILT: {error}")
        return 1
    source, html = BUILD / "source", BUILD / "html"
    env = surroundings(
        programs, ANSIBLE_COLLECTIONS_PATH=str(PROJECT / ".collections"), ANSIBLE_HOME=str(BUILD / "ansible")
    )
    try:
        sources(source)
        reference = source / "reference"
        reference.mkdir()
        antsibull = [str(programs / "antsibull-docs"), "collection", "--use-current", "--squash-hierarchy"]
        subprocess.run(
            [*antsibull, "--fail-on-error", "--dest-dir", str(reference), NAME], cwd=BUILD, env=env, check=True
        )
        shutil.rmtree(html, ignore_errors=True)
        sphinx = [str(programs / "sphinx-build"), "-W", "--keep-going", "-q", "-b", "html"]
        subprocess.run([*sphinx, str(source), str(html)], cwd=BUILD, env=env, check=True)
    except FileNotFoundError as error:
        print(f"docs: {error}")
        return 1
    except subprocess.CalledProcessError as error:
        print(f"docs: {Path(error.cmd[0]).name} ended with {error.returncode}")
        return 1
    pages = len(list(html.rglob("*.html")))
    print(f"docs: {pages} pages in {html.relative_to(PROJECT)}/index.html, without a warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
