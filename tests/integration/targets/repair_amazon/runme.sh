#!/usr/bin/env bash
# Copyright (c) 2026 KeyBuzz
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# A broken lab is audited, repaired, and audited again, by the playbooks of the installed collection. No secret is shown,
# also not with -vvv: ansible-core 2.22 masks in another way than those before it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
export LAB_DIR="$OUTPUT_DIR/lab"
lab() { (cd "$root" && python -m lab "$@"); }
play() {
  ansible-playbook "keybuzz.amazon.$1" -i "$root/inventories/lab" -e tenant=ecomlg-001 \
    -e "drift_report_directory=$OUTPUT_DIR" "${@:2}" 2>&1 | tee -a "$OUTPUT_DIR/said.txt"
}

trap 'lab down' EXIT
lab up
grep -rq CANARY "$LAB_DIR/secrets"  # the mark of every secret of the lab
lab break all
if play audit_amazon "$@"; then
  echo "the audit has not seen what is broken" >&2
  exit 1
fi
play repair_amazon -vvv --diff "$@"
play audit_amazon "$@"
if grep -q CANARY "$OUTPUT_DIR/said.txt"; then
  echo "a secret was shown" >&2
  exit 1
fi
