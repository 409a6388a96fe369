# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The collection's Python is kept as bytecode, as Python keeps that of any other package.

Ansible's importer of collections compiles every file anew in each run: a tenth of an audit (``make bench-noop``).
Whether bytecode may be written is Python's decision (read-only folders, ``PYTHONDONTWRITEBYTECODE``,
``PYTHONPYCACHEPREFIX``), and so is whether it still is that of the source.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

OURS = "ansible_collections.keybuzz.amazon.plugins."


class Bytecode(MetaPathFinder):
    """While its block is imported, Python finds the files of this collection. All else is Ansible's to find.

    What is loaded when it ends stays: neither the controller nor a worker that it forks looks through it for what may
    go, and so copies it. That is Python's own advice for who forks (``gc.freeze``).
    """

    def __enter__(self) -> Bytecode:
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_raised: object) -> None:
        sys.meta_path.remove(self)
        gc.freeze()

    def find_spec(self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        """A file whose bytecode is kept beside it, in ``__pycache__``; nothing for a folder without ``__init__``."""
        if not name.startswith(OURS):
            return None
        found = (_finder(folder).find_spec(name) for folder in path or ())
        return next((spec for spec in found if spec is not None and spec.loader is not None), None)


@cache
def _finder(folder: str) -> FileFinder:
    return FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))
