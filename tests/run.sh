#!/usr/bin/env bash
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything CI runs. Builds the real Kubernetes API server where Go and its modules can be had, and then insists on it.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS
step() { printf '\n== %s (%s s)\n' "$*" "$((SECONDS - started))"; }

step "Lint and types"
make --no-print-directory lint

step "Kubernetes API server for the lab"
built=0
python -m lab.cluster.build || built=$?
case $built in
  0) export LAB_REQUIRE_APISERVER=1 ;;
  3) ;; # cannot be built here: the reason was printed, the emulator is used, and the last lines say so
  *) exit "$built" ;;
esac

step "Unit tests"
python -m pytest tests/unit -q -n 2

# Two workers, each with servers of its own: on free ports, in folders of their own.
step "Tests against real servers"
python -m pytest tests/lab tests/integration_lab tests/ee tests/bench tests/browser tests/awx -q -n 2 --dist loadfile --durations=15

# Samples of make parity and make zero-writes, and the quick proofs of make chaos.
step "Check predicts what a repair changes, and writes nothing; wrong peers, editors in between, imports killed and cut off"
python -m pytest tests/parity tests/zero_writes tests/chaos/test_race.py tests/chaos/test_tls.py \
  tests/chaos/test_tls_detours.py tests/chaos/test_tls_modules.py tests/chaos/orders -q -n 2 --dist loadfile --durations=15

step "End to end"
python -m pytest tests/e2e -q -n 2 --dist loadfile --durations=15

if [ "$built" = 3 ]; then
  printf '\nNOT TESTED: the real Kubernetes API server. It could not be built here (see above); the emulator was used.\n'
else
  printf '\nTested on the real Kubernetes API server and on the emulator.\n'
fi
printf 'All of it took %s s.\n' "$((SECONDS - started))"
