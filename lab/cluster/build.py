# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab.cluster.build``: builds the real API server unless it is built.

Ends with 0 (built, or built before), 3 (cannot be built on this machine: Go or its modules are missing) or
1 (the build failed).
"""

from __future__ import annotations

import sys

from lab.cluster.program import BuildFailed, CannotBuild, build


def main() -> int:
    try:
        _say(f"API server: {build(_say)}")
    except CannotBuild as reason:
        print(f"cannot build the API server here: {reason}", file=sys.stderr)
        return 3
    except BuildFailed as reason:
        print(f"the API server was not built: {reason}", file=sys.stderr)
        return 1
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
