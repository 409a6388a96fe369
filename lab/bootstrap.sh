#!/usr/bin/env bash
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes the virtual environment given as the only argument, with what the collection, its lab and its tests need.
set -euo pipefail

venv=$1
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

chosen=
found=
if [ -n "${PYTHON:-}" ]; then
  if ! new_enough "$PYTHON"; then
    echo "PYTHON=$PYTHON is no Python 3.11 or newer that can be run." >&2
    exit 1
  fi
  chosen=$PYTHON
else
  # ansible-core's current releases need 3.12; 3.11 gets the newest one that still runs there.
  for candidate in python3.12 python3.13 python3.14 python3.11 python3 python; do
    new_enough "$candidate" || continue
    found=${found:-$candidate}
    # Distributions ship Python without the parts that make a virtual environment.
    if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      chosen=$candidate
      break
    fi
  done
fi
if [ -z "$chosen$found" ]; then
  echo "No Python 3.11 or newer was found. Install one, or name it: make demo PYTHON=/path/to/python3.12" >&2
  exit 1
fi
chosen=${chosen:-$found}

started=$SECONDS
echo "Setting up $venv with $("$chosen" --version) (once, about a minute)"
# Also one whose Python has gone: an upgrade of the system removes what it points to.
if [ -e "$venv" ] && ! new_enough "$venv/bin/python"; then
  rm -rf "$venv"
fi
if [ ! -x "$venv/bin/pip" ] && ! "$chosen" -m venv "$venv"; then
  rm -rf "$venv"
  echo "$chosen cannot make a virtual environment in $PWD." >&2
  echo "On Debian and Ubuntu install the package python3-venv, or name another: make demo PYTHON=/path/to/python3.12" >&2
  exit 1
fi
"$venv/bin/pip" install --disable-pip-version-check --quiet --progress-bar off --upgrade pip
for part in requirements.txt requirements-lab.txt requirements-test.txt; do
  echo "  $part ($((SECONDS - started)) s)"
  "$venv/bin/pip" install --disable-pip-version-check --quiet --upgrade-strategy only-if-needed -r "$part"
done
echo "  done in $((SECONDS - started)) s"
